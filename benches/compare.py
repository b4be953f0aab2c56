#!/usr/bin/env python3
"""Puts the program's times beside PyTorch's on this machine.

    pip install torch            # the CPU is used, whatever build this is
    python3 benches/compare.py layers [--rounds 3] [--threads 2]

Each round times the program (`cargo bench`) and PyTorch one after the other, so that a machine whose speed drifts treats
both alike; the table shows medians over the rounds and their ratio (above 1: the program is faster).
"""

import argparse
import datetime
import json
import math
import os
import pathlib
import platform
import statistics
import subprocess
import time

import torch

ROOT = pathlib.Path(__file__).resolve().parent.parent
WIDTHS = {"paper": [96, 256, 512, 512, 512], "shipped": [16, 32, 64, 64, 64]}
LAYERS = [
    ("conv1", (9, 112, 224), (3, 7, 7), (1, 2, 2), (1, 3, 3)),
    ("conv2", (9, 28, 56), (3, 5, 5), (1, 1, 1), (1, 2, 2)),
    ("conv3", (9, 14, 28), (3, 3, 3), (1, 1, 1), (1, 1, 1)),
    ("conv4", (9, 14, 28), (9, 3, 3), (1, 1, 1), (0, 1, 1)),
    ("conv5", (1, 14, 28), (1, 3, 3), (1, 1, 1), (0, 1, 1)),
]


def median_seconds(work, least_seconds=0.6, most_runs=200):
    work()
    times, start = [], time.perf_counter()
    while len(times) < 5 or (time.perf_counter() - start < least_seconds and len(times) < most_runs):
        before = time.perf_counter()
        work()
        times.append(time.perf_counter() - before)
    return statistics.median(times)


def torch_layers():
    """Seconds by the names that `benches/layers.rs` uses."""
    seconds = {}
    with torch.no_grad():
        for network, widths in WIDTHS.items():
            for batch in (1, 8):
                channels = 1
                for (name, size, kernel, stride, padding), filters in zip(LAYERS, widths):
                    x = torch.rand(batch, channels, *size)
                    w = torch.rand(filters, channels, *kernel)
                    y = torch.conv3d(x, w, None, stride, padding)
                    g = torch.rand_like(y)

                    def backward(to_input, to_weights):
                        torch.ops.aten.convolution_backward(
                            g, x, w, None, stride, padding, (1, 1, 1), False, (0, 0, 0), 1, (to_input, to_weights, False)
                        )

                    def put(layer, direction, work):
                        seconds[f"{network}-{batch}-{layer}-{direction}"] = median_seconds(work)

                    put(name, "forward", lambda: torch.conv3d(x, w, None, stride, padding))
                    put(name, "to_input", lambda: backward(True, False))
                    put(name, "to_weights", lambda: backward(False, True))
                    if name == "conv1":
                        flat = y.flatten(1, 2)
                        pooled, where = torch.nn.functional.max_pool2d(flat, 2, return_indices=True)
                        h = torch.rand_like(pooled)
                        pool = torch.ops.aten.max_pool2d_with_indices_backward
                        put("pool1", "forward", lambda: torch.nn.functional.max_pool2d(flat, 2))
                        put("pool1", "to_input", lambda: pool(h, flat, (2, 2), (2, 2), (0, 0), (1, 1), False, where))
                    channels = filters
    return seconds


def cargo_bench(bench, threads):
    """Median seconds by name, as criterion wrote them."""
    env = dict(os.environ, RAYON_NUM_THREADS=str(threads))
    subprocess.run(["cargo", "bench", "--locked", "--no-default-features", "--bench", bench], cwd=ROOT, env=env, check=True, stdout=subprocess.DEVNULL)
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    estimates = target.glob("criterion/*/new/estimates.json")
    return {path.parent.parent.name: json.loads(path.read_text())["median"]["point_estimate"] * 1e-9 for path in estimates}


def machine():
    model = platform.processor() or platform.machine()
    info = pathlib.Path("/proc/cpuinfo")
    if info.exists():
        lines = info.read_text().splitlines()
        model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), model)
    return model


def layers(arguments):
    rounds = []
    for _ in range(arguments.rounds):
        rounds.append((cargo_bench("layers", arguments.threads), torch_layers()))
    names = list(rounds[0][1])
    ours = {name: statistics.median(r[0][name] for r in rounds) for name in names}
    theirs = {name: statistics.median(r[1][name] for r in rounds) for name in names}
    print("| network, batch | layer | direction | program, ms | PyTorch, ms | ratio |\n|---|---|---|---|---|---|")
    for name in names:
        network, batch, layer, direction = name.split("-")
        ratio = theirs[name] / ours[name]
        print(f"| {network}, {batch} | {layer} | {direction.replace('_', ' ')} "
              f"| {ours[name] * 1e3:.2f} | {theirs[name] * 1e3:.2f} | {ratio:.2f} |")
    ratios = {name: theirs[name] / ours[name] for name in names if "pool" not in name}
    mean = math.exp(statistics.fmean(math.log(ratio) for ratio in ratios.values()))
    worst = min(ratios, key=ratios.get)
    print(f"\nConvolutions: geometric mean {mean:.2f}, least {ratios[worst]:.2f} ({worst}).")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["layers"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    print(f"{machine()}, {arguments.threads} threads, PyTorch {torch.__version__}, "
          f"{datetime.date.today()}, medians of {arguments.rounds} rounds\n")
    {"layers": layers}[arguments.what](arguments)


if __name__ == "__main__":
    main()
