# SPDX-License-Identifier: Apache-2.0
"""Which include or link crosses a line of the architecture (arrows.txt), who asks a clock, who writes
JSON in the daemon so that a byte can end it, and whether the drawing of the rooms in
docs/architecture.md says the same."""

import fnmatch
import pathlib
import re

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
IMPURE_HEADERS = {
    "thread", "mutex", "shared_mutex", "condition_variable", "future", "atomic", "fstream",
    "iostream", "filesystem", "unistd.h", "fcntl.h", "ctime", "time.h", "sys/time.h",
}
ASKS_A_CLOCK = re.compile(
    r"(_clock|Clock)::now\b|\bclock_gettime\b|\bgettimeofday\b|\bstd::time\("
    r"|(?<![\w.>:])time\((nullptr|NULL|0)\)"
)


def read_table(path):
    rooms, fences, pure, clocks, section = {}, [], [], [], None
    for line in pathlib.Path(path).read_text().splitlines():
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        if line.startswith("["):
            section = line.strip("[]")
        elif section == "pure":
            pure.append(line)
        elif section == "clocks":
            clocks += line.split()
        else:
            left, right = line.rsplit(":", 1)
            if section == "fences":
                fences.append((left.split(), right.split()))
            else:
                rooms[left] = right.split()
    return rooms, fences, pure, clocks


DRAWING = "docs/architecture.md"


def check_drawing(root, rooms):
    """The flowchart that says `%% rooms`: what a room reaches along its arrows is what it may include."""
    blocks = re.findall(r"```mermaid\n(.*?)```", (root / DRAWING).read_text(), re.DOTALL)
    drawing = next((block for block in blocks if "%% rooms" in block), None)
    if drawing is None:
        return [f"{DRAWING}: no drawing of the rooms (a mermaid block with the line %% rooms)"]
    arrows = {room: set() for room in rooms}
    for line in drawing.splitlines():
        ends = [[room.strip() for room in end.split("&")] for end in line.split("-->")]
        for left, right in zip(ends, ends[1:]):
            for room in left:
                arrows.setdefault(room, set()).update(right)
    problems = [f"{DRAWING}: no room {room}" for room in arrows if room not in rooms]

    def reach(room, seen):
        for target in arrows.get(room, set()) - seen:
            seen.add(target)
            reach(target, seen)
        return seen

    for room, allowed in rooms.items():
        if room.startswith("tests/"):
            continue
        drawn = reach(room, set())
        for target in sorted(drawn ^ set(allowed)):
            what = "draws" if target in drawn else "does not draw"
            problems.append(f"{DRAWING}: {what} {room} --> {target}, which arrows.txt "
                            f"{'does not have' if target in drawn else 'has'}")
    return problems


def room_of(path, rooms):
    """The longest room that the path lies in; tests/unit/X is held to the rules of X."""
    parts = pathlib.PurePosixPath(path).parent.parts
    if parts[:2] == ("tests", "unit") and "/".join(parts) not in rooms:
        tested = "/".join(parts[2:])
        for room in (tested, f"firmware/{tested}"):
            if room in rooms:
                return room
        return None
    for length in range(len(parts), 0, -1):
        if "/".join(parts[:length]) in rooms:
            return "/".join(parts[:length])
    return None


def check_links(root, rooms):
    """A room's CMakeLists.txt links only the libraries of rooms that it may include."""
    problems = []
    libraries = {f"welcome_{room.split('/')[-1]}": room for room in rooms if not room.startswith("tests/")}
    for room, allowed in rooms.items():
        for number, line in enumerate((root / room / "CMakeLists.txt").read_text().splitlines(), 1):
            for word in re.findall(r"\bwelcome_\w+", line.split("#")[0]):
                home = libraries.get(word)
                if home and home != room and home not in allowed:
                    problems.append(f"{room}/CMakeLists.txt:{number}: {room} must not link {home}")
    return problems


def check(root, files):
    rooms, fences, pure, clocks = read_table(root / "tests/lint/arrows.txt")
    problems = check_links(root, rooms) + check_drawing(root, rooms)
    for file in files:
        room = room_of(file, rooms)
        is_test = file.startswith(("tests/", "bench/", "harness/"))
        for number, line in enumerate((root / file).read_text().splitlines(), 1):
            where = f"{file}:{number}"
            if not is_test and ASKS_A_CLOCK.search(line.split("//")[0]):
                if room in pure or not any(fnmatch.fnmatch(file, place) for place in clocks):
                    problems.append(f"{where}: asks a clock; time comes in as Now")
            if file.startswith(("firmware/daemon/", "firmware/engine/")) and ".dump(" in line:
                problems.append(f"{where}: a byte that is not UTF-8 throws; contract::dump does not")
            match = INCLUDE.match(line)
            if not match:
                continue
            quoted, target = match[1] == '"', match[2]
            # CMake makes a header from its .in.
            exists = any((root / f"{target}{suffix}").is_file() for suffix in ("", ".in"))
            if quoted and not exists:
                problems.append(f'{where}: "{target}" is not written from the root of the project')
            target_room = room_of(target, rooms) if quoted else None
            if room and target_room and target_room != room and target_room not in rooms[room]:
                problems.append(f"{where}: {room} must not include {target_room} ({target})")
            if room in pure and not is_test and target in IMPURE_HEADERS:
                problems.append(f"{where}: {room} is pure and must not include <{target}>")
            if quoted or is_test:
                continue
            for patterns, places in fences:
                if any(target.startswith(p) for p in patterns) and not any(
                    fnmatch.fnmatch(file, place) for place in places
                ):
                    problems.append(f"{where}: <{target}> belongs in {' '.join(places)} only")
    return problems
