# SPDX-License-Identifier: Apache-2.0
"""docs/asyncapi.yaml says what the program does: its topics are those of contract/topics.cpp, QoS and
retained messages those of the table in docs/protocol.md, and its messages name every example."""

import pathlib
import re

import yaml

DOCUMENT, PROTOCOL, TOPICS = "docs/asyncapi.yaml", "docs/protocol.md", "contract/topics.cpp"
BOX = "welcome/v1/{tenant}/{store}/{box}/"


def shape(topic):
    """A topic with every name in it the same, as the sources and documents call them differently."""
    topic = topic.replace("P/", BOX, 1) if topic.startswith("P/") else topic
    return re.sub(r"\{[^}]*\}", "{}", topic)


def topics_of_the_program(source):
    found = set()
    for leaf in re.findall(r"return box_topic\((?:box, )?\"([a-z/]+)\"", source):
        found.add(shape(BOX + leaf + ("{}" if leaf.endswith("/") else "")))  # the feed's collection
    # What it is about follows, or the account of a tablet and then that.
    for leaf, more in re.findall(r"return floor_topic\(\"([a-z]+)\", \w+\)((?:\.append\([^)]*\))*)", source):
        parts = re.findall(r"append\((?:\"([^\"]*)\"|\w+)\)", more)
        found.add(f"welcome/v1/floor/{leaf}/{{}}" + "".join(part or "{}" for part in parts))
    if 'append("/control")' in source:
        found.add("welcome/v1/{}/{}/control")
    return found


def retained_by_table(text):
    """Topic → whether it is retained, from the table of topics."""
    found = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if len(cells) == 4 and cells[0].startswith("`") and "/" in cells[0]:
            found[shape(re.search(r"`([^`]+)`", cells[0])[1])] = cells[2].startswith("yes")
    return found


def operations(document, name):
    return [(key, op) for key, op in document["operations"].items()
            if op["channel"]["$ref"] == f"#/channels/{name}"]


def tag(operation):
    return [one["name"] for one in operation.get("tags", [])]


def check_channel(document, name, channel, retained):
    problems = []
    found = operations(document, name)
    uplink = channel["servers"][0]["$ref"].endswith("uplink")
    who = {one for _, op in found for one in tag(op)}
    wanted = {"box", "crm"} if uplink else {"box"}
    if who != wanted:
        problems.append(f"channel {name}: operations of {sorted(who)}, expected {sorted(wanted)}")
    for key, op in found:
        mqtt = op.get("bindings", {}).get("mqtt", {})
        if mqtt.get("qos") != (0 if name == "ranging" else 1):
            problems.append(f"operation {key}: QoS {mqtt.get('qos')}")
        if mqtt.get("retain") is not retained:
            problems.append(f"operation {key}: retain {mqtt.get('retain')}, and {PROTOCOL} says {retained}")
    actions = {tag(op)[0]: op["action"] for _, op in found if len(tag(op)) == 1}
    if wanted == {"box", "crm"} and actions.get("box") == actions.get("crm"):
        problems.append(f"channel {name}: both sides {actions.get('box')}")
    return problems


def check_replies(document):
    problems = []
    for key, op in document["operations"].items():
        if op["channel"]["$ref"] != "#/channels/command":
            continue
        reply = op.get("reply", {})
        if reply.get("channel", {}).get("$ref") != "#/channels/response" or "address" not in reply:
            problems.append(f"operation {key}: says nothing of its reply")
    for name in ("command", "commandResponse"):
        if "correlationId" not in document["components"]["messages"][name]:
            problems.append(f"message {name}: says nothing of correlation data")
    for key in ("answerCommand", "sendEvent", "showPrompt", "tellStore"):
        mqtt = document["operations"].get(key, {}).get("bindings", {}).get("mqtt", {})
        if "messageExpiryInterval" not in mqtt:
            problems.append(f"operation {key}: says nothing of expiry")
    return problems


def check_examples(root, document):
    schemas = [path.stem for path in (root / "docs/schemas").glob("*.json")]
    problems, named = [], {}
    for name, message in document["components"]["messages"].items():
        schema = pathlib.PurePosixPath(message["payload"]["$ref"]).stem
        for example in message["examples"]:
            named[pathlib.PurePosixPath(example["payload"]["$ref"]).stem] = (name, schema)
    for path in sorted((root / "docs/examples").glob("*.json")):
        fits = [one for one in schemas if path.stem == one or path.stem.startswith(one + ".")]
        best = max(fits, key=len, default="")
        if best.startswith(("item.", "door.")):
            continue  # the value of an item, which a message has in a batch; what goes over HTTPS
        wanted = "event" if best.startswith("event.") else best
        if path.stem not in named:
            problems.append(f"docs/examples/{path.name} is of no message")
        elif named[path.stem][1] != wanted:
            problems.append(f"docs/examples/{path.name} is of the message {named[path.stem][0]}")
    return problems


def check(root):
    document = yaml.safe_load((root / DOCUMENT).read_text())
    program = topics_of_the_program((root / TOPICS).read_text())
    table = retained_by_table((root / PROTOCOL).read_text())
    channels = {shape(one["address"]): name for name, one in document["channels"].items()}
    problems = [f"{DOCUMENT}: no channel {topic}" for topic in sorted(program - set(channels))]
    problems += [f"{DOCUMENT}: {topic} is no topic of {TOPICS}" for topic in sorted(set(channels) - program)]
    problems += [f"{PROTOCOL}: the table has no {topic}" for topic in sorted(set(channels) - set(table))]
    for topic, name in channels.items():
        found = check_channel(document, name, document["channels"][name], table.get(topic, False))
        problems += [f"{DOCUMENT}: {problem}" for problem in found]
    problems += [f"{DOCUMENT}: {problem}" for problem in check_replies(document)]
    problems += [f"{DOCUMENT}: {problem}" for problem in check_examples(root, document)]
    return problems
