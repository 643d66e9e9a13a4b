# SPDX-License-Identifier: Apache-2.0
"""Every source file says under which licence it is: a line in its first three."""

import re

LICENCE = "SPDX-License-Identifier: Apache-2.0"
COMMENTS = {
    ("//", ""): (".cpp", ".h", ".h.in", ".ts", ".tsx", ".mjs"),
    ("#", ""): (".py", ".sh", ".cmake", "CMakeLists.txt"),
    ("/*", " */"): (".css",),
    ("<!--", " -->"): (".html",),
}
# Bytes of others, or of machines.
NOT_OURS = ("tests/fuzz/corpus/", "tests/data/", "tests/replay/data/")
# What has to stay in front of it.
FIRST = re.compile(r"(?:#!|<!doctype)", re.IGNORECASE)


def line_for(root, file):
    """The line that belongs into this file, or None where it is not source text."""
    if file.startswith(NOT_OURS):
        return None
    for (begin, end), suffixes in COMMENTS.items():
        if file.endswith(suffixes):
            return f"{begin} {LICENCE}{end}"
    return f"# {LICENCE}" if (root / file).read_bytes()[:2] == b"#!" else None


def missing(root, files):
    for file in files:
        line = line_for(root, file)
        if line and line not in (root / file).read_text().split("\n")[:3]:
            yield file, line


def check(root, files):
    return [f"{file}: no line \"{line}\"; run.py --fix writes it" for file, line in missing(root, files)]


def fix(root, files):
    for file, line in list(missing(root, files)):
        lines = (root / file).read_text().split("\n")
        lines.insert(1 if FIRST.match(lines[0]) else 0, line)
        (root / file).write_text("\n".join(lines))
