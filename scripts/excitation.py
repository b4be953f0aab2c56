#!/usr/bin/env python3
"""Why excitation backpropagation misses findings: maps with one ingredient changed, on readers' stenosis boxes (docs/evidence.md).

    spinenet detect SCAN.nii.gz --out REPORTS/IMAGE.json      # for each image of patients that the network did not see
    scripts/excitation.py SET REPORTS model.safetensors [--views 4] [--save maps.npz]

SET is a folder of kind `boxed` (images.csv, boxes.csv, discs.csv, t2/*.png). Needs torch, numpy, scipy, safetensors, pillow. Computes
all maps from the weights, independently of the program: what a unit passes down is

    R_j = x_j * sum_i w_ij * R_i / N_i

Excitation takes w+ and N = sum_j w+_ij x_j; with w and the unit's own answer for N it is the gradient times the activation, that is
HiResCAM. Each row changes one thing on the way between the two. Boxes: the largest region of a slice, or all hotspots; the percentile
is best on half of the patients, the overlap is measured on the other half, its interval (95 %) drawn by resampling patients.
"""

import argparse
import csv
import json
from collections import defaultdict
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.numpy import load_file
from scipy import ndimage

SLICES, ROWS, COLUMNS = 9, 112, 224
MIDDLE = np.array([(ROWS - 1) / 2, (COLUMNS - 1) / 2])
VISIBLE_BODY, REACH_MM = 0.4, 9
LEVELS = ["T12-L1", "L1-L2", "L2-L3", "L3-L4", "L4-L5", "L5-S1"]
CORNERS = ["SA", "SP", "IP", "IA"]
PERCENTILES = [70, 75, 80, 85, 88, 90, 91, 92, 93, 94, 95, 96, 97, 98, 99]
# Stride and padding; pooled after.
TRUNK = [
    ("conv1", (1, 2, 2), (1, 3, 3), True),
    ("conv2", (1, 1, 1), (1, 2, 2), True),
    ("conv3", (1, 1, 1), (1, 1, 1), False),
    ("conv4", (1, 1, 1), (0, 1, 1), False),
    ("conv5", (1, 1, 1), (0, 1, 1), True),
]
LAYERS = [name for name, *_ in TRUNK]
# Pixels from one value of a layer to the next, and where the first lies.
STEPS = {"conv1": (2, 0), "conv2": (4, 1), "conv3": (8, 3), "conv4": (8, 3), "conv5": (8, 3)}


class Frame:
    """Where the disc volume lies in an image: axes, center and scale."""

    def __init__(self, center, posterior, inferior, mm, pixel):
        self.center, self.axes, self.mm, self.pixel = center, np.stack([inferior, posterior]), mm, pixel

    @classmethod
    def of_disc(cls, upper, lower, pixel):
        (usa, usp, uip, uia), (lsa, lsp, lip, lia) = (np.array([body[c] for c in CORNERS]) * pixel for body in (upper, lower))
        posterior = (uip + lsp) / 2 - (uia + lsa) / 2
        posterior /= np.linalg.norm(posterior)
        inferior = np.array([-posterior[1], posterior[0]])
        if inferior @ ((lsa + lsp) - (usa + usp)) < 0:
            inferior = -inferior
        span = lambda a, b, c, d: ((c + d) / 2 - (a + b) / 2) @ inferior
        bodies = span(usa, usp, uia, uip) + span(lsa, lsp, lia, lip)
        height = max(span(uia, uip, lsa, lsp), 0) + VISIBLE_BODY * bodies
        return cls((uia + uip + lsa + lsp) / 4 / pixel, posterior, inferior, height / ROWS, pixel)

    def changed(self, angle, shift, scale):
        sin, cos = np.sin(angle), np.cos(angle)
        inferior, posterior = self.axes
        center = self.center + shift @ self.axes * self.mm / self.pixel
        return Frame(center, posterior * cos + inferior * sin, inferior * cos - posterior * sin, self.mm / scale, self.pixel)

    def to_image(self, rows_columns):
        return self.center + (np.asarray(rows_columns) - MIDDLE) @ self.axes * self.mm / self.pixel

    def from_image(self, xy):
        return (np.asarray(xy) - self.center) * self.pixel / self.mm @ self.axes.T + MIDDLE


