"""Convolution and pooling, forward and backward: against PyTorch, one thread each.

    OPENBLAS_NUM_THREADS=1 python benchmarks/image_speed.py \\
        --out benchmarks/records/image_speed.json

128 images, float32, 5 x 5 kernels that keep the size of the image, 2 x 2 pooling. All gradients are
asked for, but of the lowest layer's input. The contenders take turns in one process; every ratio is
a median of ratios within one turn. PyTorch has its images in its own order, channels first.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from tqdm import trange

from sgdni import Layer
from sgdni._util.blas import blas_threads
from sgdni.experiments.machine import describe
from sgdni.layers import AvgPool2D, Conv2D, MaxPool2D

BATCH = 128


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=40, help="turns (default: 40)")
    parser.add_argument("--out", type=Path, help="write the record here as JSON")
    args = parser.parse_args()
    try:
        import torch
    except ImportError:
        parser.error("PyTorch is not installed: there is nothing to compare with")
    torch.set_num_threads(1)
    rng, rows = np.random.default_rng(0), []
    conv, pool = torch.nn.functional.conv2d, torch.nn.functional
    with blas_threads(1):
        for name, layer, shape, theirs, lowest in (
            ("Conv2D 1 -> 16, 28 x 28, lowest", Conv2D(1, 16, 5, rng, padding=2), (28, 28, 1),
             lambda x, W, b: conv(x, W, b, padding=2), True),
            ("Conv2D 16 -> 32, 14 x 14", Conv2D(16, 32, 5, rng, padding=2), (14, 14, 16),
             lambda x, W, b: conv(x, W, b, padding=2), False),
            ("MaxPool2D, 28 x 28 x 16", MaxPool2D(2), (28, 28, 16),
             lambda x: pool.max_pool2d(x, 2), False),
            ("AvgPool2D, 28 x 28 x 16", AvgPool2D(2), (28, 28, 16),
             lambda x: pool.avg_pool2d(x, 2), False),
        ):
            ours, other = contenders(layer, shape, theirs, lowest, rng)
            times = measure((ours, other), args.turns)
            ratio = times[0] / times[1]
            rows.append({
                "layer": name, "milliseconds": 1e3 * float(np.median(times[0])),
                "pytorch_milliseconds": 1e3 * float(np.median(times[1])),
                "time_vs_pytorch": float(np.median(ratio)),
                "time_vs_pytorch_quartiles": np.percentile(ratio, [25, 75]).tolist()})
            row = rows[-1]
            print(f"{name:32} {row['milliseconds']:7.2f} ms, PyTorch "
                  f"{row['pytorch_milliseconds']:7.2f} ms: {row['time_vs_pytorch']:.2f} times")
    record = {"machine": describe("torch"), "threads": 1,
              "settings": {"batch": BATCH, "turns": args.turns, "dtype": "float32"}, "rows": rows}
    if args.out:
        args.out.write_text(json.dumps(record, indent=1) + "\n")


def contenders(layer: Layer, shape: tuple[int, int, int], theirs: Callable, lowest: bool,
               rng: np.random.Generator) -> tuple[Callable[[], object], Callable[[], object]]:
    """Return one pass forward and backward of ours, and of PyTorch's on the same numbers."""
    import torch

    x = rng.standard_normal((BATCH, *shape)).astype(np.float32)
    dy = rng.standard_normal(layer.forward(x).shape).astype(np.float32)

    def tensor(array: np.ndarray, axes: tuple[int, ...]) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(array.transpose(axes)))

    their_x, their_dy = tensor(x, (0, 3, 1, 2)), tensor(dy, (0, 3, 1, 2))
    params = []
    if layer.params:
        params = [tensor(layer.params["W"], (3, 2, 0, 1)), tensor(layer.params["b"], (0,))]
    asked = params if lowest else [*params, their_x]
    for t in asked:
        t.requires_grad_()

    def ours() -> None:
        layer.forward(x)
        layer.backward_params(dy) if lowest else layer.backward(dy)

    def other() -> None:
        torch.autograd.grad(theirs(their_x, *params), asked, their_dy)

    return ours, other


def measure(contenders: tuple[Callable[[], object], ...], turns: int) -> np.ndarray:
    """Return the seconds of each contender in each turn, (contenders, turns), after three more."""
    times = np.empty((len(contenders), turns + 3))
    for turn in trange(turns + 3, unit="turn", disable=None, leave=False):
        for k, run in enumerate(contenders):
            started = time.perf_counter()
            run()
            times[k, turn] = time.perf_counter() - started
    return times[:, 3:]


if __name__ == "__main__":
    main()
