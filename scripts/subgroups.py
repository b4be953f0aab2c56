#!/usr/bin/env python3
"""Accuracy by subgroup for the model card: cohort, sex, scanner and level.

    scripts/subgroups.py held-out.json overview.csv

held-out.json is what `spinenet train` or `experiment` writes: answers for patients left out. overview.csv is SPIDER's table of
patients; of other cohorts sex and scanner are not known. Prints Markdown: balanced accuracy in percent on mid-sagittal slices; a dash where a class has fewer than ten discs.
"""

import csv
import json
import sys
from collections import defaultdict

LEAST = 10
GRADINGS = ["Pfirrmann", "narrowing", "upper endplate", "lower endplate", "marrow, either", "slip", "stenosis", "bulging"]


def answers(entry):
    """(true class, called class) of each grading; None where nothing is known. A label is a set of classes, a bit each."""
    labels, p = defaultdict(int, entry["labels"]["gradings"]), entry["probabilities"]
    single = lambda bits: bits.bit_length() - 1 if bits and bits & (bits - 1) == 0 else None
    best = lambda values: max(range(len(values)), key=lambda i: (values[i], -i))
    known = lambda truth, called: None if truth is None else (truth, called)
    narrowing = {1: 0}.get(labels["disc_narrowing"], None if labels["disc_narrowing"] in (0, 15) else 1)
    if entry["labels"]["either_marrow_changed"]:
        marrow = 1
    else:
        sides = [single(labels[f"{side}_marrow_change"]) for side in ("upper", "lower")]
        marrow = None if None in sides else max(sides)
    absent = (1 - p["upper_marrow_change"][1]) * (1 - p["lower_marrow_change"][1])
    return [
        known(single(labels["pfirrmann"]), best(p["pfirrmann"])),
        known(narrowing, int(sum(p["disc_narrowing"][1:]) > 0.5)),
        *(known(single(labels[name]), best(p[name])) for name in ("upper_endplate_defect", "lower_endplate_defect")),
        known(marrow, int(absent < 0.5)),
        *(known(single(labels[name]), best(p[name])) if name in p else None
          for name in ("spondylolisthesis", "central_canal_stenosis", "disc_bulging")),
    ]


def balanced(pairs):
    right = defaultdict(list)
    for truth, called in pairs:
        right[truth].append(truth == called)
    if len(right) < 2 or any(len(hits) < LEAST for hits in right.values()):
        return "–"
    return f"{100 * sum(sum(hits) / len(hits) for hits in right.values()) / len(right):.0f}"


def main():
    held_out, overview = sys.argv[1:]
    patients = {}
    with open(overview, newline="") as file:
        for row in csv.DictReader(file):
            maker = "Siemens" if "SIEMENS" in row["Manufacturer"].upper() else "Philips"
            field = f"{float(row['MagneticFieldStrength']):.1f} T" if row["MagneticFieldStrength"] else "?"
            patients.setdefault(int(row["new_file_name"].split("_")[0]), (row["sex"].strip(), f"{maker} {field}"))
    groups = defaultdict(list)
    with open(held_out) as file:
        entries = [entry for entry in json.load(file) if entry["kind"] == "mid_sagittal"]
    for entry in entries:
        cohort, level = entry.get("cohort") or "SPIDER", entry["level"]
        keys = [(cohort, 0, "all"), (cohort, 3, level)]
        if cohort == "SPIDER":
            sex, scanner = patients.get(entry["patient"], ("?", "?"))
            keys += [(cohort, 1, {"F": "women", "M": "men"}.get(sex, "sex unknown")), (cohort, 2, scanner)]
        for key in keys:
            groups[key].append(entry)
    levels = ["T12-L1", "L1-L2", "L2-L3", "L3-L4", "L4-L5", "L5-S1"]
    order = lambda key: (key[:2], levels.index(key[2]) if key[2] in levels else 0, key)
    print(f"| | patients | discs | {' | '.join(GRADINGS)} |\n|---|---|---|{'---|' * len(GRADINGS)}")
    for key in sorted(groups, key=order):
        rows = [answers(entry) for entry in groups[key]]
        cells = [balanced([row[i] for row in rows if row[i]]) for i in range(len(GRADINGS))]
        count = len({entry["patient"] for entry in groups[key]})
        print(f"| {key[0]}, {key[2]} | {count} | {len(rows)} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
