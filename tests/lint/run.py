#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The lint: every check says what it found and counts as one test.

run.py [CHECK…]   all checks, or those that are named
run.py --fix      mends what a program can mend: formatting, licence lines, tables that are made of files
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

import arrows
import asyncapi
import decisions
import figures
import hygiene
import licence
import monitoring
import openapi
import packages
import schemas
import tidy
import version

ROOT = pathlib.Path(__file__).resolve().parents[2]


def run(*command):
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    return [] if result.returncode == 0 else (result.stdout + result.stderr).splitlines()


def tracked(*suffixes):
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\0")
    # A file that is removed in the work tree alone is still listed.
    return [f for f in listed if f and f.endswith(suffixes or "") and (ROOT / f).is_file()]


def shell_scripts():
    return [f for f in tracked() if (ROOT / f).read_bytes()[:64].split(b"\n")[0] in
            (b"#!/bin/bash", b"#!/bin/sh", b"#!/usr/bin/env bash")]


def units():
    problems = []
    with tempfile.TemporaryDirectory() as directory:
        for unit in tracked(".service"):
            # 20 is a score of 2.0; a unit without any sandbox has 9.6.
            if unit.startswith("systemd/"):
                found = run("systemd-analyze", "security", "--offline=yes", "--threshold=20", unit)
                problems += [f"{unit}: {found[-1]}"] if found else []
            # A copy whose programs exist on every machine: the rest of the unit is what is checked.
            copy = pathlib.Path(directory) / pathlib.Path(unit).name
            text = (ROOT / unit).read_text()
            if unit.startswith("systemd/") and "StartLimitIntervalSec=0" not in text:
                problems.append(f"{unit}: gives up after some failed starts")
            copy.write_text(re.sub(r"^(Exec\w+)=\S+", r"\1=/bin/true", text, flags=re.M))
            problems += run("systemd-analyze", "verify", "--man=no", str(copy))
    # Conflicts= works both ways: udev, asking for bluetooth.target, would stop welcomed.
    for file in tracked(".conf"):
        if file.startswith("systemd/") and re.search(r"^Conflicts=", (ROOT / file).read_text(), re.M):
            problems.append(f"{file}: Conflicts= lets somebody else stop welcomed")
    return problems


# What a box gets, and where. The models and pages are made by `dev setup`.
INSTALLED = (
    "usr/bin/welcomed", "usr/bin/welcomectl", "usr/lib/systemd/system/welcomed.service",
    "usr/lib/sysusers.d/welcomed.conf", "usr/lib/tmpfiles.d/welcomed.conf",
    "etc/welcomed/welcomed.conf", "usr/share/welcomed/models/models.json",
    "usr/share/welcomed/console/tablet/index.html", "usr/share/doc/welcomed/asyncapi.yaml",
    "usr/share/doc/welcomed/technician.md", "usr/share/welcomed/monitoring/alerts.yml",
    "usr/share/welcomed/monitoring/dashboard.json", "usr/share/welcomed/welcomed.conf",
    "usr/lib/systemd/system/bluetooth.service.d/50-welcomed.conf",
)


def installed_files():
    with tempfile.TemporaryDirectory() as stage:
        os.environ["DESTDIR"] = stage
        problems = run("cmake", "--install", "build/release", "--component", "box")
        conf = pathlib.Path(stage) / "etc/welcomed/welcomed.conf"
        if conf.is_file():
            conf.write_text("[box]\nid = ours\n")
            problems += run("cmake", "--install", "build/release", "--component", "box")
            if "ours" not in conf.read_text():
                problems.append("a second install overwrites an edited welcomed.conf")
        for component in packages.COMPONENTS:
            problems += run("cmake", "--install", "build/release", "--component", component)
        problems += packages.check(ROOT, pathlib.Path(stage))
        del os.environ["DESTDIR"]
        for file in INSTALLED:
            if not (pathlib.Path(stage) / file).is_file():
                problems.append(f"{file} is not installed")
        for name in ("welcomed", "welcome-crm", "welcome-floor"):
            problems += run("systemd-sysusers", f"--root={stage}", "--dry-run", f"{name}.conf")
    return problems


def cpp():
    return tracked(".cpp", ".h")


PRETTIER = "node_modules/.bin/prettier"


def pages():
    return tracked(".ts", ".tsx", ".mjs", ".css", ".html")


def formatting_of_pages():
    if not (ROOT / PRETTIER).exists():
        return ["prettier is not installed: ./dev setup"]
    return run(PRETTIER, "--check", "--log-level=warn", *pages())


