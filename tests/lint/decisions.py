# SPDX-License-Identifier: Apache-2.0
"""Every decision record says its date and status, and the index says what the records say."""

import re

FOLDER = "docs/decisions/"
NAME = re.compile(rf"{FOLDER}(\d{{4}})-[a-z0-9-]+\.md")
HEAD = re.compile(
    r"# (?!\d)(?P<title>.+)\n\nDate: (?P<date>\d{4}-\d\d-\d\d)\. Status: (?P<status>accepted|replaced by \d{4})\.(?: .+)?\n\n"
)
INTRODUCTION = """# Decisions

Short records of what was decided, why, and what was rejected. A record is never rewritten, only replaced by a
later one that says so. This table is made of the records by `tests/lint/run.py --fix`.

| | what | date | status |
|---|---|---|---|
"""


def records(root, files):
    return sorted((match[1], file) for file in files if (match := NAME.fullmatch(file)))


def index(root, files):
    rows = []
    for number, file in records(root, files):
        if head := HEAD.match((root / file).read_text()):
            link = f"[{number}]({file.removeprefix(FOLDER)})"
            rows.append(f"| {link} | {head['title']} | {head['date']} | {head['status']} |\n")
    return INTRODUCTION + "".join(rows)


def check(root, files):
    problems = [
        f"{file}: does not begin with # Title, then Date: YYYY-MM-DD. Status: accepted."
        for _, file in records(root, files) if not HEAD.match((root / file).read_text())
    ]
    problems += [
        f"{file}: not named NNNN-what.md" for file in files
        if file.startswith(FOLDER) and file != f"{FOLDER}README.md" and not NAME.fullmatch(file)
    ]
    numbers = [number for number, _ in records(root, files)]
    problems += [f"{FOLDER}: {n} twice" for n in sorted({n for n in numbers if numbers.count(n) > 1})]
    if (root / FOLDER / "README.md").read_text() != index(root, files):
        problems.append(f"{FOLDER}README.md is not what the records say; run.py --fix writes it")
    return problems


def fix(root, files):
    (root / FOLDER / "README.md").write_text(index(root, files))
