# SPDX-License-Identifier: Apache-2.0
"""The version is said in CMakeLists.txt; what npm wants to have as well says the same."""

import json
import re


def check(root):
    said = re.search(r"project\(welcomed VERSION (\S+)", (root / "CMakeLists.txt").read_text())[1]
    lock = json.loads((root / "package-lock.json").read_text())
    places = {
        "package.json": json.loads((root / "package.json").read_text()),
        "package-lock.json": lock,
        "package-lock.json, its first package": lock["packages"][""],
    }
    return [
        f"{place}: version {package.get('version')}, but CMakeLists.txt says {said}"
        for place, package in places.items()
        if package.get("version") != said
    ]
