#!/usr/bin/env python3
"""Puts the program's times beside PyTorch's on this machine.

    pip install torch safetensors   # the CPU is used, whatever build of PyTorch this is
    python3 benches/compare.py layers [--rounds 3] [--threads 2]
    python3 benches/compare.py evidence
    python3 benches/compare.py decode   # needs pydicom, pylibjpeg, pylibjpeg-openjpeg, pyjpegls, SimpleITK; dcmdump of dcmtk
    python3 benches/compare.py window   # needs Xvfb and xdotool

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

try:
    import torch
except ImportError:  # Only layers and evidence compare with it.
    torch = None

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


def largest_speed():
    """Floating-point operations per second of a large product of matrices in PyTorch: what these cores reach at best."""
    size = 2048
    one, other = torch.rand(size, size), torch.rand(size, size)
    return 2 * size**3 / median_seconds(lambda: one @ other)


def operations(network, batch, layer):
    """Multiplications and additions of a convolution; the ways back need as many."""
    channels = [1, *WIDTHS[network]]
    index = [name for name, *_ in LAYERS].index(layer)
    _, size, kernel, stride, padding = LAYERS[index]
    voxels = math.prod((n + 2 * p - k) // s + 1 for n, k, s, p in zip(size, kernel, stride, padding))
    return 2 * batch * voxels * math.prod(kernel) * channels[index] * channels[index + 1]


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
    largest = largest_speed()
    print(f"A product of 2048 x 2048 matrices in PyTorch: {largest / 1e9:.0f} GFLOP/s; shares are of that.\n")
    print("| network, batch | layer | direction | program, ms | PyTorch, ms | ratio | share |\n|---|---|---|---|---|---|---|")
    for name in names:
        network, batch, layer, direction = name.split("-")
        ratio = theirs[name] / ours[name]
        share = "" if "pool" in layer else f"{operations(network, int(batch), layer) / ours[name] / largest:.0%}"
        print(f"| {network}, {batch} | {layer} | {direction.replace('_', ' ')} "
              f"| {ours[name] * 1e3:.2f} | {theirs[name] * 1e3:.2f} | {ratio:.2f} | {share} |")
    ratios = {name: theirs[name] / ours[name] for name in names if "pool" not in name}
    mean = math.exp(statistics.fmean(math.log(ratio) for ratio in ratios.values()))
    worst = min(ratios, key=ratios.get)
    print(f"\nConvolutions: geometric mean {mean:.2f}, least {ratios[worst]:.2f} ({worst}).")


def load_network():
    """The shipped grading network's tensors."""
    from safetensors.torch import load_file

    newest = sorted(ROOT.glob("weights/grading-[0-9].*/model.safetensors"))[-1]
    return {name: tensor.float() for name, tensor in load_file(newest).items()}


def plain_evidence(tensors, discs, grading, last_class):
    """Contrastive excitation written the plain way: each layer's rule by autograd, one grading at a time."""
    conv, pool, relu = torch.nn.functional.conv3d, torch.nn.functional.max_pool3d, torch.relu
    steps, x = [], discs - tensors["input_mean"]
    with torch.no_grad():
        for index, (name, _, _, stride, padding) in enumerate(LAYERS):
            weight = tensors[f"{name}.weight"]
            rectified = relu(conv(x, weight, tensors[f"{name}.bias"], stride, padding))
            steps.append((x, weight, stride, padding, rectified, index in (0, 1, 4)))
            x = pool(rectified, (1, 2, 2)) if index in (0, 1, 4) else rectified
        shape, units = x.shape, [x.flatten(1)]
        for layer in ("fc6", "fc7"):
            units.append(relu(units[-1] @ tensors[f"{grading}.{layer}.weight"].T + tensors[f"{grading}.{layer}.bias"]))

    def rule(x, p, forward):
        x = x.detach().requires_grad_()
        z = forward(x)
        share = torch.where(z > 0, p / z.clamp(min=1e-38), torch.zeros(()))
        return x.detach() * torch.autograd.grad(z, x, share)[0]

    linear = lambda w: lambda x: x @ w.clamp(min=0).T
    w8 = tensors[f"{grading}.fc8.weight"]
    top = torch.zeros(len(discs), len(w8))
    top[:, last_class] = 1
    p = rule(units[2], top, linear(w8)) - rule(units[2], top, linear(-w8))
    p = rule(units[1], p, linear(tensors[f"{grading}.fc7.weight"]))
    p = rule(units[0], p, linear(tensors[f"{grading}.fc6.weight"])).reshape(shape)
    for index in range(4, -1, -1):
        x, weight, stride, padding, rectified, pooled = steps[index]
        if pooled:
            rectified = rectified.detach().requires_grad_()
            p = torch.autograd.grad(pool(rectified, (1, 2, 2)), rectified, p)[0]
        if index > 0:
            p = rule(x, p, lambda x: conv(x, weight.clamp(min=0), None, stride, padding))
    map = p.sum(1).clamp(min=0)
    return torch.nn.functional.interpolate(map, scale_factor=2, mode="bilinear")


