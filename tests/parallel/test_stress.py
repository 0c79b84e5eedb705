"""Many short runs over random cuts, queues, latencies and faults: nothing hangs, nothing is lost.

More of them: ``pytest tests/parallel/test_stress.py --stress 1000``.
"""

from __future__ import annotations

import multiprocessing
import threading
from dataclasses import replace

import numpy as np
import pytest
from helpers import TINY

from sgdni.parallel import Asynchronous, DataParallel, Delayed, ModelParallel
from sgdni.runs.methods import build_network


class Fault(Exception):
    """Injected on purpose."""


def one_run(seed: int, workers: str) -> None:
    """Run a random schedule with a random fault, or none, and check all that must hold."""
    rng = np.random.default_rng(seed)
    cuts = tuple(cut for cut in (1, 2, 3) if rng.random() < 0.6)
    settings = replace(TINY, cuts=cuts, seed=seed)
    kinds = [Asynchronous, ModelParallel, Delayed, DataParallel][: 3 + (workers == "processes")]
    kind = kinds[int(rng.integers(len(kinds)))]
    # Without an interface no method is decoupled, but the schedule may be: with one module.
    decoupled = kind is Asynchronous and cuts
    network = build_network("cdni" if decoupled else "backprop", settings, 5, 3, rng)
    options = {"latency": float(rng.choice([0, 0, 1e-4, 1e-3])), "workers": workers}
    if kind in (Asynchronous, Delayed):
        options |= {"queue_size": int(rng.integers(1, 6)), "deterministic": bool(rng.integers(2))}
    if kind is Asynchronous:
        p = float(rng.choice([0.5, 1.0]))
        options |= {"fit_every": int(rng.integers(1, 4)), "update_probability": p,
                    "rng": np.random.default_rng(seed) if p < 1 else None}
    if kind is DataParallel:
        options["replicas"] = int(rng.integers(1, 4))
    schedule = kind(network, **options)
    steps = int(rng.integers(1, 30))
    sizes = rng.permutation(np.arange(6, 6 + steps))[::-1]  # each of 3 workers needs 2 rows
    sizes[0] = 6 + steps  # the largest first: processes size their messages by it
    seen: list[list[int]] = [[] for _ in network.modules]
    fault = rng.choice(["none", "exception", "data", "walks away"])
    where, when = int(rng.integers(len(network.modules))), int(rng.integers(steps))

    def forward(i, h, run=schedule.forward):
        seen[i].append(len(h))
        if fault == "exception" and i == where and len(seen[i]) == when + 1:
            raise Fault
        return run(i, h)

    schedule.forward = forward

    def source():
        for step, size in enumerate(sizes):
            if fault == "data" and step == when:
                raise Fault
            yield np.full((size, 5), step, np.float32), np.zeros(size, int)

    results = []
    try:
        batches = source()
        if kind is DataParallel:  # every worker reads them
            batches = list(batches)
        for result in schedule.run(batches):
            results.append(result)
            if fault == "walks away":
                break
        assert fault in ("none", "walks away")
        if fault == "none":
            assert len(results) == steps
            if workers == "threads":
                assert seen == [list(sizes)] * len(seen)
    except Fault:
        assert fault in ("exception", "data")
        assert len(results) <= when
    assert [t for t in threading.enumerate() if t.name.startswith("sgdni")] == []
    assert multiprocessing.active_children() == []


def test_threads(stress):
    for seed in range(stress):
        one_run(seed, "threads")


@pytest.mark.skipif("sys.platform != 'linux'", reason="processes are forked: Linux only")
def test_processes(stress):
    for seed in range(stress // 5):
        one_run(seed, "processes")
