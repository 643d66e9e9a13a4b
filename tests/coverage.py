#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Which share of each room's lines the tests of a build with --coverage have run.

coverage.py clear BUILD   forgets what has run
coverage.py show BUILD    a line for each room, the files with the most lines that did not run, the sum
"""

import collections
import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
ROOMS = ("core", "contract", "beacon", "vision", "sync", "firmware/store", "firmware/recording",
         "firmware/control", "firmware/engine", "firmware/daemon", "firmware/ctl", "crm/fleet", "crm/cli", "crm", "eval", "demo")


def counts_of(data):
    """(file, line) -> how often it ran, of one object."""
    gcov = subprocess.run(["gcov", "--json-format", "--stdout", str(data)], capture_output=True, text=True,
                          cwd=data.parent, check=True)
    counts = collections.Counter()
    for document in map(json.loads, gcov.stdout.splitlines()):
        for file in document["files"]:
            path = os.path.normpath(os.path.join(document["current_working_directory"], file["file"]))
            if not path.startswith(f"{ROOT}/"):
                continue
            name = os.path.relpath(path, ROOT)
            for line in file["lines"]:
                counts[name, line["line_number"]] += line["count"]
    return counts


def room_of(name):
    return next((room for room in ROOMS if name.startswith(f"{room}/")), None)


def show(build):
    # An object that no test has run has its notes alone, and counts as not run.
    notes = sorted(build.rglob("*.gcno"))
    counts = collections.Counter()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for part in pool.map(counts_of, notes):
            counts.update(part)
    lines, ran, missed = collections.Counter(), collections.Counter(), collections.Counter()
    for (name, _), count in counts.items():
        if room := room_of(name):
            lines[room] += 1
            ran[room] += count > 0
            missed[name] += count == 0
    for room in filter(lines.get, ROOMS):
        print(f"{room:20} {100 * ran[room] / lines[room]:5.1f} % of {lines[room]} lines")
    for name, count in missed.most_common(5):
        print(f"  {count} lines of {name} did not run")
    print(f"{'all rooms':20} {100 * ran.total() / max(1, lines.total()):5.1f} % of {lines.total()} lines")


def main(verb, build):
    build = ROOT / build
    if verb == "clear":
        for data in build.rglob("*.gcda"):
            data.unlink()
    elif verb == "show":
        show(build)
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(*sys.argv[1:]) if len(sys.argv) == 3 else sys.exit(__doc__)
