#!/usr/bin/env python3
"""Agreement of the program with the readers of each cohort.

    scripts/agreement.py held-out.json [--at-prevalence]

held-out.json is what `spinenet train` or `experiment` writes: answers for patients left out. Prints Markdown: Cohen's kappa
on mid-sagittal slices (with quadratic weights for Pfirrmann grades), its 95 % interval from resampled patients, and the share of
equal grades (within one, for Pfirrmann grades). With --at-prevalence each probability is multiplied by how common its class is among
the other half of the patients, both cohorts together.
"""

import json
import pathlib
import random
import sys
from collections import defaultdict

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from subgroups import GRADINGS, LEAST, answers  # noqa: E402

CLASSES = {"Pfirrmann": 5}
RESAMPLED = 2000


def kappa(pairs, classes):
    """1 - observed disagreement / disagreement by chance, distances squared; None if there is none by chance."""
    count = len(pairs)
    truth, called = [0] * classes, [0] * classes
    for one, other in pairs:
        truth[one] += 1
        called[other] += 1
    observed = sum((one - other) ** 2 for one, other in pairs) / count
    chance = sum(t * c * (i - j) ** 2 for i, t in enumerate(truth) for j, c in enumerate(called)) / count**2
    return 1 - observed / chance if chance else None


def interval(by_patient, classes):
    """Of the kappa of patients drawn with replacement."""
    draw, groups = random.Random(1), list(by_patient.values())
    drawn = (kappa([pair for group in draw.choices(groups, k=len(groups)) for pair in group], classes) for _ in range(RESAMPLED))
    values = sorted(value for value in drawn if value is not None)
    return values[round(0.025 * len(values))], values[round(0.975 * len(values)) - 1]


def at_prevalence(entries):
    """The entries with probabilities where classes are as common as among the patients of the other half."""
    counts = [defaultdict(lambda: [1] * 5), defaultdict(lambda: [1] * 5)]
    for entry in entries:
        for name, bits in entry["labels"]["gradings"].items():
            if bits and bits & (bits - 1) == 0:
                counts[entry["patient"] % 2][name][bits.bit_length() - 1] += 1
    for entry in entries:
        common = counts[1 - entry["patient"] % 2]
        weigh = lambda name, p: [value * count for value, count in zip(p, common[name])]
        scale = lambda values: [value / sum(values) for value in values]
        yield entry | {"probabilities": {name: scale(weigh(name, p)) for name, p in entry["probabilities"].items()}}


def main():
    with open(sys.argv[1]) as file:
        entries = [entry for entry in json.load(file) if entry["kind"] == "mid_sagittal"]
    if "--at-prevalence" in sys.argv[2:]:
        entries = list(at_prevalence(entries))
    groups = defaultdict(lambda: defaultdict(list))
    for entry in entries:
        for name, pair in zip(GRADINGS, answers(entry)):
            if pair:
                groups[entry.get("cohort") or "SPIDER", name][entry["patient"]].append(pair)
    print("| cohort | grading | discs, patients | kappa | equal grades |\n|---|---|---|---|---|")
    for (cohort, name), by_patient in sorted(groups.items(), key=lambda item: (item[0][0], GRADINGS.index(item[0][1]))):
        pairs, classes = [pair for group in by_patient.values() for pair in group], CLASSES.get(name, 2)
        if sum(truth > 0 for truth, _ in pairs) < LEAST:
            continue
        low, high = interval(by_patient, classes)
        near = int(classes > 2)
        equal = sum(abs(truth - called) <= near for truth, called in pairs) / len(pairs)
        print(f"| {cohort} | {name} | {len(pairs)}, {len(by_patient)} | {kappa(pairs, classes):.2f} ({low:.2f}–{high:.2f}) "
              f"| {100 * equal:.0f} %{' within one' if near else ''} |")


if __name__ == "__main__":
    main()
