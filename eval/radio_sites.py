# SPDX-License-Identifier: Apache-2.0
"""The recordings and the simulated shops by which zones are judged (eval/report): what each box heard,
and which box was the nearest. All chance is seeded."""

import csv
import datetime
import lzma
import math
import os
import random

LOOK_GAP_MS = 3000  # longer pauses of a recording are closed
STILL_MS = 36_000  # at each point of the corridor


class Recording:
    """rows: (t_ms, box, rssi); where: (t_ms from, nearest box), both by time."""

    def __init__(self, rows, where, end):
        self.rows, self.where, self.end = rows, where, end


class Site:
    """zonings: (name, {box: zone}); walking: which of the product's two zones is judged."""

    def __init__(self, name, walking, recordings, zonings):
        self.name, self.walking, self.recordings, self.zonings = name, walking, recordings, zonings


# ---- the corridor: 15 boxes on 43 m + 12 m, a phone at 276 points ----


def corridor(folder):
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
        near = min(boxes, key=lambda b: abs(b[0] - place))[1]
        out.append((near, closed))
    return boxes, out


def corridor_cuts(boxes):
    first, last, n = boxes[0][0], boxes[-1][0], len(boxes)
    for size in (2, 3, 4, 5):
        pieces = -(-n // size)
        yield f"{pieces} zones of {size} boxes", {b: min(i // size, pieces - 1) for i, (_, b) in enumerate(boxes)}
    for pieces in (4, 5, 6, 7):
        yield f"{pieces} zones of equal length", {
            b: min(pieces - 1, int((place - first) / (last - first) * pieces)) for place, b in boxes
        }


def corridor_walk(points, ms_per_point, dice, backwards):
    t, rows, where = 0, [], []
    for near, reports in reversed(points) if backwards else points:
        length = reports[-1][0]
        start = dice.randrange(length - ms_per_point) if length > ms_per_point else 0
        rows += [(t + at - start, b, r) for at, b, r in reports if start <= at < start + ms_per_point]
        where.append((t, near))
        t += ms_per_point
    return Recording(rows, where, t)


def corridor_still(points):
    t, rows, where = 0, [], []
    for near, reports in points:
        rows += [(t + at, b, r) for at, b, r in reports if at < STILL_MS]
        where.append((t, near))
        t += min(STILL_MS, reports[-1][0])
    return Recording(rows, where, t)


def thinned(recording, share, dice):
    return Recording([r for r in recording.rows if dice.random() < share], recording.where, recording.end)


def jolted(recording, dice, white_db=6.0, slow_db=4.0, slow_ms=3000.0):
    """The same with the phone in the hand of somebody who turns: noise on each reading and a slow
    one on each box."""
    slow, rows = {}, []
    for t, box, rssi in recording.rows:
        before, value = slow.get(box, (t, dice.gauss(0, slow_db)))
        f = math.exp((before - t) / slow_ms)
        value = value * f + slow_db * math.sqrt(1 - f * f) * dice.gauss(0, 1)
        slow[box] = (t, value)
        rows.append((t, box, max(-110, min(0, round(rssi + value + dice.gauss(0, white_db))))))
    return Recording(rows, recording.where, recording.end)


def corridor_sites(folder):
    boxes, points = corridor(folder)
    cuts = list(corridor_cuts(boxes))
    dice = random.Random(1)
    walks = [corridor_walk(points, 200, dice, i % 2 == 1) for i in range(24)]
    slow = [corridor_walk(points, 400, dice, i % 2 == 1) for i in range(12)]
    still = corridor_still(points)
    yield Site("corridor, 1 m/s", True, walks, cuts)
    yield Site("corridor, 0.5 m/s", True, slow, cuts)
    yield Site("corridor, 1 m/s, a third of the reports", True, [thinned(w, 0.33, dice) for w in walks], cuts)
    yield Site("corridor, 1 m/s, in the hand", True, [jolted(w, dice) for w in walks], cuts)
    yield Site("corridor, nearly still", False, [still], cuts)
    yield Site("corridor, nearly still, a third of the reports", False, [thinned(still, 0.33, dice)], cuts)
    yield Site("corridor, nearly still, in the hand", False, [jolted(still, dice)], cuts)


# ---- the library: 13 boxes, readings at labelled places every few seconds ----

# Column and row of each beacon on the map of the data set, in the labels' own coordinates.
LIBRARY = {
    "b3001": (5, 9), "b3002": (9, 4), "b3003": (13, 4), "b3004": (18, 4), "b3005": (9, 7), "b3006": (13, 7),
    "b3007": (18, 7), "b3008": (9, 10), "b3009": (2, 15), "b3010": (9, 15), "b3011": (13, 15), "b3012": (18, 15),
    "b3013": (22, 15),
}  # fmt: skip


def library_sites(folder):
    seen = []
    with open(os.path.join(folder, "iBeacon_RSSI_Labeled.csv"), newline="") as lines:
        for row in csv.DictReader(lines):
            at = datetime.datetime.strptime(row["date"].strip() + " +0000", "%m-%d-%Y %H:%M:%S %z")
            x, y = ord(row["location"][0]) - 64, int(row["location"][1:])
            near = min(LIBRARY, key=lambda b: (LIBRARY[b][0] - x) ** 2 + (LIBRARY[b][1] - y) ** 2)
            heard = [(b, int(row[b])) for b in LIBRARY if int(row[b]) > -200]
            seen.append((int(at.timestamp() * 1000), near, heard))
    seen.sort(key=lambda s: s[0])
    rows, where, t, before = [], [], 0, None
    for at, near, heard in seen:
        t += min(at - before, 5000) if before is not None else 0
        before = at
        rows += [(t, b, r) for b, r in heard]
        where.append((t, near))
    recording = Recording(rows, where, t + 1000)
    columns = {b: sum(x > edge for edge in (7, 11, 15, 20)) for b, (x, _) in LIBRARY.items()}
    cuts = [("5 columns of shelves", columns), ("13 boxes", {b: i for i, b in enumerate(LIBRARY)})]
    yield Site("library, a reading every 2 s", True, [recording], cuts)
    yield Site("library, a reading every 2 s", False, [recording], cuts)


# ---- two phones 3 to 15 feet apart, in 13 ways of carrying them ----


def pockets(folder):
    """(carried, angle) to range to (t_s, rssi)."""
    out = {}
    with lzma.open(os.path.join(folder, "mit_matrix_rssi.csv.xz"), "rt") as lines:
        next(lines)
        for line in lines:
            carried, feet, angle, t, rssi = line.split(",")
            out.setdefault((carried, angle), {}).setdefault(int(float(feet)), []).append((float(t), int(rssi)))
    return out


def pockets_sites(folder):
    """Two boxes 18 feet apart: who is `f` feet from one is 18 - f from the other."""
    series = pockets(folder)
    keys = sorted(k for k in series if len(series[k]) >= 6)
    dice = random.Random(5)
    for walking, stay_ms in ((True, 1200), (False, 9800)):
        recordings = []
        for i, key in enumerate(keys):
            near, far = series[key], series[keys[(i + 1) % len(keys)]]
            t, rows, where = 0, [], []
            there = sorted(near)
            for feet in (there + there[::-1]) * 2:
                other = min(far, key=lambda f: abs(f - (18 - feet)))
                if other == feet:
                    continue
                for box, readings in (("one", near[feet]), ("two", far[other])):
                    length = (readings[-1][0] - readings[0][0]) * 1000
                    start = dice.uniform(0, length - stay_ms) if length > stay_ms else 0
                    for at, rssi in readings:
                        ms = (at - readings[0][0]) * 1000 - start
                        if 0 <= ms < stay_ms:
                            rows.append((int(t + ms), box, rssi))
                where.append((t, "one" if feet < other else "two"))
                t += stay_ms
            rows.sort(key=lambda r: r[0])
            recordings.append(Recording(rows, where, t))
        yield Site(f"pockets, two boxes, {stay_ms / 1000} s at each place", walking, recordings, [("2 zones of 1 box", {"one": 0, "two": 1})])


# ---- shops that never were ----


def shop(seed, spacing, per_zone, zones, path_loss, shadow_db, body_db, rate, pauses, minutes):
    """Log-distance path loss, shadowing by plane waves of 3 to 10 m, a body that takes up to `body_db`
    behind it, three channels that fade each in its own way (ten plane waves of 12.5 cm and a direct
    one), 1 dB of noise, a tenth of the adverts lost."""
    dice = random.Random(seed)
    n, wide = per_zone * zones, 6.0
    length = spacing * n
    place = [((i + 0.5) * spacing, wide * (0.8 if i % 2 else 0.2)) for i in range(n)]
    wave = lambda low, high: (2 * math.pi / dice.uniform(low, high), dice.uniform(0, 2 * math.pi), dice.uniform(0, 2 * math.pi))
    flat = lambda waves: [(k * math.cos(a), k * math.sin(a), p) for k, a, p in waves]
    gain = [dice.gauss(0, 1.5) for _ in range(n)]
    shadow = [flat(wave(3, 10) for _ in range(12)) for _ in range(n)]
    fading = [[flat(wave(0.125, 0.125) for _ in range(10)) for _ in range(3)] for _ in range(n)]
    x, y, heading, wait, sway = dice.uniform(0, length), dice.uniform(0, wide), 0.0, 0.0, 0.0
    goal, t, step = (x, y), 0.0, 0.02
    next_advert, near_before, rows, where = 0.0, None, [], []
    while t < minutes * 60:
        t += step
        if wait > 0:
            wait -= step
            sway += step
            if wait <= 0:
                goal = dice.uniform(0, length), dice.uniform(0, wide)
        else:
            dx, dy = goal[0] - x, goal[1] - y
            away = math.hypot(dx, dy)
            if away < step:
                wait = dice.uniform(5, 65) if pauses else step
            else:
                x, y, heading = x + dx / away * step, y + dy / away * step, math.atan2(dy, dx)
        if t < next_advert:
            continue
        next_advert = t + dice.uniform(0.9, 1.1) / rate
        near = min(range(n), key=lambda b: (place[b][0] - x) ** 2 + (place[b][1] - y) ** 2)
        if near != near_before:
            where.append((int(t * 1000), f"b{near}"))
            near_before = near
        hx, hy = x + 0.03 * math.sin(0.7 * sway), y + 0.03 * math.cos(0.9 * sway)
        for b in range(n):
            if dice.random() < 0.1:
                continue
            dx, dy = place[b][0] - x, place[b][1] - y
            db = -59 + gain[b] - 10 * path_loss * math.log10(max(0.3, math.sqrt(dx * dx + dy * dy + 2.25)))
            db += sum(shadow_db * math.sqrt(2 / 12) * math.cos(kx * x + ky * y + p) for kx, ky, p in shadow[b])
            db -= body_db * (1 - math.cos(math.atan2(dy, dx) - heading)) / 2
            re, im = 1.2, 0.0
            for kx, ky, p in fading[b][dice.randrange(3)]:
                re += math.cos(kx * hx + ky * hy + p) / math.sqrt(10)
                im += math.sin(kx * hx + ky * hy + p) / math.sqrt(10)
            db += 10 * math.log10((re * re + im * im) / 2.44 + 1e-4) + dice.gauss(0, 1)
            if db > -96 + 2 * dice.gauss(0, 1):
                rows.append((int(t * 1000), f"b{b}", round(db)))
    cut = f"{zones} zones of {per_zone} box{'es' if per_zone > 1 else ''}"
    return Recording(rows, where, int(minutes * 60000)), (cut, {f"b{b}": b // per_zone for b in range(n)})


def shop_sites():
    shops = ((3, 2, 4, 2.0, 3, 6), (4, 1, 4, 2.2, 3, 8), (5, 2, 3, 2.5, 4, 10), (8, 3, 2, 3.0, 4, 6), (10, 1, 3, 2.2, 4, 10))
    seed = 0
    for rate in (0.5, 2, 8, 30):
        for walking in (True, False):
            for spacing, per_zone, zones, path_loss, shadow_db, body_db in shops:
                seed += 1
                recording, cut = shop(seed, spacing, per_zone, zones, path_loss, shadow_db, body_db, rate, not walking, 10)
                name = f"shop, a box every {spacing} m, {rate} adverts/s, {'walking' if walking else 'with pauses'}"
                yield Site(name, walking, [recording], [cut])