def evidence(arguments):
    """Ours with sampling and warping of every view; PyTorch's without."""
    tensors = load_network()
    gradings = {"pfirrmann": 4, "disc_narrowing": 3} | {
        name: 1
        for name in ("upper_endplate_defect", "lower_endplate_defect", "upper_marrow_change", "lower_marrow_change",
                     "spondylolisthesis", "central_canal_stenosis")
    }
    ours, theirs, text = [], [], ""
    env = dict(os.environ, RAYON_NUM_THREADS=str(arguments.threads))
    command = ["cargo", "bench", "--locked", "--no-default-features", "--bench", "evidence"]
    for _ in range(arguments.rounds):
        text = subprocess.run(command, cwd=ROOT, env=env, check=True, capture_output=True, text=True).stdout
        ours.append(json.loads(text.strip().splitlines()[-1]))
        one, eight = [], []
        for _ in range(6):
            disc = torch.rand(1, 1, 9, 112, 224)
            start = time.perf_counter()
            for index, (grading, last_class) in enumerate(gradings.items()):
                plain_evidence(tensors, disc, grading, last_class)
                if index == 0:
                    one.append(time.perf_counter() - start)
            eight.append(time.perf_counter() - start)
        theirs.append((150 * statistics.median(one), 150 * statistics.median(eight)))
    print(text.rsplit("\n", 2)[0])
    print("\n| seconds for 150 views | program | PyTorch, plain | ratio |\n|---|---|---|---|")
    for place, (what, key) in enumerate([("one grading", "fixed_150_one"), ("all eight", "fixed_150_eight")]):
        mine, other = statistics.median(run[key] for run in ours), statistics.median(run[place] for run in theirs)
        print(f"| {what} | {mine:.2f} | {other:.2f} | {other / mine:.2f} |")


def write_slices(folder, count, compress):
    """One sagittal series of slices of 512 x 512 pixels of 12 bits: soft shapes and the noise of a scanner."""
    import numpy
    import pydicom

    random = numpy.random.default_rng(1)
    rows, columns = numpy.mgrid[0:512, 0:512] / 512
    uid = pydicom.uid.generate_uid
    study, series, place = uid(), uid(), uid()
    for index in range(count):
        image = 900 + 700 * numpy.sin(9 * rows + 0.01 * index) * numpy.cos(7 * columns)
        image = numpy.clip(image + random.normal(0, 20, image.shape), 0, 4095).astype(numpy.uint16)
        data = pydicom.Dataset()
        data.SOPClassUID, data.SOPInstanceUID = pydicom.uid.MRImageStorage, uid()
        data.StudyInstanceUID, data.SeriesInstanceUID, data.FrameOfReferenceUID = study, series, place
        data.PatientID, data.PatientName, data.StudyDate, data.StudyTime = "BENCH", "Bench", "20260101", "120000"
        data.Modality, data.SeriesDescription, data.ImageType = "MR", "T2 TSE SAG LSPINE", ["ORIGINAL", "PRIMARY", "M"]
        data.BodyPartExamined, data.ScanningSequence, data.EchoTime, data.RepetitionTime = "LSPINE", "SE", "100", "3500"
        data.SeriesNumber, data.InstanceNumber = "1", str(index + 1)
        data.ImagePositionPatient, data.ImageOrientationPatient = [str(0.5 * index), "0", "0"], ["0", "1", "0", "0", "0", "-1"]
        data.PixelSpacing, data.SliceThickness = ["0.5", "0.5"], "0.5"
        data.SamplesPerPixel, data.PhotometricInterpretation, data.Rows, data.Columns = 1, "MONOCHROME2", 512, 512
        data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 12, 11, 0
        data.PixelData = image.tobytes()
        data.file_meta = pydicom.dataset.FileMetaDataset()
        data.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
        if compress:
            data.compress(compress)
        data.save_as(folder / f"{index:04}.dcm", enforce_file_format=True)


