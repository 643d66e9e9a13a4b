#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Counts tests. Each part of a run leaves build/test/PART.json; `total` adds them up.

summary.py ctest PART FILE.xml        reads ctest's JUnit file
summary.py tap PART FILE.tap          reads what node's test runner wrote
summary.py one FILE.json NAME STATUS  one test that is a command: its exit status
summary.py total DIRECTORY            names what was skipped and what failed, ends with the sum
Exit 1 where something failed or nothing ran.
"""

import json
import pathlib
import re
import sys
import xml.etree.ElementTree as xml

# What ctest writes for a test that chose not to run. Everything else that did not run
# (no program, a fixture that failed) is a failure.
CHOSEN_SKIP = ("SKIP_REGULAR_EXPRESSION_MATCHED", "SKIP_RETURN_CODE", "Disabled")


def from_ctest(path):
    result = {"passed": 0, "failed": [], "skipped": []}
    for case in xml.parse(path).getroot().iter("testcase"):
        skipped = case.find("skipped")
        if case.get("status") == "run" and skipped is None and case.find("failure") is None:
            result["passed"] += 1
        elif skipped is not None and any(s in skipped.get("message", "") for s in CHOSEN_SKIP):
            result["skipped"].append(case.get("name"))
        elif case.get("status") == "disabled":
            result["skipped"].append(case.get("name"))
        else:
            result["failed"].append(case.get("name"))
    return result


def from_tap(path):
    """node nests subtests by indentation; a line with lines indented under it is their parent."""
    result = {"passed": 0, "failed": [], "skipped": []}
    children = {}  # depth -> children seen since the last result line of a lower depth
    lines = pathlib.Path(path).read_text().splitlines()
    for line in lines:
        match = re.match(r"( *)(not ok|ok) \d+(?: - (.*))?$", line)
        if not match:
            continue
        depth, verdict, name = len(match[1]), match[2], match[3] or ""
        had_children = children.pop(depth + 4, 0)
        children[depth] = children.get(depth, 0) + 1
        if " # " in name:  # a directive: not to be done, or not yet; a # of a name is escaped
            result["skipped"].append(name.split(" # ")[0])
        elif verdict == "not ok" and not had_children:
            result["failed"].append(name)
        elif verdict == "ok" and not had_children:
            result["passed"] += 1
        elif verdict == "not ok" and not result["failed"]:
            result["failed"].append(name)
    # The plan is the last thing that it writes.
    if lines and not any(re.match(r"1\.\.\d+$", line) for line in lines):
        result["failed"].append("the runner itself: it was ended before its end")
    return result


def line_of(results):
    return (
        f"{sum(r['passed'] for r in results)} passed, "
        f"{sum(len(r['failed']) for r in results)} failed, "
        f"{sum(len(r['skipped']) for r in results)} skipped"
    )


def main(arguments):
    if arguments[0] == "total":
        parts = sorted(pathlib.Path(arguments[1]).glob("*.json"))
        results = [json.loads(part.read_text()) for part in parts]
        for part, result in zip(parts, results):
            for name in result["skipped"]:
                print(f"skipped: {part.stem}: {name}")
        for part, result in zip(parts, results):
            for name in result["failed"]:
                print(f"failed: {part.stem}: {name}")
        for part, result in zip(parts, results):
            print(f"{part.stem}: {line_of([result])}")
        print(line_of(results))
        ran = any(r["passed"] or r["failed"] for r in results)
        return 1 if not ran or any(r["failed"] for r in results) else 0
    if arguments[0] == "one":
        path, name, status = arguments[1:]
        ok = status == "0"
        result = {"passed": int(ok), "failed": [] if ok else [name], "skipped": []}
        pathlib.Path(path).write_text(json.dumps(result))
        return 0
    kind, part, path = arguments
    try:
        result = from_ctest(path) if kind == "ctest" else from_tap(path)
    except (OSError, xml.ParseError) as error:
        result = {"passed": 0, "failed": [f"the runner itself: {error}"], "skipped": []}
    (pathlib.Path(path).parent / f"{part}.json").write_text(json.dumps(result))
    print(line_of([result]))
    return 1 if result["failed"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
