"""Which include or link crosses a line of the architecture (arrows.txt)."""

import fnmatch
import pathlib
import re

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
IMPURE_HEADERS = {
    "thread", "mutex", "shared_mutex", "condition_variable", "future", "atomic", "fstream",
    "iostream", "filesystem", "unistd.h", "fcntl.h", "ctime", "time.h", "sys/time.h",
}
IMPURE_WORDS = re.compile(r"_clock::now\b|\bclock_gettime\b|\bgettimeofday\b|\btime\(nullptr\)")


def read_table(path):
    rooms, fences, pure, section = {}, [], [], None
    for line in pathlib.Path(path).read_text().splitlines():
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        if line.startswith("["):
            section = line.strip("[]")
        elif section == "pure":
            pure.append(line)
        else:
            left, right = line.rsplit(":", 1)
            if section == "fences":
                fences.append((left.split(), right.split()))
            else:
                rooms[left] = right.split()
    return rooms, fences, pure


def room_of(path, rooms):
    """The longest room that the path lies in; tests/unit/X is held to the rules of X."""
    parts = pathlib.PurePosixPath(path).parent.parts
    if parts[:2] == ("tests", "unit"):
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
    libraries = {f"welcome_{room.split('/')[-1]}": room for room in rooms}
    for room, allowed in rooms.items():
        for number, line in enumerate((root / room / "CMakeLists.txt").read_text().splitlines(), 1):
            for word in re.findall(r"\bwelcome_\w+", line.split("#")[0]):
                home = libraries.get(word)
                if home and home != room and home not in allowed:
                    problems.append(f"{room}/CMakeLists.txt:{number}: {room} must not link {home}")
    return problems


def check(root, files):
    rooms, fences, pure = read_table(root / "tests/lint/arrows.txt")
    problems = check_links(root, rooms)
    for file in files:
        room = room_of(file, rooms)
        is_test = file.startswith(("tests/", "bench/", "harness/"))
        for number, line in enumerate((root / file).read_text().splitlines(), 1):
            where = f"{file}:{number}"
            if room in pure and not is_test and IMPURE_WORDS.search(line.split("//")[0]):
                problems.append(f"{where}: {room} asks a clock; time comes in as Now")
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
