"""Evidence maps and gradients of learning computed with PyTorch, independently of the program: makes saliency.json
beside this file.

    python tests/golden/saliency.py            # needs torch, numpy, safetensors

Networks of seeded weights in two and three dimensions, and the weights that ship. Everything is computed in double
precision from the equations of Jamaludin et al. 2017, section 6, Zhang et al. 2016, and those named beside them; convolutions, pooling and their
gradients are PyTorch's. The 2-D network is built of 2-D convolutions. Of each map every 997th voxel is kept, with its sum,
its Euclidean norm and its greatest value. Learning: the cross-entropy of the last class of every grading, summed, and its
gradient to every parameter, of which every 97th number is kept.
"""

import json
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.numpy import load_file

SLICES, ROWS, COLUMNS = 9, 112, 224
STRIDE = 997
PARAMETER_STRIDE = 97
CLASSES = {
    "pfirrmann": 5,
    "disc_narrowing": 4,
    "upper_endplate_defect": 2,
    "lower_endplate_defect": 2,
    "upper_marrow_change": 2,
    "lower_marrow_change": 2,
    "spondylolisthesis": 2,
    "central_canal_stenosis": 2,
}
# Kernel [slice, row, column], stride and padding of the 3-D network; pooling after.
TRUNK = [
    ("conv1", (3, 7, 7), (1, 2, 2), (1, 3, 3), True),
    ("conv2", (3, 5, 5), (1, 1, 1), (1, 2, 2), True),
    ("conv3", (3, 3, 3), (1, 1, 1), (1, 1, 1), False),
    ("conv4", (9, 3, 3), (1, 1, 1), (0, 1, 1), False),
    ("conv5", (1, 3, 3), (1, 1, 1), (0, 1, 1), True),
]
# The same with a Conv4 that keeps the slices.
UNREDUCED = [
    (name, (3, 3, 3), (1, 1, 1), (1, 1, 1), False) if name == "conv4" else (name, *plan) for name, *plan in TRUNK
]
LAYERS = ["input", "conv1", "conv2", "conv3", "conv4", "conv5"]


def numbers(count, state):
    """Numbers in [-1, 1) of the linear congruential generator of Numerical Recipes."""
    values = np.empty(count)
    for index in range(count):
        state = (1664525 * state + 1013904223) % 2**32
        values[index] = state / 2**31 - 1
    return values


def seeded_weights(dimensions, channels, hidden, trunk=TRUNK):
    """Weights after Glorot, biases within 0.05, drawn tensor by tensor in the order of their names."""
    shapes, inputs = {}, SLICES if dimensions == 2 else 1
    for (name, kernel, *_), filters in zip(trunk, channels):
        depth = 1 if dimensions == 2 else kernel[0]
        shapes[f"{name}.weight"], shapes[f"{name}.bias"] = (filters, inputs, depth, *kernel[1:]), (filters,)
        inputs = filters
    pooled = 98 if trunk is TRUNK else 98 * SLICES
    for grading, classes in CLASSES.items():
        for layer, out, into in [("fc6", hidden, inputs * pooled), ("fc7", hidden, hidden), ("fc8", classes, hidden)]:
            shapes[f"{grading}.{layer}.weight"], shapes[f"{grading}.{layer}.bias"] = (out, into), (out,)
    weights = {}
    for index, name in enumerate(sorted(shapes)):
        shape = shapes[name]
        taps = int(np.prod(shape[2:])) if len(shape) > 1 else 1
        bound = np.sqrt(6 / ((shape[0] + shape[1]) * taps)) if len(shape) > 1 else 0.05
        weights[name] = (numbers(int(np.prod(shape)), 7919 * index + 1) * bound).astype(np.float32).reshape(shape)
    weights["input_mean"] = np.full(SLICES if dimensions == 2 else 1, 0.4, np.float32)
    return weights


def disc():
    """Voxels in [0, 1): blocks of equal noise, so that there is structure of every size."""
    noise = numbers(SLICES * ROWS * COLUMNS, 12345).reshape(SLICES, ROWS, COLUMNS) / 2 + 0.5
    coarse = noise[:, ::8, ::8].repeat(8, 1).repeat(8, 2)
    return (0.7 * coarse + 0.3 * noise).astype(np.float32)


