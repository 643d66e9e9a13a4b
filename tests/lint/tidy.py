# SPDX-License-Identifier: Apache-2.0
"""clang-tidy over the product's sources. A file that is the same as when it last passed, with the
same headers of ours and the same rules, is not looked at again.

It needs to know how each file is compiled by itself: the preset `dev` says so, configured and never
built."""

import concurrent.futures
import hashlib
import json
import os
import re
import subprocess
import time

OWN_INCLUDE = re.compile(rb'^\s*#\s*include\s*"([^"]+)"', re.MULTILINE)


def own_files(root, file, seen):
    """The file and every header of ours that it reaches."""
    if file in seen or not (root / file).is_file():
        return seen
    seen[file] = (root / file).read_bytes()
    for target in OWN_INCLUDE.findall(seen[file]):
        own_files(root, target.decode(), seen)
    return seen


def key_of(root, file, rules):
    digest = hashlib.sha256(rules)
    for name, data in sorted(own_files(root, file, {}).items()):
        digest.update(name.encode() + b"\0" + hashlib.sha256(data).digest())
    return digest.hexdigest()


def check(root, files, seconds=None):
    """With `seconds`, files that have had no turn by then are only named."""
    build = root / "build/dev"
    configured = subprocess.run(["cmake", "--preset", "dev"], cwd=root, capture_output=True, text=True)
    if configured.returncode != 0:
        return configured.stderr.splitlines()[-10:]
    compiled = {
        os.path.relpath(entry["file"], root)
        for entry in json.loads((build / "compile_commands.json").read_text())
    }
    cache = root / "build/lint/tidy"
    cache.mkdir(parents=True, exist_ok=True)
    version = subprocess.run(["clang-tidy", "--version"], capture_output=True, check=True).stdout
    rules = (root / ".clang-tidy").read_bytes() + version

    deadline = time.monotonic() + seconds if seconds else None
    left = []

    def tidy(file):
        stamp = cache / key_of(root, file, rules)
        if stamp.exists():
            return []
        if deadline and time.monotonic() > deadline:
            left.append(file)
            return []
        run = subprocess.run(
            ["clang-tidy", "--quiet", "--extra-arg=-Wno-unknown-warning-option", "-p", str(build),
             str(root / file)],
            capture_output=True, text=True,
        )
        found = [
            line.replace(f"{root}/", "")
            for line in run.stdout.splitlines()
            if re.search(r": (warning|error): ", line)
        ]
        if run.returncode == 0 and not found:
            stamp.touch()
        elif not found:
            found = [f"{file}: clang-tidy failed: {run.stderr.strip()[-500:]}"]
        return found

    # A header is looked at by way of the file that it is the header of.
    candidates = dict.fromkeys(re.sub(r"\.h$", ".cpp", f) for f in files)
    sources = [f for f in candidates if f in compiled and not f.startswith(("tests/", "bench/"))]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(tidy, sources))
    if left:
        print(f"  clang-tidy had no time for {len(left)} of {len(sources)}: {' '.join(left)}")
    # A header's finding appears once for every file that includes it.
    return sorted({problem for result in results for problem in result})
