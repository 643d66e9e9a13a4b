# SPDX-License-Identifier: Apache-2.0
"""Judges the radio for eval/report: is an honest phone ever taken for a copy, and is she in the right
zone? Every recording is turned into ranging.csv and boxes.csv and goes through `welcome-eval zones`,
which runs the product's Tracker, a box each. Once a second the last zone said counts. Beside it
stands the simplest rule: the zone of the box with the strongest mean of the last 2 s.

Each part gives rows (dicts that JSON can hold); the functions below `# ---- tables` write them."""

import bisect
import json
import math
import os
import subprocess
import tempfile

import radio_sites as sites

PLAIN_MS = 2000
FIRST_S = 3  # until then a box listens whether another one knows the customer already
BLOCK_S = 30  # neighbouring seconds are not independent: the error of a difference goes by blocks


def write_zones(folder, recordings, zones):
    with open(os.path.join(folder, "ranging.csv"), "w") as out:
        for i, recording in enumerate(recordings):
            out.writelines(f"{t},{b},c{i},{r}\n" for t, b, r in recording.rows)
    with open(os.path.join(folder, "boxes.csv"), "w") as out:
        out.writelines(f"{box},z{zone}\n" for box, zone in zones.items())


def run_zones(program, folder, count, *options):
    """What the program said by recording, and how many copies it found."""
    files = ("--ranging", os.path.join(folder, "ranging.csv"), "--boxes", os.path.join(folder, "boxes.csv"))
    run = subprocess.run([program, "zones", *files, *options], check=True, capture_output=True, text=True)
    said = [[] for _ in range(count)]
    for line in run.stdout.splitlines():
        word = json.loads(line)
        said[int(word["customer"][1:])].append((word["t_ms"], word["fast"], word["zone"]))
    return said, int(run.stderr.split(" copies found")[0].split()[-1])


def plain(recording, zones):
    """Second to zone of the box with the strongest mean of 2 s."""
    out, total, count, head, tail, zone = [], {}, {}, 0, 0, None
    rows = recording.rows
    for second in range(1000, recording.end, 1000):
        while head < len(rows) and rows[head][0] <= second:
            _, box, rssi = rows[head]
            total[box], count[box] = total.get(box, 0) + rssi, count.get(box, 0) + 1
            head += 1
        while tail < head and rows[tail][0] <= second - PLAIN_MS:
            _, box, rssi = rows[tail]
            total[box], count[box] = total[box] - rssi, count[box] - 1
            tail += 1
        heard = [box for box in count if count[box] > 0]
        if heard:
            zone = f"z{zones[max(heard, key=lambda b: total[b] / count[b])]}"
        out.append(zone)
    return out


class Score:
    def __init__(self):
        self.seconds = self.fast = self.settled = self.plain = self.changes = self.true = 0
        self.blocks = []  # fast against plain, right seconds

    def add(self, recording, said, zones, simple):
        times, starts = [w[0] for w in said], [w[0] for w in recording.where]
        before = None
        for i, second in enumerate(range(1000, recording.end, 1000)):
            at = bisect.bisect_right(starts, second) - 1
            if at < 0 or second < FIRST_S * 1000:
                continue
            truth = f"z{zones[recording.where[at][1]]}"
            word = bisect.bisect_right(times, second) - 1
            fast = word >= 0 and said[word][1] == truth
            self.fast += fast
            self.settled += word >= 0 and said[word][2] == truth
            self.plain += simple[i] == truth
            if i % BLOCK_S == 0 or second == FIRST_S * 1000:
                self.blocks.append(0)
            self.blocks[-1] += fast - (simple[i] == truth)
            self.seconds += 1
            self.true += before is not None and truth != before
            before = truth
        settled = [w[2] for w in said]
        self.changes += sum(a != b for a, b in zip(settled, settled[1:]))

    def row(self):
        """Shares of the seconds; `error`: the standard error of fast - plain."""
        n = len(self.blocks)
        mean = sum(self.blocks) / n
        spread = sum((b - mean) ** 2 for b in self.blocks) * n / max(1, n - 1)
        return {
            "seconds": self.seconds,
            "plain": self.plain / self.seconds,
            "fast": self.fast / self.seconds,
            "settled": self.settled / self.seconds,
            "error": math.sqrt(spread) / self.seconds,
            "changes": self.changes,
            "true": self.true,
        }


