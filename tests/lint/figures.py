# SPDX-License-Identifier: Apache-2.0
"""Tables of measured figures are what `./dev eval` wrote, and the tests that a document names exist."""

import hashlib
import re

# As eval/report writes them.
MARK = re.compile(r"<!-- \./dev eval: ([a-z-]+) ([0-9a-f]{12}) -->\n(.*?)\n?<!-- end -->\n", re.S)

CPP_TEST = re.compile(r"^\s*(?:TYPED_)?(?:TEST(?:_F|_P)?|RC_GTEST_(?:FIXTURE_)?PROP)\(\s*(\w+),\s*(\w+)", re.M)
# `Suite.Name`, of googletest: `Copies.NothingStaysOfWhoWithdrew`
NAMED_CPP = re.compile(r"`([A-Z]\w*)\.(\w+)`")
# A file of tests and one of them: `tests/vm/shop.sh` "closes it when he has left"
NAMED_IN_FILE = re.compile(r'`(tests/[^`\s]+)`(?:\s+"([^"]+)")?')


def test_names(root, files):
    for file in files:
        if file.startswith("tests/") and file.endswith(".cpp"):
            yield from CPP_TEST.findall((root / file).read_text())


def tables(file, text):
    for name, digest, table in MARK.findall(text):
        if hashlib.sha256(f"{name}\n{table}\n".encode()).hexdigest()[:12] != digest:
            yield f"{file}: the table {name} is not what ./dev eval wrote"
    if text.count("<!-- ./dev eval:") != len(MARK.findall(text)):
        yield f"{file}: a mark of ./dev eval without its end"


def tests(root, file, text, known, files):
    for suite, name in NAMED_CPP.findall(text):
        if f"{suite}.{name}" not in files and (suite, name) not in known:
            yield f"{file}: there is no test {suite}.{name}"
    for path, name in NAMED_IN_FILE.findall(text):
        if not (root / path).exists():
            yield f"{file}: there is no {path}"
        elif name and re.sub(r"\s+", " ", name) not in (root / path).read_text():
            yield f"{file}: there is no test \"{name}\" in {path}"


def check(root, files):
    problems = []
    known = set(test_names(root, files))
    for file in files:
        # What was decided or done once may name tests of its day.
        if file.endswith(".md") and not file.startswith(("docs/decisions/", "CHANGELOG")):
            text = (root / file).read_text()
            problems += tables(file, text)
            problems += tests(root, file, text, known, files)
    return problems