# What a packager may leave out. Each must configure, and link nothing that is not built.
OPTIONS = (
    ["-DWELCOME_TESTS=OFF"],
    ["-DWELCOME_BENCH=OFF"],
    [f"-DWELCOME_{part}=OFF" for part in ("TESTS", "BENCH", "CRM", "BLUEZ", "VISION")],
)


def build_options():
    problems = []
    for options in OPTIONS:
        with tempfile.TemporaryDirectory() as build:
            problems += run("cmake", "-G", "Ninja", "-S", ".", "-B", build, *options)[-5:]
            ninja = pathlib.Path(build) / "build.ninja"
            # CMake takes the name of a library that it does not know as one of the system's.
            for library in sorted(set(re.findall(r"-l(welcome_\w+)", ninja.read_text()))) if ninja.exists() else ():
                problems.append(f"{' '.join(options)}: {library} is linked and not built")
    return problems


def git(*words):
    result = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True)
    return result.stdout.strip() if result.returncode == 0 else ""


def clang_tidy():
    """All of them is a quarter of an hour on two cores: `dev lint` takes it. `dev test` looks at what
    differs from the main branch, or on the main branch itself from how it was a day before its last
    commit, and stops when its time is over (docs/decisions/0117-what-clang-tidy-looks-at.md)."""
    if os.environ.get("WELCOME_LINT") == "all":
        return tidy.check(ROOT, cpp())
    base = git("merge-base", "HEAD", "origin/main")
    if not base or base == git("rev-parse", "HEAD"):
        day_before = int(git("log", "-1", "--format=%ct", "HEAD")) - 24 * 3600
        base = git("rev-list", "-1", "--first-parent", f"--before={day_before}", "HEAD")
    if not base:  # a clone without its history
        return tidy.check(ROOT, cpp(), TIDY_SECONDS)
    # The newest first: what is left when the time is over has had its turn before.
    changed = git("diff", "--name-only").splitlines()
    changed += git("log", "--format=", "--name-only", f"{base}..HEAD").splitlines()
    ours = set(cpp())
    return tidy.check(ROOT, [f for f in dict.fromkeys(changed) if f in ours], TIDY_SECONDS)


TIDY_SECONDS = 360


CHECKS = {
    "formatting": lambda: run("clang-format", "--dry-run", "-Werror", *cpp()),
    "formatting of the pages": formatting_of_pages,
    "include arrows": lambda: arrows.check(ROOT, cpp()),
    "decision records": lambda: decisions.check(ROOT, tracked()),
    "figures and the names of tests": lambda: figures.check(ROOT, tracked()),
    "licence lines": lambda: licence.check(ROOT, tracked()),
    "repository hygiene": lambda: hygiene.check(ROOT, tracked()),
    "build options": build_options,
    "shell scripts": lambda: run("shellcheck", "-x", *shell_scripts()),
    "systemd units": units,
    "installed files": installed_files,
    "contract files": lambda: schemas.check(ROOT, tracked()),
    "asyncapi": lambda: asyncapi.check(ROOT),
    "openapi": lambda: openapi.check(ROOT),
    "contract of the pages": lambda: run("node", "console/contract.mjs", "--check"),
    "alerts and dashboard": lambda: monitoring.check(ROOT),
    "one version": lambda: version.check(ROOT),
    "types of the pages": lambda: [
        line for part in ("console", "sdk") for line in run("node_modules/.bin/tsc", "--noEmit", "-p", part)
    ],
    "types of the SDK": lambda: run("node", "sdk/types.mjs", "--check"),
    "clang-tidy": clang_tidy,
}


def fix():
    run("clang-format", "-i", *cpp())
    decisions.fix(ROOT, tracked())
    licence.fix(ROOT, tracked())
    monitoring.fix(ROOT)
    run("node", "console/contract.mjs")
    run("node", "sdk/types.mjs")
    run(PRETTIER, "--write", *pages())


def main(names):
    if names == ["--fix"]:
        return fix()
    result = {"passed": 0, "failed": [], "skipped": []}
    for name, check in CHECKS.items():
        if names and name not in names:
            continue
        began = time.monotonic()
        problems = check()
        print(f"{name}: {len(problems)} problems, {time.monotonic() - began:.1f} s", flush=True)
        for problem in problems:
            print(f"  {problem}")
        if problems:
            result["failed"].append(name)
        else:
            result["passed"] += 1
    output = ROOT / "build/test"
    output.mkdir(parents=True, exist_ok=True)
    (output / "lint.json").write_text(json.dumps(result))
    print(f"{result['passed']} passed, {len(result['failed'])} failed, 0 skipped")
    return 1 if result["failed"] else 0


if __name__ == "__main__":
    os.chdir(ROOT)
    sys.exit(main(sys.argv[1:]))
