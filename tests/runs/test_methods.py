"""Methods by name: which schedule each becomes, on which engine, over which links."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from helpers import TINY, blobs

from sgdni.parallel import DataParallel, Delayed, ModelParallel
from sgdni.runs.methods import METHODS, PARALLEL_METHODS, build_trainer, lookup
from sgdni.runs.settings import Settings

LINKED = replace(TINY, engine="processes", latency=1e-4, bandwidth=1e9, queue_size=3)


@pytest.mark.skipif("sys.platform != 'linux'", reason="processes are forked: Linux only")
@pytest.mark.parametrize("method, kind", [
    ("backprop", ModelParallel), ("data-parallel", DataParallel), ("delayed", Delayed)])
def test_every_parallel_method_learns_over_links(method, kind):
    trainer = build_trainer(method, LINKED, blobs(np.random.default_rng(5), n_train=480))
    schedule = trainer.schedule
    assert type(schedule) is kind
    assert (schedule.latency, schedule.bandwidth) == (1e-4, 1e9)
    for _ in range(10):
        trainer.epoch()
    assert trainer.history[-1].test_accuracy > 0.85
    trainer.dismiss()
    if kind is DataParallel:
        assert schedule.replicas == 4


def test_no_limit_is_no_limit():
    trainer = build_trainer("delayed", replace(TINY, engine="threads"),
                            blobs(np.random.default_rng(5)))
    assert trainer.schedule.bandwidth == math.inf


@pytest.mark.parametrize("method, engine", [
    ("data-parallel", "sequential"), ("data-parallel", "threads"), ("delayed", "sequential")])
def test_engines_that_cannot_do_it_are_refused(method, engine):
    with pytest.raises(ValueError, match=f"{method}: needs engine .*, got {engine}"):
        build_trainer(method, replace(TINY, engine=engine), blobs(np.random.default_rng(5)))


@pytest.mark.parametrize("changes", [{"cuts": ()}, {"hidden": (), "cuts": None}])
@pytest.mark.parametrize("method", METHODS)
def test_a_decoupled_method_needs_an_interface(method, changes):
    settings, data = replace(TINY, **changes), blobs(np.random.default_rng(5))
    if not METHODS[method].decoupled:
        assert len(build_trainer(method, settings, data).schedule.network.modules) == 1
        return
    with pytest.raises(ValueError, match=f"cuts: {method} needs an interface"):
        build_trainer(method, settings, data)


def test_unknown_names_get_all_the_known_ones():
    with pytest.raises(ValueError, match="backprop, .*delayed, got magic"):
        lookup("magic")
    assert METHODS.keys().isdisjoint(PARALLEL_METHODS)


@pytest.mark.parametrize("changes, complaint", [
    ({"cuts": (2, 1)}, r"cuts: expected increasing .* got \[2, 1\]"),
    ({"cuts": (1, 1)}, "cuts: expected increasing"), ({"cuts": (4,)}, "cuts"),
    ({"bandwidth": 0, "engine": "threads"}, "bandwidth: expected .* got 0"),
    ({"bandwidth": 1e6}, "bandwidth: needs engine threads"),
])
def test_settings_that_mean_nothing_are_refused(changes, complaint):
    with pytest.raises(ValueError, match=complaint):
        Settings(**changes)
