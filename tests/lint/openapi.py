# SPDX-License-Identifier: Apache-2.0
"""docs/openapi.yaml and crm/door say the same: every route is documented, and every documented route is there;
who may ask without a session is the same; and its references lead somewhere."""

import json
import re

import yaml

DOCUMENT, ROUTES = "docs/openapi.yaml", "crm/door/door.cpp"
VERBS = {"get", "post", "put", "patch", "delete"}


def references(node):
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def place(node, pointer):
    """What a JSON pointer leads to; nothing where it leads nowhere."""
    for name in filter(None, pointer.split("/")):
        node = node.get(name, {})
    return node


def check(root):
    document = yaml.safe_load((root / DOCUMENT).read_text())
    routes = re.findall(r'\{"([A-Z]+)", "(/v1/[^"]*)", Who::(\w+),', (root / ROUTES).read_text())
    program = {(method, path): who in ("anybody", "box") for method, path, who in routes}
    written = {
        (verb.upper(), path): operation.get("security") == []
        for path, item in document["paths"].items()
        for verb, operation in item.items()
        if verb in VERBS
    }
    problems = [f"{ROUTES}: no routes found"] if not program else []
    problems += [f"{DOCUMENT}: {m} {p} is not described" for m, p in sorted(program.keys() - written.keys())]
    problems += [f"{DOCUMENT}: {ROUTES} has no {m} {p}" for m, p in sorted(written.keys() - program.keys())]
    for route in sorted(program.keys() & written.keys()):
        if program[route] != written[route]:
            problems.append(f"{DOCUMENT}: {' '.join(route)}: who may ask is not what {ROUTES} says")
    for reference in set(references(document)):
        name, _, pointer = reference.partition("#")
        file = root / "docs" / name
        if name and not file.exists():
            problems.append(f"{DOCUMENT}: there is no {reference}")
        elif not place(json.loads(file.read_text()) if name else document, pointer):
            problems.append(f"{DOCUMENT}: there is no {reference}")
    return problems
