# SPDX-License-Identifier: Apache-2.0
"""The contract's files can be read, and every reference in them leads somewhere."""

import json
import pathlib

import yaml


def references(node):
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref" and isinstance(value, str):
                yield value
            else:
                yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def resolve(document, pointer):
    for part in pointer.strip("/").split("/") if pointer.strip("/") else []:
        part = part.replace("~1", "/").replace("~0", "~")
        document = document[int(part)] if isinstance(document, list) else document[part]
    return document


def check(root, files):
    problems, documents = [], {}
    for file in files:
        if not file.startswith("docs/") or not file.endswith((".json", ".yaml", ".yml")):
            continue
        try:
            text = (root / file).read_text()
            documents[file] = json.loads(text) if file.endswith(".json") else yaml.safe_load(text)
        except (ValueError, yaml.YAMLError) as error:
            problems.append(f"{file}: {error}")
    ids = {d["$id"]: f for f, d in documents.items() if isinstance(d, dict) and "$id" in d}
    for file, document in documents.items():
        for reference in references(document):
            target, _, pointer = reference.partition("#")
            name = file if not target else ids.get(target) or str(
                pathlib.PurePosixPath(file).parent / target
            )
            name = str((root / name).resolve().relative_to(root))
            try:
                resolve(documents[name], pointer)
            except (KeyError, IndexError, ValueError, TypeError):
                problems.append(f"{file}: {reference} leads nowhere")
    return problems
