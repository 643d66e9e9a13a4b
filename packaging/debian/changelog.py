#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Debian's changelog, made of CHANGELOG.md: each version with its points.

usage: changelog.py CMakeLists.txt CHANGELOG.md >debian/changelog

The newest version must be the one of CMakeLists.txt. Versions have no dates there: the newest takes
SOURCE_DATE_EPOCH, the time of what is built, and each other one a day less than the next.
"""

import email.utils
import os
import re
import sys
import textwrap

WHO = "The welcomed authors <maintainers@welcomed.example>"


def entries(text):
    """(version, points) of each version, newest first."""
    for part in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        title, _, body = part.partition("\n")
        points = re.split(r"^- ", body, flags=re.MULTILINE)
        if len(points) == 1:
            points = ["", body]
        # What stands under "### Title" begins after a blank line.
        yield title.split()[0], [" ".join(re.split(r"\n\s*\n", p)[0].split()) for p in points[1:]] or [body]


def main():
    cmake, changelog = (open(name, encoding="utf-8").read() for name in sys.argv[1:3])
    version = re.search(r"^project\(\w+ VERSION ([0-9.]+)", cmake, re.MULTILINE).group(1)
    when = int(os.environ["SOURCE_DATE_EPOCH"])
    found = list(entries(changelog))
    if found[0][0] != version:
        sys.exit(f"CHANGELOG.md begins with {found[0][0]}, CMakeLists.txt says {version}")
    for number, points in found:
        print(f"welcomed ({number}) bookworm; urgency=medium\n")
        for point in points:
            print(textwrap.fill(point, 78, initial_indent="  * ", subsequent_indent="    ",
                                break_long_words=False, break_on_hyphens=False))
        print(f"\n -- {WHO}  {email.utils.formatdate(when)}\n")
        when -= 24 * 3600


main()