GRID = np.stack(np.mgrid[0:ROWS, 0:COLUMNS], -1).astype(float)


def interpolated(image, rows, columns):
    """Values between pixels, and where they lie in the image."""
    inside = (rows >= -0.5) & (rows <= image.shape[0] - 0.5) & (columns >= -0.5) & (columns <= image.shape[1] - 0.5)
    return np.where(inside, ndimage.map_coordinates(image, [rows, columns], order=1, mode="nearest"), 0), inside


def sampled(frame, image, scale, brightness=0.0):
    xy = frame.to_image(GRID)
    values, inside = interpolated(image, xy[..., 1], xy[..., 0])
    return np.where(inside, np.clip(values * scale + brightness, 0, 1), 0).astype(np.float32)


def median_of_bodies(image, bodies):
    y, x = np.mgrid[0 : image.shape[0], 0 : image.shape[1]]
    values = []
    for body in bodies:
        points = np.array([body[c] for c in CORNERS])
        sides = [(b[0] - a[0]) * (y - a[1]) - (b[1] - a[1]) * (x - a[0]) for a, b in zip(points, np.roll(points, -1, 0))]
        values.append(image[np.all([s >= 0 for s in sides], 0) | np.all([s <= 0 for s in sides], 0)])
    values = np.sort(np.concatenate(values))
    return values[len(values) // 2]


def read_discs(folder, reports, views):
    """The discs with a stenosis box in images that have a report, with views drawn as the program draws them."""
    rows, boxes = defaultdict(list), defaultdict(list)
    for row in csv.DictReader(open(folder / "discs.csv")):
        rows[row["image"]].append(row)
    for row in csv.DictReader(open(folder / "boxes.csv")):
        if row["class"] == "stenosis":
            boxes[row["image"]].append([float(row["x"]) - 0.5, float(row["y"]) - 0.5, float(row["width"]), float(row["height"])])
    spacing = {row["image"]: float(row["mm_per_px"]) for row in csv.DictReader(open(folder / "images.csv"))}
    discs = []
    for report in sorted(reports.glob("*.json")):
        name = report.stem
        image = np.asarray(Image.open(folder / "t2" / f"{name}.png").convert("L")).astype(np.float64)
        bodies = {body["label"]: body["slices"][0]["corners_image"] for body in json.load(open(report))["vertebrae"]}
        found = {}
        for level in LEVELS:
            pair = [bodies.get(label) for label in level.split("-")]
            if None in pair:
                continue
            frame = Frame.of_disc(*pair, spacing[name])
            away = lambda row: np.hypot(*(np.array([float(row["center_x"]), float(row["center_y"])]) - frame.center)) * spacing[name]
            row = min(rows[name], key=away)
            if away(row) <= REACH_MM:
                found[level] = (frame, row, pair)
        if any(level != row["level"] for level, (_, row, _) in found.items()):
            continue
        boxed = {}
        for box in boxes[name]:
            middle = np.array(box[:2]) + np.array(box[2:]) / 2
            places = {level: frame.from_image(middle) for level, (frame, *_) in found.items()}
            beside = {
                level: abs(place[0] - MIDDLE[0])
                for level, place in places.items()
                if 0 <= place[1] < COLUMNS and abs(place[0] - MIDDLE[0]) < MIDDLE[0] / 2
            }
            if beside:
                boxed.setdefault(min(beside, key=beside.get), box)
        for level, box in boxed.items():
            frame, row, pair = found[level]
            if not int(row["stenosis"]) or not any(int(row[key]) for key in ("normal", "degenerated", "bulge")):
                continue
            scale = 0.5 / median_of_bodies(image, pair)
            random = np.random.default_rng([int(row["patient"]), LEVELS.index(level)])
            frames, patches, slices = [frame], [sampled(frame, image, scale)], [SLICES // 2]
            for _ in range(views - 1):
                shift = np.array([random.uniform(-24, 24), random.uniform(-32, 32)])
                frames.append(frame.changed(np.radians(random.uniform(-15, 15)), shift, random.uniform(0.9, 1.1)))
                patches.append(sampled(frames[-1], image, scale, random.uniform(-0.1, 0.1)))
                slices.append(SLICES // 2 + random.integers(-2, 3))
            discs.append(SimpleNamespace(patient=row["patient"], level=level, box=box, frames=frames, patches=np.stack(patches),
                                         slices=slices, shape=image.shape))
    return discs


# One way to pass evidence through a layer: which weights, and what a unit's evidence is divided by.
EXCITATION, PLAIN = ("positive", "positive"), ("all", "answer")
WITH_BIAS, NOT_CONSERVED, ALPHA_BETA = ("positive", "positive and bias"), ("positive", "answer"), ("alpha 2 beta 1", "positive")
# name: (FC8, FC7 and FC6, Conv5 and Conv4, Conv3 and Conv2, changes)
VARIANTS = {
    "excitation": ("one class", EXCITATION, EXCITATION, EXCITATION, {}),
    "contrastive excitation (the paper's)": ("contrast", EXCITATION, EXCITATION, EXCITATION, {}),
    "… started from the difference of the logits": ("difference", EXCITATION, EXCITATION, EXCITATION, {}),
    "… both signs of FC8": ("signed", EXCITATION, EXCITATION, EXCITATION, {}),
    "… cut at 0 at FC7": ("contrast", EXCITATION, EXCITATION, EXCITATION, {"cut": "fc7"}),
    "… cut at 0 at Conv5": ("contrast", EXCITATION, EXCITATION, EXCITATION, {"cut": "conv5"}),
    "… units of the level take their share at FC7": ("contrast", EXCITATION, EXCITATION, EXCITATION, {"level": True}),
    "… biases take their share": ("contrast", WITH_BIAS, WITH_BIAS, WITH_BIAS, {"level": True}),
    "… divided by the unit's answer": ("contrast", NOT_CONSERVED, NOT_CONSERVED, NOT_CONSERVED, {}),
    "… pooling shares evenly": ("contrast", EXCITATION, EXCITATION, EXCITATION, {"even": True}),
    "… negative weights too (alpha 2, beta 1)": ("contrast", ALPHA_BETA, ALPHA_BETA, ALPHA_BETA, {}),
    "… FC8 to FC6 plain": ("signed", PLAIN, EXCITATION, EXCITATION, {}),
    "… FC8 to FC6 plain, cut at 0 at Conv5": ("signed", PLAIN, EXCITATION, EXCITATION, {"cut": "conv5"}),
    "… FC8 to Conv4 plain": ("signed", PLAIN, PLAIN, EXCITATION, {}),
    "… Conv5 and Conv4 plain": ("contrast", EXCITATION, PLAIN, EXCITATION, {}),
    "… Conv5 to Conv2 plain": ("contrast", EXCITATION, PLAIN, PLAIN, {}),
    "gradient times activation (HiResCAM)": ("signed", PLAIN, PLAIN, PLAIN, {}),
}


class Network:
    def __init__(self, tensors, grading="central_canal_stenosis"):
        self.w = {name: torch.from_numpy(value.astype(np.float32)) for name, value in tensors.items()}
        self.grading = grading

    def head(self, name):
        return self.w[f"{self.grading}.{name}.weight"], self.w[f"{self.grading}.{name}.bias"]

    def trace(self, patches, level):
        x = torch.from_numpy(patches)[:, None, None].expand(-1, 1, SLICES, ROWS, COLUMNS) - self.w["input_mean"].reshape(1, 1, 1, 1, 1)
        steps = []
        for name, stride, padding, pooled in TRUNK:
            answer = F.relu(F.conv3d(x, self.w[f"{name}.weight"], self.w[f"{name}.bias"], stride, padding))
            steps.append((x, answer))
            x = F.max_pool3d(answer, (1, 2, 2)) if pooled else answer
        features = x.flatten(1)
        fc6 = F.relu(F.linear(features, *self.head("fc6")))
        of_level = excited_by_level = torch.zeros(())
        if "level.weight" in self.w:
            units = F.relu(self.w["level.weight"][:, LEVELS.index(level)] + self.w["level.bias"])
            to_fc7 = self.w[f"{self.grading}.fc7_level.weight"]
            of_level, excited_by_level = to_fc7 @ units, to_fc7.clamp(min=0) @ units
        weight, bias = self.head("fc7")
        fc7 = F.relu(F.linear(fc6, weight, bias + of_level))
        return SimpleNamespace(steps=steps, pool5=x, features=features, fc6=fc6, fc7=fc7, of_level=excited_by_level,
                               logits=F.linear(fc7, *self.head("fc8")))

    def evidence(self, trace, variant):
        """What arrives at the output of each convolution, summed over channels and not negative: [views, slices, rows, columns]."""
        top, dense, deep, shallow, changes = VARIANTS[variant]
        weight, _ = self.head("fc8")
        r = {
            "one class": lambda: through(linear, trace.fc7, weight[1:].clamp(min=0)),
            "contrast": lambda: through(linear, trace.fc7, weight[1:].clamp(min=0)) - through(linear, trace.fc7, (-weight[1:]).clamp(min=0)),
            "difference": lambda: through(linear, trace.fc7, (weight[1:] - weight[:1]).clamp(min=0)),
            "signed": lambda: trace.fc7 * weight[1],
        }[top]()
        if changes.get("cut") == "fc7":
            r = r.clamp(min=0)
        extra = trace.of_level if changes.get("level") else 0
        r = layer(linear, trace.fc6, trace.fc7, r, *self.head("fc7"), dense, extra)
        r = layer(linear, trace.features, trace.fc6, r, *self.head("fc6"), dense)
        r = r.reshape(trace.pool5.shape)
        if changes.get("cut") == "conv5":
            r = r.clamp(min=0)
        maps = {}
        for (name, stride, padding, pooled), (x, answer) in reversed(list(zip(TRUNK, trace.steps))):
            if pooled:
                r = unpooled(answer, r, changes.get("even", False))
            maps[name] = r.sum(1).clamp(min=0)
            if name == "conv1":
                break
            convolve = lambda x, w: F.conv3d(x, w, None, stride, padding)
            r = layer(convolve, x, answer, r, self.w[f"{name}.weight"], self.w[f"{name}.bias"].reshape(-1, 1, 1, 1), deep if name in ("conv4", "conv5") else shallow)
        return maps


def linear(x, weight):
    return F.linear(x, weight)


def passed(function, x, weight, signal):
    """x * (weight transposed, on the signal)."""
    x = x.detach().requires_grad_()
    (back,) = torch.autograd.grad(function(x, weight), x, signal)
    return (x * back).detach()


def ratio(r, n):
    return torch.where(n > 0, r / torch.where(n > 0, n, 1), 0)


def through(function, x, weight):
    """Evidence 1 of a single unit, shared among its inputs."""
    n = function(x, weight)
    return passed(function, x, weight, ratio(torch.ones_like(n), n))


def layer(function, x, answer, r, weight, bias, way, extra=0):
    weights, divisor = way
    if divisor == "answer":
        n = answer
    else:
        n = function(x, weight.clamp(min=0)) + extra + (bias.clamp(min=0) if divisor == "positive and bias" else 0)
    if weights == "alpha 2 beta 1":
        negative = (-weight).clamp(min=0)
        return 2 * passed(function, x, weight.clamp(min=0), ratio(r, n)) - passed(function, x, negative, ratio(r, function(x, negative)))
    return passed(function, x, weight if weights == "all" else weight.clamp(min=0), ratio(r, n))


def unpooled(answer, r, is_even):
    if is_even:
        return F.interpolate(r, scale_factor=(1, 2, 2), mode="nearest") / 4
    answer = answer.detach().requires_grad_()
    return torch.autograd.grad(F.max_pool3d(answer, (1, 2, 2)), answer, r)[0]


def at_voxels(map_, name, slice_):
    """One slice of a layer's map at the size of the voxels; the outermost values are held."""
    step, first = STEPS[name]
    plane = map_[min(slice_, len(map_) - 1)]
    return ndimage.map_coordinates(plane, [(GRID[..., 0] - first) / step, (GRID[..., 1] - first) / step], order=1, mode="nearest")


def averaged(disc, planes):
    """The mean over views, each warped back; a view counts where it saw the pixel."""
    total, count = np.zeros((ROWS, COLUMNS)), np.zeros((ROWS, COLUMNS))
    xy = disc.frames[0].to_image(GRID)
    for frame, plane in zip(disc.frames, planes):
        at = frame.from_image(xy)
        values, inside = interpolated(plane, at[..., 0], at[..., 1])
        total += values
        count += inside
    return (total / np.maximum(count, 1)).astype(np.float32)


def smoothed(disc, map_, mm):
    return map_ if mm == 0 else ndimage.gaussian_filter(map_, mm / disc.frames[0].mm, mode="nearest")


def overlaps(disc, map_, largest):
    """IoU with the reader's box at each percentile."""
    frame, (rows, columns), values = disc.frames[0], disc.shape, np.sort(map_, axis=None)
    truth, result = disc.box, []
    for percentile in PERCENTILES:
        hot = map_ > values[int(np.ceil(percentile / 100 * values.size)) - 1]
        if largest and hot.any():
            regions, count = ndimage.label(hot, np.ones((3, 3)))
            hot = regions == 1 + np.argmax(np.bincount(regions.ravel())[1:]) if count else hot
        lines = np.flatnonzero(hot.any(1))
        if not len(lines):
            result.append(0.0)
            continue
        # The outermost hotspots of each row reach as far as all.
        ends = [hot[lines].argmax(1), COLUMNS - 1 - hot[lines, ::-1].argmax(1)]
        at = np.concatenate([np.stack([lines, end], 1) for end in ends])
        corners = np.concatenate([frame.to_image(at + np.array(corner)) for corner in [(-0.5, -0.5), (-0.5, 0.5), (0.5, -0.5), (0.5, 0.5)]])
        low = np.maximum(corners.min(0), -0.5)
        high = np.minimum(corners.max(0), np.array([columns, rows]) - 0.5)
        result.append(box_overlap(low, high, truth))
    return result


def box_overlap(low, high, truth):
    first, last = np.array(truth[:2]), np.array(truth[:2]) + truth[2:]
    common = np.prod(np.clip(np.minimum(high, last) - np.maximum(low, first), 0, None))
    return common / (np.prod(high - low) + np.prod(last - first) - common)


def fixed_place(discs):
    """Overlap of the median box of other patients, in the frame of the disc."""
    side = lambda disc: disc.frames[0].pixel / disc.frames[0].mm
    placed = [np.concatenate([d.frames[0].from_image(np.array(d.box[:2]) + np.array(d.box[2:]) / 2), np.array(d.box[2:]) * side(d)]) for d in discs]
    result = []
    for disc in discs:
        row, column, width, height = np.median([p for p, other in zip(placed, discs) if other.patient != disc.patient], 0)
        middle, half = disc.frames[0].to_image([row, column]), np.array([width, height]) / side(disc) / 2
        result.append(box_overlap(middle - half, middle + half, disc.box))
    return np.array(result)


def interval(values, patients, draws=2000):
    """95 % interval of the mean, by resampling patients."""
    random, by_patient = np.random.default_rng(0), defaultdict(list)
    for value, patient in zip(values, patients):
        by_patient[patient].append(value)
    sums = np.array([(sum(v), len(v)) for v in by_patient.values()])
    drawn = sums[random.integers(0, len(sums), (draws, len(sums)))].sum(1)
    return np.percentile(drawn[:, 0] / drawn[:, 1], [2.5, 97.5])


def halves(discs):
    """Which discs are of the half of the patients that is measured."""
    patients = sorted({disc.patient for disc in discs})
    measured = set(np.random.default_rng(0).permutation(patients)[len(patients) // 2 :])
    return np.array([disc.patient in measured for disc in discs])


def scores(discs, maps, smoothings_mm):
    """IoU [discs, percentiles] by smoothing and rule."""
    return {
        (mm, largest): np.array([overlaps(disc, smoothed(disc, map_, mm), largest) for disc, map_ in zip(discs, maps)])
        for mm in smoothings_mm
        for largest in (True, False)
    }


def measured(iou, is_measured):
    """The best percentile on one half, and what it reaches on each disc of the other."""
    best = int(np.argmax(iou[~is_measured].mean(0)))
    return PERCENTILES[best], iou[is_measured, best], iou[~is_measured, best].mean()


def row(name, discs, maps, smoothings_mm, is_measured):
    patients = [disc.patient for disc, chosen in zip(discs, is_measured) if chosen]
    cells = []
    for (mm, largest), iou in scores(discs, maps, smoothings_mm).items():
        percentile, values, _ = measured(iou, is_measured)
        low, high = interval(values, patients)
        cells.append(f"{values.mean():.3f} ({low:.3f}–{high:.3f}) at {percentile}")
    return f"| {name} | {' | '.join(cells)} |"


# Geometric means of maps, each against the one that it starts from, which is HiResCAM at Conv3.
HIRESCAM = ("gradient times activation (HiResCAM)", "conv3")
PRODUCTS = [
    [HIRESCAM, ("gradient times activation (HiResCAM)", "conv1")],
    [HIRESCAM, ("excitation", "conv1")],
    [HIRESCAM, ("excitation", "conv3")],
    [HIRESCAM, ("… FC8 to FC6 plain", "conv1")],
]


def products(discs, maps, is_measured, mm=4.0):
    """Rows of the products whose maps there are: the largest region, smoothed, and the difference to HiResCAM at Conv3."""
    patients = [disc.patient for disc, chosen in zip(discs, is_measured) if chosen]
    best = lambda of: measured(np.array([overlaps(d, smoothed(d, m, mm), True) for d, m in zip(discs, of)]), is_measured)[:2]
    rows = []
    for parts in PRODUCTS:
        if any(part not in maps for part in parts):
            continue
        # A thousandth of a map's mean keeps single zeros from deciding.
        scaled = [m / np.maximum(m.mean((1, 2), keepdims=True), 1e-30) + 1e-3 for m in (np.array(maps[part]) for part in parts)]
        percentile, values = best(np.exp(np.mean(np.log(scaled), 0)))
        above = values - best(maps[HIRESCAM])[1]
        (low, high), (least, most) = interval(values, patients), interval(above, patients)
        name = " × ".join(f"{variant}, {layer}" for variant, layer in parts)
        rows.append(f"| {name} | {values.mean():.3f} ({low:.3f}–{high:.3f}) at {percentile} | {above.mean():+.3f} ({least:+.3f} to {most:+.3f}) |")
    return rows


def with_prior(discs, maps, is_measured, mm=4.0):
    """Rows of geometric means of maps with the mean map of other patients' discs, by the share of that mean: the largest region."""
    patients = np.array([disc.patient for disc in discs])
    rows = []
    for (variant, name), of in maps.items():
        scaled = np.array([smoothed(d, m, mm) for d, m in zip(discs, of)])
        scaled /= np.maximum(scaled.mean((1, 2), keepdims=True), 1e-30)
        prior = np.array([scaled[patients != patient].mean(0) for patient in patients])
        cells, alone = [], None
        for share in (0, 0.25, 0.5, 0.75, 1):
            mixed = np.exp((1 - share) * np.log(scaled + 1e-3) + share * np.log(prior + 1e-3))
            _, values, _ = measured(np.array([overlaps(d, m, True) for d, m in zip(discs, mixed)]), is_measured)
            alone = values if alone is None else alone
            low, high = interval(values - alone, patients[is_measured])
            cells.append(f"{values.mean():.3f} ({low:+.3f} to {high:+.3f})")
        rows.append(f"| {variant}, {name} | {' | '.join(cells)} |")
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("set", type=Path)
    parser.add_argument("reports", type=Path)
    parser.add_argument("weights", type=Path)
    parser.add_argument("--views", type=int, default=4)
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS))
    parser.add_argument("--layers", nargs="+", default=["conv1", "conv2", "conv3"])
    parser.add_argument("--smoothing", nargs="+", type=float, default=[0.0, 4.0], help="mm")
    parser.add_argument("--save", type=Path, help="keep the averaged maps")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    discs = read_discs(arguments.set, arguments.reports, arguments.views)
    is_measured = halves(discs)
    tensors = load_file(arguments.weights)
    # Of a checkpoint the averaged weights.
    network = Network({name.removeprefix("mean."): value for name, value in tensors.items() if not name.startswith(("first.", "second.", "parameter."))})
    maps, shares, logits = defaultdict(list), [], []
    for disc in discs:
        trace = network.trace(disc.patches, disc.level)
        logits.append((trace.logits[0, 1] - trace.logits[0, 0]).item())
        shares.append(bias_shares(network, trace))
        for variant in arguments.variants:
            with torch.enable_grad():
                of_layers = network.evidence(trace, variant)
            for name in arguments.layers:
                views = of_layers[name].numpy()
                maps[variant, name].append(averaged(disc, [at_voxels(v, name, s) for v, s in zip(views, disc.slices)]))
    if arguments.save:
        np.savez(arguments.save, **{f"{variant}@{name}": np.array(of) for (variant, name), of in maps.items()})
    counts = [(len({d.patient for d, c in zip(discs, is_measured) if c == side}), int((is_measured == side).sum())) for side in (False, True)]
    print("Chosen on {} patients ({} discs), measured on {} ({}).\n".format(*counts[0], *counts[1]))
    ways = [f"{rule}, {mm:g} mm" for mm in arguments.smoothing for rule in ("largest of slice", "all")]
    print(f"| map, read at | {' | '.join(ways)} |\n|---|{'---|' * len(ways)}")
    for (variant, name), of in maps.items():
        print(row(f"{variant}, {name}", discs, of, arguments.smoothing, is_measured), flush=True)
    print("\n| product | largest of slice, 4 mm | above HiResCAM at Conv3 |\n|---|---|---|")
    print("\n".join(products(discs, maps, is_measured)))
    print("\n| with the mean map of other patients, share | 0 | 1/4 | 1/2 | 3/4 | 1 |\n|---|---|---|---|---|---|")
    print("\n".join(with_prior(discs, maps, is_measured)))
    fixed = fixed_place(discs)[is_measured]
    print(f"\nFixed place {fixed.mean():.3f}; whole slice {whole_slice(discs)[is_measured].mean():.3f}.")
    print("Share of positive biases in what excites a unit that answers: " + ", ".join(f"{name} {np.mean([s[name] for s in shares]):.2f}" for name in shares[0]))
    print(f"Logit of stenosis less that of none: median {np.median(logits):.2f}, above 3 on {np.mean(np.array(logits) > 3):.0%} of the discs.")


def whole_slice(discs):
    result = []
    for disc in discs:
        corners = disc.frames[0].to_image([(-0.5, -0.5), (-0.5, COLUMNS - 0.5), (ROWS - 0.5, -0.5), (ROWS - 0.5, COLUMNS - 0.5)])
        box = np.array(disc.box)
        # The turned slice as it lies; the box nearly always lies in it.
        area = ROWS * COLUMNS * (disc.frames[0].mm / disc.frames[0].pixel) ** 2
        inside = box_overlap(corners.min(0), corners.max(0), disc.box) > 0
        result.append(box[2] * box[3] / area if inside else 0.0)
    return np.array(result)


def bias_shares(network, trace):
    """By layer, the part of what excites the units that answer which comes from positive biases, and at FC7 from the level."""
    shares = {}
    with torch.no_grad():
        for (name, stride, padding, _), (x, answer) in list(zip(TRUNK, trace.steps))[1:]:
            excited = F.conv3d(x, network.w[f"{name}.weight"].clamp(min=0), None, stride, padding)
            bias = network.w[f"{name}.bias"].clamp(min=0).reshape(-1, 1, 1, 1)
            shares[name] = (bias / (excited + bias + 1e-12))[answer > 0].mean().item()
        for name, x, answer in (("fc6", trace.features, trace.fc6), ("fc7", trace.fc6, trace.fc7)):
            weight, bias = network.head(name)
            excited, bias = F.linear(x, weight.clamp(min=0)), bias.clamp(min=0)
            extra = trace.of_level if name == "fc7" else 0
            shares[name] = ((bias + extra) / (excited + bias + extra + 1e-12)).expand_as(answer)[answer > 0].mean().item()
    return shares


if __name__ == "__main__":
    main()