class Guided(torch.autograd.Function):
    """A ReLU that lets through positive signals alone."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx, signal):
        (x,) = ctx.saved_tensors
        return signal.clamp(min=0) * (x > 0)


class Network:
    def __init__(self, dimensions, weights, plans=TRUNK):
        self.dimensions, self.plans = dimensions, plans
        self.weights = {name: torch.from_numpy(value.astype(np.float64)) for name, value in weights.items()}

    def convolve(self, plan, x, weight, bias=None):
        _, _, stride, padding, _ = plan
        if self.dimensions == 2:
            return F.conv2d(x, weight[:, :, 0], bias, stride[1:], padding[1:])
        return F.conv3d(x, weight, bias, stride, padding)

    def pool(self, x):
        return F.max_pool2d(x, 2) if self.dimensions == 2 else F.max_pool3d(x, (1, 2, 2))

    def shaped(self, voxels):
        """As Conv1 takes them: slices are channels in two dimensions."""
        return voxels[None] if self.dimensions == 2 else voxels[None, None]

    def forward(self, voxels, grading, relu):
        """Logits with what every layer read and gave."""
        w = self.weights
        mean = w["input_mean"].reshape(1, -1, 1, 1) if self.dimensions == 2 else w["input_mean"].reshape(1, -1, 1, 1, 1)
        x, trunk = self.shaped(voxels) - mean, []
        for plan in self.plans:
            rectified = relu(self.convolve(plan, x, w[f"{plan[0]}.weight"], w[f"{plan[0]}.bias"]))
            trunk.append((plan, x, rectified))
            x = self.pool(rectified) if plan[4] else rectified
        features = x.flatten(1)
        fc6 = relu(F.linear(features, w[f"{grading}.fc6.weight"], w[f"{grading}.fc6.bias"]))
        fc7 = relu(F.linear(fc6, w[f"{grading}.fc7.weight"], w[f"{grading}.fc7.bias"] + self.of_level(grading)))
        return F.linear(fc7, w[f"{grading}.fc8.weight"], w[f"{grading}.fc8.bias"]), trunk, x, (features, fc6, fc7)

    def of_level(self, grading):
        """What a disc of level L4-L5, the fifth of six, adds to FC7, where the network asks for the level."""
        w = self.weights
        if "level.weight" not in w:
            return 0
        return w[f"{grading}.fc7_level.weight"] @ torch.relu(w["level.weight"][:, 4] + w["level.bias"])

    def learning(self, voxels):
        """The cross-entropy of the last class of every grading, summed, and its gradient to every parameter."""
        names = [name for name in self.weights if name != "input_mean"]
        for name in names:
            self.weights[name].requires_grad_()
        loss = sum(
            F.cross_entropy(self.forward(voxels, grading, torch.relu)[0], torch.tensor([classes - 1]))
            for grading, classes in CLASSES.items()
        )
        gradients = torch.autograd.grad(loss, [self.weights[name] for name in names])
        for name in names:
            self.weights[name].requires_grad_(False)
        return loss.item(), {name: gradient.numpy().reshape(-1) for name, gradient in zip(names, gradients)}

    def gradient(self, voxels, grading, target, layer, method):
        voxels = voxels.clone().requires_grad_()
        logits, trunk, _, _ = self.forward(voxels, grading, Guided.apply if method == "guided" else torch.relu)
        at = voxels if layer == "input" else trunk[LAYERS.index(layer) - 1][2]
        (signal,) = torch.autograd.grad(logits[0, target], at)
        # HiResCAM: Draelos and Carin 2020, equation 3; LayerCAM: Jiang et al. 2021, equations 3 and 4.
        if method == "hi-res-cam":
            signal = signal * at
        elif method == "layer-cam":
            signal = signal.clamp(min=0) * at
        else:
            signal = signal.abs()
        return (signal if layer == "input" else self.summed(signal)).clamp(min=0)

    def excitation(self, voxels, grading, target, layer, contrastive):
        """Marginal winning probability, layer by layer."""
        w = self.weights
        _, trunk, pool5, (features, fc6, fc7) = self.forward(voxels, grading, torch.relu)
        top = torch.zeros(1, CLASSES[grading], dtype=torch.float64)
        top[0, target] = 1

        def through(layer, x, p):
            """p at the inputs x of a layer without bias whose weights are not negative."""
            x = x.detach().requires_grad_()
            z = layer(x)
            (back,) = torch.autograd.grad(z, x, torch.where(z > 0, p / torch.where(z > 0, z, 1), 0))
            return (x * back).detach()

        def linear(weight):
            return lambda x: F.linear(x, weight.clamp(min=0))

        p = through(linear(w[f"{grading}.fc8.weight"]), fc7, top)
        if contrastive:
            p = p - through(linear(-w[f"{grading}.fc8.weight"]), fc7, top)
        p = through(linear(w[f"{grading}.fc7.weight"]), fc6, p)
        p = through(linear(w[f"{grading}.fc6.weight"]), features, p).reshape(pool5.shape)
        for plan, x, rectified in reversed(trunk):
            if plan[4]:
                rectified = rectified.detach().requires_grad_()
                (p,) = torch.autograd.grad(self.pool(rectified), rectified, p)
            if layer == plan[0]:
                return self.summed(p).clamp(min=0)
            # Subtracting the mean is a bias: Conv1 reads the voxels themselves.
            x = self.shaped(voxels) if plan[0] == "conv1" else x
            p = through(lambda x: self.convolve(plan, x, w[f"{plan[0]}.weight"].clamp(min=0)), x, p)
        return p.reshape(SLICES, ROWS, COLUMNS).clamp(min=0)

    def summed(self, signal):
        """Sum over channels, [slices, rows, columns]."""
        return signal.sum(1) if self.dimensions == 2 else signal[0].sum(0)


def to_voxels(map_, layer):
    """A map of a layer at the size of the voxels; the outermost values are held."""
    map_ = map_.detach().numpy()
    if layer == "input":
        return map_
    step, first = {"conv1": (2, 0), "conv2": (4, 1)}.get(layer, (8, 3))
    rows = np.arange(map_.shape[1]) * step + first
    columns = np.arange(map_.shape[2]) * step + first
    wide = np.apply_along_axis(lambda line: np.interp(np.arange(COLUMNS), columns, line), 2, map_)
    voxels = np.apply_along_axis(lambda line: np.interp(np.arange(ROWS), rows, line), 1, wide)
    return voxels.repeat(SLICES, 0) if len(voxels) == 1 else voxels


def main():
    folder = Path(__file__).parent
    shipped = load_file(folder.parents[1] / "weights/grading-0.4.0/model.safetensors")
    small = ([3, 4, 5, 6, 7], 16)
    networks = [
        ("seeded-3d", Network(3, seeded_weights(3, *small)), "pfirrmann", 2),
        ("seeded-2d", Network(2, seeded_weights(2, *small)), "pfirrmann", 2),
        ("grading-0.4.0", Network(3, shipped), "upper_endplate_defect", 1),
    ]
    voxels = torch.from_numpy(disc().astype(np.float64))
    cases = []
    for name, network, grading, target in networks:
        logits = network.forward(voxels, grading, torch.relu)[0][0].detach().tolist()
        for method in ["gradient", "guided", "excitation", "contrastive-excitation", "hi-res-cam", "layer-cam"]:
            for layer in ["input", "conv1", "conv3", "conv5"]:
                if "excitation" in method:
                    map_ = network.excitation(voxels, grading, target, layer, method.startswith("contrastive"))
                else:
                    map_ = network.gradient(voxels, grading, target, layer, method)
                values = to_voxels(map_, layer).reshape(-1)
                cases.append({
                    "network": name, "grading": grading, "class": target, "method": method, "layer": layer,
                    "logits": [float(f"{value:.8g}") for value in logits], "sum": float(f"{values.sum():.8g}"),
                    "norm": float(f"{np.linalg.norm(values):.8g}"), "greatest": float(f"{values.max():.8g}"),
                    "values": [float(f"{value:.6g}") for value in values[::STRIDE]],
                })
    unreduced = Network(3, seeded_weights(3, *small, UNREDUCED), UNREDUCED)
    learning = []
    for name, network in [(name, network) for name, network, *_ in networks[:2]] + [("seeded-3d-unreduced", unreduced)]:
        loss, gradients = network.learning(voxels)
        learning.append({
            "network": name, "loss": float(f"{loss:.8g}"),
            "gradients": {
                parameter: {
                    "norm": float(f"{np.linalg.norm(gradient):.8g}"),
                    "values": [float(f"{value:.6g}") for value in gradient[::PARAMETER_STRIDE]],
                }
                for parameter, gradient in sorted(gradients.items())
            },
        })
    cases, learning = [",\n".join(json.dumps(case) for case in cases) for cases in (cases, learning)]
    text = f'{{"torch": "{torch.__version__}", "cases": [\n{cases}\n], "learning": [\n{learning}\n]}}\n'
    (folder / "saliency.json").write_text(text)


if __name__ == "__main__":
    main()
