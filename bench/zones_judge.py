#!/usr/bin/env python3
"""Judges `welcome-eval zones` on the public corridor recording (docs/evaluation-beacon.md).

    zones_judge.py WELCOME_EVAL UOG_TRAIN_FOLDER [--thin 0.33] [--half first|second|all]

Makes boxes.csv and ranging.csv for eight cuts of the corridor into zones and two replays, walking
(1 m/s) and nearly still, and prints per cut: the share of seconds with the right fast zone walking,
with the right settled zone nearly still, and the needless changes per hour. `--half` takes the first
or the second half of the time at each point; `--thin` leaves out reports at random.
"""

import argparse
import bisect
import json
import lzma
import os
import random
import subprocess
import sys
import tempfile

LOOK_GAP_MS = 3000  # longer pauses of the recording are closed
WALK_MS_PER_POINT = 200  # points are two decimetres apart
WALKS = 24


def load(folder):
    with open(os.path.join(folder, "beacons.csv")) as lines:
        next(lines)
        rows = [line.split(",") for line in lines]
    along = lambda x, y: x if x > y else -y  # the L, stretched out
    boxes = sorted((along(float(r[1]), float(r[2])), r[0]) for r in rows)
    points = {}
    with lzma.open(os.path.join(folder, "train.csv.xz"), "rt") as lines:
        next(lines)
        for line in lines:
            x, y, t, beacon, rssi = line.split(",")
            x, y = float(x), float(y)
            points.setdefault(x if x > 0 else -y, []).append((int(t), beacon, int(rssi)))
    out = []
    for place in sorted(points):
        reports = sorted(points[place], key=lambda r: r[0])
        closed, shift, before = [], 0, reports[0][0]
        for t, beacon, rssi in reports:
            shift += max(0, t - before - LOOK_GAP_MS)
            before = t
            closed.append((t - reports[0][0] - shift, beacon, rssi))
        out.append((place, closed))
    return boxes, out


def cuts(boxes):
    first, last, n = boxes[0][0], boxes[-1][0], len(boxes)
    for size in (2, 3, 4, 5):
        pieces = -(-n // size)
        yield f"{pieces} zones of {size} boxes", [min(i // size, pieces - 1) for i in range(n)]
    for pieces in (4, 5, 6, 7):
        yield f"{pieces} zones of equal length", [
            min(pieces - 1, int((place - first) / (last - first) * pieces)) for place, _ in boxes
        ]


def window(reports, half):
    length = reports[-1][0]
    return {"first": (0, length // 2), "second": (length // 2, length), "all": (0, length)}[half]


def walk(points, half, dice, backwards):
    t, rows, where = 0, [], []
    order = list(range(len(points)))
    for i in reversed(order) if backwards else order:
        low, high = window(points[i][1], half)
        start = low + (dice.randrange(high - low - WALK_MS_PER_POINT) if high - low > WALK_MS_PER_POINT else 0)
        rows += [(t + at - start, b, r) for at, b, r in points[i][1] if start <= at < start + WALK_MS_PER_POINT]
        where.append((t, i))
        t += WALK_MS_PER_POINT
    return rows, where, t


def still(points, half):
    t, rows, where = 0, [], []
    for i, (_, reports) in enumerate(points):
        low, high = window(reports, half)
        rows += [(t + at - low, b, r) for at, b, r in reports if low <= at < high]
        where.append((t, i))
        t += high - low
    return rows, where, t


def judge(program, folder, replays, zone_of):
    """Right seconds of fast and settled, seconds, changes of settled, true changes."""
    with open(os.path.join(folder, "ranging.csv"), "w") as out:
        for name, (rows, _, _) in replays.items():
            out.writelines(f"{t},{b},{name},{r}\n" for t, b, r in rows)
    run = subprocess.run(
        [program, "zones", "--ranging", os.path.join(folder, "ranging.csv"), "--boxes", os.path.join(folder, "boxes.csv")],
        check=True, capture_output=True, text=True)
    said = {name: [] for name in replays}
    for line in run.stdout.splitlines():
        word = json.loads(line)
        said[word["customer"]].append((word["t_ms"], word["fast"], word["zone"]))
    total = [0, 0, 0, 0, 0]
    for name, (_, where, end) in replays.items():
        times, starts = [w[0] for w in said[name]], [w[0] for w in where]
        before = None
        for second in range(1000, end, 1000):
            truth = zone_of[where[bisect.bisect_right(starts, second) - 1][1]]
            word = bisect.bisect_left(times, second) - 1
            total[0] += word >= 0 and said[name][word][1] == truth
            total[1] += word >= 0 and said[name][word][2] == truth
            total[2] += 1
            total[4] += before is not None and truth != before
            before = truth
        zones = [w[2] for w in said[name]]
        total[3] += sum(a != b for a, b in zip(zones, zones[1:]))
    return total


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("program")
    options.add_argument("folder")
    options.add_argument("--thin", type=float, default=1.0)
    options.add_argument("--half", choices=["first", "second", "all"], default="all")
    options = options.parse_args()
    boxes, points = load(options.folder)
    dice = random.Random(1)
    nearest = [min(range(len(boxes)), key=lambda b: abs(boxes[b][0] - place)) for place, _ in points]
    walks = {f"w{i}": walk(points, options.half, dice, i % 2 == 1) for i in range(WALKS)}
    quiet = {"s": still(points, options.half)}
    if options.thin < 1:
        for replays in (walks, quiet):
            for name, (rows, where, end) in replays.items():
                replays[name] = ([r for r in rows if dice.random() < options.thin], where, end)
    print("zones | fast, walking | settled, nearly still | needless changes per hour")
    with tempfile.TemporaryDirectory() as folder:
        for name, zones in cuts(boxes):
            with open(os.path.join(folder, "boxes.csv"), "w") as out:
                out.writelines(f"{box},z{zone}\n" for (_, box), zone in zip(boxes, zones))
            zone_of = [f"z{zones[b]}" for b in nearest]
            fast = judge(options.program, folder, walks, zone_of)
            settled = judge(options.program, folder, quiet, zone_of)
            needless = max(0, settled[3] - settled[4]) / (settled[2] / 3600)
            print(f"{name} | {fast[0] / fast[2]:.3f} | {settled[1] / settled[2]:.3f} | {needless:.2f}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
