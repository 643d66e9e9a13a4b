# SPDX-License-Identifier: Apache-2.0
"""Debian's packages have each file that CMake installs, once, and name none that it does not."""

COMPONENTS = ("box", "crm", "floor")
# Made when the packages are.
MADE = "usr/share/bash-completion/"


def check(root, stage):
    patterns = []
    for file in sorted((root / "packaging/debian").glob("*.install")):
        for line in file.read_text().splitlines():
            patterns.append((file.name, line.split()[0]))
    problems, used = [], set()
    for path in sorted(p.relative_to(stage).as_posix() for p in stage.rglob("*") if not p.is_dir()):
        taken = [one for one in patterns if path == one[1] or path.startswith(one[1] + "/")]
        used.update(taken)
        if len(taken) != 1:
            problems.append(f"{path} is in {len(taken)} packages: {', '.join(name for name, _ in taken) or 'none'}")
    for name, pattern in patterns:
        if (name, pattern) not in used and not pattern.startswith(MADE):
            problems.append(f"packaging/debian/{name}: CMake installs no {pattern}")
    return problems