def written(of, say):
    """Each zoning of each site in turn, as files that welcome-eval reads: folder, site, cut, zones."""
    with tempfile.TemporaryDirectory() as folder:
        for site in of:
            for cut, zones in site.zonings:
                say(f"{site.name}, {cut}")
                write_zones(folder, site.recordings, zones)
                yield folder, site, cut, zones


def zones_of(program, of, say):
    rows = []
    for folder, site, cut, zones in written(of, say):
        said, copies = run_zones(program, folder, len(site.recordings))
        score = Score()
        for recording, words in zip(site.recordings, said):
            score.add(recording, words, zones, plain(recording, zones))
        fewest = min(list(zones.values()).count(zone) for zone in zones.values())
        rows.append({"site": site.name, "walking": site.walking, "cut": cut, "boxes": fewest,
                     **score.row(), "copies": copies})
    return rows


def ceiling(folder):
    """What nobody can beat on the corridor: the zone of the box that is strongest over all that was
    recorded at a point, about a minute."""
    boxes, points = sites.corridor(folder)
    strongest = []
    for near, reports in points:
        levels = {}
        for _, box, rssi in reports:
            levels.setdefault(box, []).append(rssi)
        strongest.append((near, max(levels, key=lambda b: sum(levels[b]) / len(levels[b]))))
    return {cut: sum(zones[a] == zones[b] for a, b in strongest) / len(strongest)
            for cut, zones in sites.corridor_cuts(boxes)}


MEMORIES_MS = (400, 600, 800, 1000, 1200)


def by_memory(program, of, say):
    """fast - plain of each walk by the memory of *fast*, the other constants as they are."""
    rows = []
    for folder, site, _, zones in written(of, say):
        simple = [plain(recording, zones) for recording in site.recordings]
        gains = []
        for memory in MEMORIES_MS:
            said, _ = run_zones(program, folder, len(site.recordings), "--fast-memory", str(memory))
            score = Score()
            for recording, words, rule in zip(site.recordings, said, simple):
                score.add(recording, words, zones, rule)
            gains.append((score.fast - score.plain) / score.seconds)
        rows.append({"site": site.name.split(",")[0], "gains": gains})
    return rows


def copies(program, data, say):
    """False refusals: every series of one phone or beacon, as one box hears it."""
    rows = []
    rssi = os.path.join(data, "ble", "rssi")
    series = {
        "pockets, each way of carrying and each angle": [
            sorted(r for feet in ranges.values() for r in feet)
            for ranges in sites.pockets(os.path.join(rssi, "mit_matrix")).values()
        ],
    }
    by_beacon = {}
    for i, (_, reports) in enumerate(sites.corridor(os.path.join(rssi, "uog_train"))[1]):
        for t, beacon, level in reports:
            by_beacon.setdefault((i, beacon), []).append((t / 1000, level))
    series["corridor, each beacon at each point"] = list(by_beacon.values())
    with tempfile.TemporaryDirectory() as folder:
        for name, all_of_them in series.items():
            say(name)
            recordings, seconds = [], 0.0
            for readings in all_of_them:
                closed, t, before = [], 0.0, readings[0][0]
                for at, level in readings:
                    t += min(at - before, 3.0)
                    before = at
                    closed.append((round(t * 1000), "b", level))
                seconds += t
                recordings.append(sites.Recording(closed, [], 0))
            write_zones(folder, recordings, {"b": 0})
            _, found = run_zones(program, folder, len(recordings))
            rows.append({"what": name, "series": len(recordings), "hours": seconds / 3600, "copies": found})
    captures = os.path.join(data, "ble", "captures")
    files = sorted(os.path.join(captures, f) for f in os.listdir(captures) if f.endswith(".btsnoop"))
    say("captures")
    run = subprocess.run([program, "copies", *files], check=True, capture_output=True, text=True)
    for word in map(json.loads, run.stdout.splitlines()):
        if word["identities"] > 0:
            name = os.path.basename(word["file"]).removesuffix(".btsnoop")
            rows.append({"what": f"capture {name}", "series": word["identities"], "hours": word["hours"],
                         "copies": word["copies"]})
    return rows


