# SPDX-License-Identifier: Apache-2.0
"""What does not belong in the repository: paths of a machine, registries, big files, loose ends."""

import json
import re

MAX_BINARY = 200_000
TEXT_RULES = [
    # Written with brackets so that this file does not match itself.
    (re.compile(r"/wor[k]/|/roo[t]/|/hom[e]/[a-z]|/Users[/]"), "a path of one machine"),
    (re.compile(r"registry\.npm[j]s|registry\.yarn[p]kg|deb\.debian\.or[g]|nodesourc[e]"),
     "a registry's host; the machine's own settings name it"),
    (re.compile(r"\b(TOD[O]|FIXM[E]|XX[X])\b"), "a loose end"),
    (re.compile(r"[ \t]+$"), "white space at the end of the line"),
    (re.compile(r"\r$"), "a DOS line ending"),
    (re.compile(r"^(<{7}|>{7}) "), "a merge conflict"),
]
# Bytes of others or of machines: only their size and the lock file's hosts are looked at.
NOT_OUR_TEXT = ("package-lock.json", "tests/fuzz/corpus/", "tests/data/", "tests/replay/data/")


def check(root, files):
    problems = []
    for file in files:
        data = (root / file).read_bytes()
        if b"\0" in data:
            if len(data) > MAX_BINARY:
                problems.append(f"{file}: {len(data)} bytes; binaries over {MAX_BINARY} stay out")
            continue
        if file.startswith(NOT_OUR_TEXT):
            continue
        if data and not data.endswith(b"\n"):
            problems.append(f"{file}: no newline at the end")
        for number, line in enumerate(data.decode("utf-8", "replace").split("\n"), 1):
            for pattern, what in TEXT_RULES:
                # Two spaces at the end of a line mean a line break in Markdown.
                if pattern.search(line) and not (file.endswith(".md") and "white" in what):
                    problems.append(f"{file}:{number}: {what}")
    for name, package in json.loads((root / "package-lock.json").read_text())["packages"].items():
        if "resolved" in package:
            problems.append(f"package-lock.json: {name} names the registry it came from")
    return problems
