#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Draws docs/images/learner-regret.svg from the CSV of the learner_regret program.

build/release/bin/learner_regret | bench/learner_regret.py > docs/images/learner-regret.svg
"""
import csv
import sys

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 760, 420, 60, 210, 30, 50
COLOURS = ["#8a8a8a", "#2b6cb0", "#2f855a", "#b7791f"]

curves = {}
for row in csv.DictReader(sys.stdin):
    curves.setdefault(row["policy"], []).append(
        tuple(float(row[k]) for k in ("customers", "mean", "low", "high")))

most_x = max(p[0] for c in curves.values() for p in c)
most_y = max(p[3] for c in curves.values() for p in c) * 1.05


def x(v):
    return LEFT + v / most_x * (WIDTH - LEFT - RIGHT)


def y(v):
    return HEIGHT - BOTTOM - v / most_y * (HEIGHT - TOP - BOTTOM)


out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
       'font-family="sans-serif" font-size="12">',
       f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
       f'<text x="{LEFT}" y="18" font-size="14">Redemptions missed against knowing the best '
       'variant of each segment</text>']
step = 100
for v in range(0, int(most_y), step):
    out.append(f'<path d="M{LEFT} {y(v):.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>'
               f'<text x="{LEFT - 8}" y="{y(v) + 4:.1f}" text-anchor="end">{v}</text>')
for v in range(0, int(most_x) + 1, 2000):
    out.append(f'<text x="{x(v):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{v:,}</text>')
out.append(f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 12}" text-anchor="middle">'
           'customers</text>')
for (name, points), colour in zip(curves.items(), COLOURS):
    band = [(x(p[0]), y(p[3])) for p in points] + [(x(p[0]), y(p[2])) for p in reversed(points)]
    out.append(f'<polygon points="{" ".join(f"{a:.1f},{b:.1f}" for a, b in band)}" '
               f'fill="{colour}" opacity="0.15"/>')
    line = " ".join(f"{x(p[0]):.1f},{y(p[1]):.1f}" for p in points)
    out.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
    end = points[-1]
    out.append(f'<text x="{WIDTH - RIGHT + 8}" y="{y(end[1]) + 4:.1f}" fill="{colour}">{name}: '
               f'{end[1]:.0f}</text>')
out.append("</svg>")
print("\n".join(out))
