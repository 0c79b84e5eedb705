"""What a training step costs: against its matrix products alone, PyTorch, and the arithmetic.

    python benchmarks/step_cost.py --out benchmarks/records/step_cost.json

One BLAS thread each, 784-256-256-256-10 without batch normalisation, batch 128, float32; once with
momentum, the package's default, and once with plain SGD, which passes over memory half as often.
Local error on 784-256-256-256-256-10 with batch normalisation, by the number of its interfaces.
All contenders take turns, a block of steps each, in one process; every figure is a median of
ratios within one turn.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from tqdm import trange

from sgdni._util.blas import blas_threads
from sgdni.data import load, scale_pixels
from sgdni.experiments.accuracy import peers
from sgdni.experiments.machine import describe
from sgdni.experiments.products import Product, of_step, operations
from sgdni.runs.methods import build_network
from sgdni.runs.settings import Settings
from sgdni.schedules import Backprop, Decoupled

# The rate is tiny so that nothing diverges without batch normalisation; the work is the same.
SETTINGS = Settings(hidden=(256, 256, 256), batch_norm=False, batch_size=128, lr=1e-5)
DEEPER = replace(SETTINGS, hidden=(256,) * 4, batch_norm=True)
#: name: (method, what else differs)
DNI: dict[str, tuple[str, dict]] = {
    "cdni, fitted on every step": ("cdni", {}),
    "cdni-ls, fitted on every step": ("cdni-ls", {}),
    "cdni-ls, fitted on every 4th step": ("cdni-ls", {"fit_every": 4}),
}
LOCAL_ERROR: dict[str, tuple[str, dict]] = {
    f"local error, {len(cuts)} interface{'s' * (len(cuts) > 1)}, fitted on every {k}": (
        "local-error", {"cuts": cuts, "fit_every": every})
    for cuts in ((1,), (1, 2, 3, 4)) for every, k in ((1, "step"), (8, "8th step"))
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=40, help="turns (default: 40)")
    parser.add_argument("--steps", type=int, default=48, help="steps in a block (default: 48)")
    parser.add_argument("--out", type=Path, help="write the record here as JSON")
    args = parser.parse_args()
    with blas_threads(1):
        runs = []
        for settings, rivals in ((SETTINGS, DNI), (replace(SETTINGS, momentum=0.0), DNI),
                                 (DEEPER, LOCAL_ERROR)):
            runs.append(measure(settings, rivals, args.turns, args.steps))
            print(f"momentum {settings.momentum}, {len(settings.hidden)} hidden layers\n"
                  f"{render(runs[-1])}\n")
    record = {"machine": describe("torch"), "blas_threads": 1, "runs": runs}
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(json.dumps(record, indent=1) + "\n")


def measure(settings: Settings, rivals: dict, turns: int, steps: int) -> dict:
    """Run all contenders in turn; return the record of this run."""
    data = load("mnist-5k")
    rows = np.random.default_rng(0).choice(len(data.x_train), settings.batch_size, replace=False)
    # One minibatch for all steps: in training, too, it is fresh in the cache when a step starts.
    contenders, predicted = build(settings, rivals, scale_pixels(data.x_train[rows]),
                                  data.y_train[rows])
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in trange(turns + 1, unit="turn", disable=None, leave=False):
        for name, step in contenders.items():
            started = time.perf_counter()
            for _ in range(steps):
                step()
            if turn > 0:  # the first turn warms up
                times[name].append((time.perf_counter() - started) / steps)
    base = np.array(times["backprop"])
    rows = [
        {
            "contender": name,
            "milliseconds_per_step": 1e3 * float(np.median(t)),
            "images_per_second": settings.batch_size / float(np.median(t)),
            "cost_vs_backprop": float(np.median(np.array(t) / base)),
            "cost_vs_backprop_quartiles": np.percentile(np.array(t) / base, [25, 75]).tolist(),
            "predicted_cost_vs_backprop": predicted.get(name),
        }
        for name, t in times.items()
    ]
    return {
        "settings": {**settings.to_dict(), "turns": turns, "steps": steps},
        "rows": rows,
    }


def build(settings: Settings, rivals: dict, x: np.ndarray, y: np.ndarray
          ) -> tuple[dict[str, Callable[[], object]], dict[str, float]]:
    """Return each contender's step, and what the count of operations predicts of its cost."""
    def network(method: str, **changes):
        return build_network(method, replace(settings, **changes), 784, 10,
                             np.random.default_rng(0))

    backprop = Backprop(network("backprop"))
    products = of_step(backprop.network, settings.batch_size)
    alone = ProductsAlone(products, np.random.default_rng(0))
    contenders: dict[str, Callable[[], object]] = {
        "backprop": lambda: backprop.step(x, y),
        "its matrix products alone": alone.step,
    }
    predicted = {}
    for name, (method, changes) in rivals.items():
        fit_every = changes.get("fit_every", 1)
        schedule = Decoupled(network(method, **changes), fit_every=fit_every)
        ours = of_step(schedule.network, settings.batch_size, decoupled=True, fit_every=fit_every)
        predicted[name] = operations(ours) / operations(products)
        contenders[name] = lambda s=schedule: s.step(x, y)
    if "pytorch" not in peers.available()[1]:
        import torch

        torch.set_num_threads(1)
        layers = [layer for m in network("backprop").modules for layer in m.layers]
        model = peers.torch_model(layers)
        optimizer = peers.torch_optimizer(model, settings)
        contenders["pytorch eager"] = lambda: peers.torch_step(model, optimizer, x, y)
    return contenders, predicted


class ProductsAlone:
    """The same products on arrays of the same shapes and layouts, and nothing else: the limit."""

    def __init__(self, products: Sequence[Product], rng: np.random.Generator,
                 dtype: np.dtype = np.float32) -> None:
        if any(p.solve or p.per_step != 1 for p in products):
            raise ValueError("ProductsAlone: expected plain products, one each a step")

        def draw(rows: int, columns: int, transposed: bool) -> np.ndarray:
            shape = (columns, rows) if transposed else (rows, columns)
            array = rng.standard_normal(shape).astype(dtype)
            return array.T if transposed else array

        self._triples = [
            (draw(p.rows, p.inner, p.transposed == "left"),
             draw(p.inner, p.columns, p.transposed == "right"),
             np.empty((p.rows, p.columns), dtype))
            for p in products
        ]

    def step(self) -> None:
        """Compute every product once."""
        for left, right, out in self._triples:
            np.matmul(left, right, out=out)


def render(record: dict) -> str:
    """Return the record as a table."""
    lines = [f"{'contender':46} {'ms/step':>8} {'cost vs backprop':>17} {'predicted':>10} "
             f"{'measured/predicted':>19}"]
    for row in record["rows"]:
        cost, predicted = row["cost_vs_backprop"], row["predicted_cost_vs_backprop"]
        tail = f"{predicted:10.2f} {cost / predicted:19.2f}" if predicted else ""
        lines.append(
            f"{row['contender']:46} {row['milliseconds_per_step']:8.3f} {cost:17.2f} {tail}"
        )
    cost = {row["contender"]: row["cost_vs_backprop"] for row in record["rows"]}
    lines.append("")
    lines.append(
        f"Matrix products are {100 * cost['its matrix products alone']:.0f}% of a backprop step."
    )
    if "pytorch eager" in cost:
        lines.append(f"Backprop: {cost['pytorch eager']:.2f} times PyTorch eager's images/s.")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