def copies_simulated(test_program, say):
    """What the unit tests count: honest phones that never were, and real copies."""
    rows = []
    for name in ("NoHonestPhoneIsEverOneInThreeThousandHours", "ARealOneIsFoundWithinAMinute"):
        say(f"Copies.{name}")
        with tempfile.NamedTemporaryFile(suffix=".json") as out:
            subprocess.run([test_program, f"--gtest_filter=Copies.{name}", f"--gtest_output=json:{out.name}"],
                           check=True, capture_output=True, text=True)
            rows.append(json.load(out)["testsuites"][0]["testsuite"][0])
    honest, real = rows
    return {"hours": int(honest["hours"]), "refused": int(honest["refused"]),
            "tries": int(real["tries"]), "found": int(real["found"]), "longest_s": float(real["longest_s"])}


# ---- tables ----


def share(value):
    return f"{value:.3f}"


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows])


def copies_table(result):
    rows = [(r["what"], r["series"], f"{r['hours']:.2f}" if r["hours"] < 1 else f"{r['hours']:.1f}", r["copies"])
            for r in result["recorded"]]
    made = result["simulated"]
    rows.append(("honest phones, simulated", made["hours"] // 30, made["hours"], made["refused"]))
    return table(("recording", "series", "hours", "copies found"), rows) + (
        f"\n\nReal copies, simulated: found {made['found']} of {made['tries']}, "
        f"the last one {made['longest_s']:.0f} s after it came.")


def over(rows, key):
    """Mean over the zonings of a recording, by seconds."""
    return sum(r[key] * r["seconds"] for r in rows) / sum(r["seconds"] for r in rows)


def recording_of(row):
    """Five shops of one rate are one line: shop, a box every 3 m, 8 adverts/s, walking."""
    parts = row["site"].split(", ")
    if parts[0] != "shop":
        return row["site"], row["walking"], row["cut"]
    return f"5 shops, {parts[2]}, {parts[3]}", row["walking"], f"{parts[1]}, {row['cut']}"


def summary_table(rows):
    lines = []
    for name, walking in dict.fromkeys(recording_of(r)[:2] for r in rows):
        mine = [r for r in rows if recording_of(r)[:2] == (name, walking)]
        worst = min(mine, key=lambda r: r["fast"] - r["plain"])
        lines.append((
            name if walking else f"{name}, *settled* judged" if name.startswith("library") else name,
            len(mine), share(over(mine, "plain")), share(over(mine, "fast")),
            f"{worst['fast'] - worst['plain']:+.3f} ± {worst['error']:.3f}, {recording_of(worst)[2]}",
            "" if walking else share(over(mine, "settled")),
            "" if walking else f"{sum(r['changes'] for r in mine)} of {sum(r['true'] for r in mine)}",
            sum(r["copies"] for r in mine),
        ))
    return table(("recording", "zonings", "plain 2 s", "fast", "worst zoning: fast against plain", "settled",
                  "changes, of how many true", "false refusals"), lines)


def goals_table(rows):
    """The goals, on the recordings of real radios where a walk has a truth."""
    corridor = [r for r in rows if r["site"].startswith("corridor")]
    walks = [r for r in corridor if r["walking"]]
    still = [r for r in corridor if not r["walking"]]
    lines = []

    def goal(what, of, key, reached, figure):
        worst = min(of, key=key)
        lines.append((what, f"{sum(map(reached, of))} of {len(of)}",
                      f"{figure(worst)}: {worst['site']}, {worst['cut']}"))

    fast, settled = (lambda r: share(r["fast"])), (lambda r: share(r["settled"]))
    gain = lambda r: f"{r['fast'] - r['plain']:+.3f} ± {r['error']:.3f}"
    goal("*fast* ≥ 0.90 where every zone has three boxes or more", [r for r in walks if r["boxes"] > 2],
         lambda r: r["fast"], lambda r: r["fast"] >= 0.9, fast)
    goal("*fast* ≥ 0.87 where one has fewer", [r for r in walks if r["boxes"] <= 2], lambda r: r["fast"],
         lambda r: r["fast"] >= 0.87, fast)
    goal("*settled* ≥ 0.87, nearly still", still, lambda r: r["settled"], lambda r: r["settled"] >= 0.87, settled)
    goal("at most 14 changes of *settled* where 11 are true", still,
         lambda r: r["true"] - r["changes"], lambda r: r["changes"] <= 14 / 11 * r["true"],
         lambda r: f"{r['changes']} of {r['true']}")
    goal("*settled* not below the plain rule, nearly still", still, lambda r: r["settled"] - r["plain"],
         lambda r: r["settled"] >= r["plain"], lambda r: f"{r['settled'] - r['plain']:+.3f}")
    goal("*settled* not below the plain rule, all recordings", [r for r in rows if not r["walking"]],
         lambda r: r["settled"] - r["plain"], lambda r: r["settled"] >= r["plain"],
         lambda r: f"{r['settled'] - r['plain']:+.3f}")
    goal("*fast* not below the plain rule, all recordings", rows, lambda r: r["fast"] - r["plain"],
         lambda r: r["fast"] >= r["plain"], gain)
    goal("… by more than two standard errors", rows, lambda r: (r["fast"] - r["plain"]) / max(1e-9, r["error"]),
         lambda r: r["fast"] >= r["plain"] - 2 * r["error"], gain)
    return table(("goal", "reached in", "worst"), lines)


def left_out_table(rows):
    """The memory with the best worst site among the others, and what it gives at the one left out."""
    names = list(dict.fromkeys(r["site"] for r in rows))
    gains = {}
    for name in names:
        mine = [r["gains"] for r in rows if r["site"] == name]
        gains[name] = [sum(column) / len(mine) for column in zip(*mine)]
    lines = []
    for name in names:
        worst = [min(gains[other][i] for other in names if other != name) for i in range(len(MEMORIES_MS))]
        best = worst.index(max(worst))
        lines.append((name, *(f"{g:+.3f}" for g in gains[name]), f"{MEMORIES_MS[best]} ms", f"{gains[name][best]:+.3f}"))
    return table(("site", *(f"{m} ms" for m in MEMORIES_MS), "chosen by the others", "gives here"), lines)


def corridor_table(rows, best, walking):
    mine = [r for r in rows if r["site"].startswith("corridor") and r["walking"] == walking]
    names = list(dict.fromkeys(r["site"] for r in mine))

    def cell(r):
        if walking:
            return f"{share(r['plain'])} / **{share(r['fast'])}**"
        return (f"{share(r['plain'])} / {share(r['fast'])} / **{share(r['settled'])}**, "
                f"{r['changes']} of {r['true']}")

    lines = [[cut, share(best[cut])] + [cell(r) for n in names for r in mine if r["site"] == n and r["cut"] == cut]
             for cut in dict.fromkeys(r["cut"] for r in mine)]
    return table(["zones", "a minute's mean"] + [n.removeprefix("corridor, ") for n in names], lines)


def shops_table(rows, walking):
    mine = [r for r in rows if r["site"].startswith("shop") and r["walking"] == walking]
    # shop, a box every 3 m, 8 adverts/s, walking
    parts = lambda r: (r["site"].split(", ")[1].removeprefix("a box every "), r["site"].split(", ")[2])
    rates = list(dict.fromkeys(parts(r)[1] for r in mine))

    def cell(r):
        if walking:
            return f"{share(r['plain'])} / **{share(r['fast'])}**"
        return (f"{share(r['plain'])} / {share(r['fast'])} / **{share(r['settled'])}**, "
                f"{r['changes']} of {r['true']}")

    lines = []
    for every, cut in dict.fromkeys((parts(r)[0], r["cut"]) for r in mine):
        lines.append([every, cut] + [cell(r) for rate in rates for r in mine if parts(r) == (every, rate)])
    return table(["a box every", "zones", *rates], lines)
