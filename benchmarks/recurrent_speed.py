"""An LSTM's window, forward and backward: against its matrix products alone, and PyTorch.

    OPENBLAS_NUM_THREADS=1 python benchmarks/recurrent_speed.py \\
        --out benchmarks/records/recurrent_speed.json

128 inputs, 128 cells, 128 streams, 20 steps, float32, one thread each; all gradients are asked
for: of parameters, window and initial state. The contenders take turns in one process; every ratio
is a median of ratios within one turn.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from tqdm import trange

from sgdni import LSTM
from sgdni._util.arrays import flat_rows
from sgdni._util.blas import blas_threads
from sgdni.experiments.machine import describe

F32 = np.float32


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=128,
                        help="inputs, cells and streams (default: 128)")
    parser.add_argument("--steps", type=int, default=20, help="steps in a window (default: 20)")
    parser.add_argument("--turns", type=int, default=100, help="turns (default: 100)")
    parser.add_argument("--out", type=Path, help="write the record here as JSON")
    args = parser.parse_args()
    with blas_threads(1):
        times = measure(contenders(args.size, args.steps), args.turns)
    ours = times["sgdni"]
    rows = {
        name: {
            "milliseconds": 1e3 * float(np.median(t)),
            "time_vs_sgdni": float(np.median(t / ours)),
            "time_vs_sgdni_quartiles": np.percentile(t / ours, [25, 75]).tolist(),
        }
        for name, t in times.items()
    }
    for name, row in rows.items():
        low, high = row["time_vs_sgdni_quartiles"]
        print(f"{name:28} {row['milliseconds']:8.2f} ms, {row['time_vs_sgdni']:.2f} times sgdni's "
              f"time ({low:.2f}-{high:.2f})")
    record = {"machine": describe("torch"), "threads": 1,
              "settings": {"size": args.size, "steps": args.steps, "turns": args.turns,
                           "dtype": "float32"},
              "rows": rows}
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(json.dumps(record, indent=1) + "\n")


def measure(contenders: dict[str, Callable[[], object]], turns: int) -> dict[str, np.ndarray]:
    """Return the seconds of each contender in each turn, after three to warm up."""
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in trange(turns + 3, unit="turn", disable=None, leave=False):
        for name, run in contenders.items():
            started = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - started)
    return {name: np.array(t[3:]) for name, t in times.items()}


def contenders(size: int, steps: int) -> dict[str, Callable[[], object]]:
    """Return the same window, forward and backward, by each contender."""
    rng = np.random.default_rng(0)

    def draw(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape).astype(F32)

    layer = LSTM(size, size, rng)
    x, state = draw(steps, size, size), draw(size, 2 * size)
    d_outputs, d_final = draw(steps, size, size), draw(size, 2 * size)

    def ours() -> None:
        layer.forward((x, state))
        layer.backward((d_outputs, d_final))

    found = {"sgdni": ours, "its matrix products alone": products_alone(size, steps, draw)}
    try:
        found["pytorch eager"] = pytorch(size, x, state, d_outputs, d_final)
    except ImportError:
        print("PyTorch is not installed: measured without it")
    return found


def products_alone(size: int, steps: int, draw: Callable[..., np.ndarray]
                   ) -> Callable[[], object]:
    """Return all products of a window on arrays of the same shapes and layouts: the limit."""
    x, h, d_x, d_h = (draw(steps, size, size) for _ in range(4))
    a, d_a = draw(steps, size, 4 * size), draw(steps, size, 4 * size)
    U, A, d_U, d_A = (draw(size, 4 * size) for _ in range(4))
    product = draw(size, 4 * size)

    def run() -> None:
        np.matmul(flat_rows(x), U, out=flat_rows(a))
        for t in range(steps):
            np.matmul(h[t], A, out=product)
        for t in reversed(range(steps)):
            np.matmul(d_a[t], A.T, out=d_h[0])
        np.matmul(flat_rows(x).T, flat_rows(d_a), out=d_U)
        np.matmul(flat_rows(h).T, flat_rows(d_a), out=d_A)
        np.matmul(flat_rows(d_a), U.T, out=flat_rows(d_x))

    return run


def pytorch(size: int, x: np.ndarray, state: np.ndarray, d_outputs: np.ndarray,
            d_final: np.ndarray) -> Callable[[], object]:
    """Return the same by torch.nn.LSTM."""
    import torch

    torch.set_num_threads(1)
    layer = torch.nn.LSTM(size, size)
    parts = [state[:, :size], state[:, size:], d_final[:, :size], d_final[:, size:]]
    h, cell, d_h, d_cell = (torch.from_numpy(part.copy())[None] for part in parts)
    inputs = [torch.from_numpy(x), h, cell]
    for tensor in inputs:
        tensor.requires_grad_()
    cotangents = [torch.from_numpy(d_outputs), d_h, d_cell]

    def run() -> None:
        for tensor in (*inputs, *layer.parameters()):
            tensor.grad = None
        outputs, (h_end, cell_end) = layer(inputs[0], tuple(inputs[1:]))
        torch.autograd.backward([outputs, h_end, cell_end], cotangents)

    return run


if __name__ == "__main__":
    main()
