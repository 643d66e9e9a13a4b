# SPDX-License-Identifier: Apache-2.0
"""Alerts and dashboard ask for metrics that there are, each alert is tried out, and the dashboard is the one that is
made."""

import importlib.util
import json
import re
import subprocess
import tempfile

import yaml

FOLDER = "packaging/monitoring"
# Of others: of Prometheus itself, and of node_exporter.
FOREIGN = {"node_textfile_mtime_seconds"}
CALLED = re.compile(r"\bwelcome(?:d|_crm)_[a-z0-9_]+\b|\bnode_[a-z0-9_]+\b")


def made(root):
    spec = importlib.util.spec_from_file_location("dashboard", root / FOLDER / "dashboard.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.text()


def documented(root):
    """The names of samples, and the labels that are named as their metric."""
    names = set()
    for name, kind in re.findall(r"^\| `(welcome(?:d|_crm)\w*)(?:\{[^}]*\})?` \| (\w+)", (root / "docs/metrics.md").read_text(), re.M):
        names |= {f"{name}_bucket", f"{name}_sum", f"{name}_count"} if kind == "histogram" else {name}
    return names


def asked(root):
    """(where, question) of every rule and panel."""
    for group in yaml.safe_load((root / FOLDER / "alerts.yml").read_text())["groups"]:
        for rule in group["rules"]:
            yield f"alerts.yml, {rule['alert']}", rule["expr"]
    for panel in json.loads((root / FOLDER / "dashboard.json").read_text())["panels"]:
        for target in panel.get("targets", []):
            yield f"dashboard.json, {panel['title']}", target["expr"]


def promtool(root, *words):
    try:
        result = subprocess.run(["promtool", *words], cwd=root / FOLDER, capture_output=True, text=True)
    except FileNotFoundError:
        return ["promtool is not installed: ./dev setup"]
    return [] if result.returncode == 0 else (result.stdout + result.stderr).splitlines()


def questions(root):
    """Each one of the dashboard is PromQL: as a rule, promtool reads it."""
    rules = [{"record": "asked", "expr": question.replace("$box", ".*")} for _, question in asked(root)]
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
        yaml.safe_dump({"groups": [{"name": "g", "rules": [
            {**rule, "labels": {"n": str(n)}} for n, rule in enumerate(rules)]}]}, file)
        file.flush()
        return promtool(root, "check", "rules", file.name)


def tried(root):
    """Alerts of which a case says that they fire."""
    return set(re.findall(r'alertname="(\w+)"', (root / FOLDER / "alerts_test.yml").read_text()))


def check(root):
    problems = promtool(root, "check", "rules", "alerts.yml") + promtool(root, "test", "rules", "alerts_test.yml")
    if (root / FOLDER / "dashboard.json").read_text() != made(root):
        problems.append(f"{FOLDER}/dashboard.json is not what dashboard.py makes; run.py --fix writes it")
    problems += questions(root)
    known = documented(root) | FOREIGN
    for where, question in asked(root):
        for name in sorted(set(CALLED.findall(question)) - known):
            problems.append(f"{FOLDER}/{where}: there is no metric {name}")
    for group in yaml.safe_load((root / FOLDER / "alerts.yml").read_text())["groups"]:
        for rule in group["rules"]:
            if rule["alert"] not in tried(root):
                problems.append(f"{FOLDER}/alerts_test.yml: no case in which {rule['alert']} fires")
            said = rule.get("annotations", {})
            if not said.get("summary") or not said.get("action") or "severity" not in rule.get("labels", {}):
                problems.append(f"{FOLDER}/alerts.yml: {rule['alert']} lacks summary, action or severity")
    return problems


def fix(root):
    (root / FOLDER / "dashboard.json").write_text(made(root))