def decode(arguments):
    """A series of 512 x 512 pixels a slice: its headers and pixels against pydicom, SimpleITK and dcmdump."""
    import shutil
    import tempfile

    import pydicom
    import SimpleITK

    codings = {
        "uncompressed": (arguments.slices, None),
        "RLE": (arguments.slices, pydicom.uid.RLELossless),
        "JPEG-LS": (arguments.slices // 4, pydicom.uid.JPEGLSLossless),
        "JPEG 2000": (arguments.slices // 4, pydicom.uid.JPEG2000Lossless),
    }
    env = dict(os.environ, RAYON_NUM_THREADS=str(arguments.threads))
    SimpleITK.ProcessObject.SetGlobalDefaultNumberOfThreads(arguments.threads)
    bench = ["cargo", "bench", "--locked", "--no-default-features", "--bench", "decode"]
    subprocess.run([*bench, "--no-run"], cwd=ROOT, check=True)

    def seconds(work):
        start = time.perf_counter()
        work()
        return time.perf_counter() - start

    print("| slices | what | program, s | other | s | ratio | memory / voxels |\n|---|---|---|---|---|---|---|")
    for coding, (count, syntax) in codings.items():
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            write_slices(folder, count, syntax)
            files = sorted(folder.iterdir())
            ours, theirs = [], {}

            def other(what, name, work):
                theirs.setdefault((what, name), []).append(seconds(work))

            def series():
                SimpleITK.ReadImage([str(file) for file in files])

            for _ in range(arguments.rounds):
                text = subprocess.run([*bench, "--", folder], cwd=ROOT, env=env, check=True, capture_output=True, text=True)
                ours.append(json.loads(text.stdout.strip().splitlines()[-1]))
                other("headers", "pydicom", lambda: [pydicom.dcmread(file, stop_before_pixels=True) for file in files])
                other("pixels", "pydicom", lambda: [pydicom.dcmread(file).pixel_array for file in files])
                other("pixels", "SimpleITK", series)
                if shutil.which("dcmdump"):
                    dump = ["dcmdump", "+P", "ImagePositionPatient", *files]
                    other("headers", "dcmdump", lambda: subprocess.run(dump, stdout=subprocess.DEVNULL))
            total = sum(float(pydicom.dcmread(file).pixel_array.sum()) for file in files)
            assert ours[0]["sum"] == total, "the program decodes other values"
            memory = statistics.median(one["memory"] for one in ours)
            for (what, name), times in theirs.items():
                mine, time_of = statistics.median(one[what] for one in ours), statistics.median(times)
                print(f"| {count} {coding} | {what} | {mine:.3f} | {name} | {time_of:.3f} | {time_of / mine:.1f} | {memory:.2f} |")


def window(arguments):
    """Process start to a visible window, without a graphics card."""
    subprocess.run(["cargo", "build", "--release", "--locked"], cwd=ROOT, check=True)
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    display = ":97"
    server = subprocess.Popen(["Xvfb", display, "-screen", "0", "1280x800x24"], stderr=subprocess.DEVNULL)
    env = dict(os.environ, DISPLAY=display)
    env.pop("WAYLAND_DISPLAY", None)
    times = []
    try:
        time.sleep(1)
        for _ in range(arguments.rounds):
            start = time.perf_counter()
            program = subprocess.Popen([target / "release" / "spinenet"], env=env, stderr=subprocess.DEVNULL)
            search = ["xdotool", "search", "--sync", "--onlyvisible", "--pid", str(program.pid)]
            subprocess.run(search, env=env, check=True, stdout=subprocess.DEVNULL, timeout=60)
            times.append(time.perf_counter() - start)
            program.terminate()
            program.wait()
    finally:
        server.terminate()
    print(f"process start to visible window: {statistics.median(times):.2f} s (Xvfb, software Vulkan)")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["layers", "evidence", "decode", "window"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--slices", type=int, default=1000, help="of the series to decode; a quarter where it is slow to write")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    arguments = parser.parse_args()
    version = "is not here"
    if torch:
        torch.set_num_threads(arguments.threads)
        version = torch.__version__
    print(f"{machine()}, {arguments.threads} threads, PyTorch {version}, "
          f"{datetime.date.today()}, medians of {arguments.rounds} rounds\n")
    {"layers": layers, "evidence": evidence, "decode": decode, "window": window}[arguments.what](arguments)


if __name__ == "__main__":
    main()
