"""What a recorder says of a run: intervals, latencies and snapshots that agree with the run."""

from __future__ import annotations

import time

import numpy as np
import pytest
from helpers import minibatches, tiny_network

from sgdni._util.shared import shared_zeros
from sgdni.parallel import Asynchronous, ModelParallel
from sgdni.schedules import Backprop, Decoupled, Recorder

SCHEDULES = {
    "backprop": lambda n: Backprop(n),
    "decoupled": lambda n: Decoupled(n),
    "model-parallel": lambda n: ModelParallel(n),
    "threads": lambda n: Asynchronous(n, queue_size=1, deterministic=True),
    "processes": lambda n: Asynchronous(n, workers="processes", queue_size=1, deterministic=True),
}


def recorded(name, batches, **options):
    network = tiny_network("backprop" if name in ("backprop", "model-parallel") else "cdni-ls")
    schedule = SCHEDULES[name](network)
    schedule.recorder = Recorder(network.modules, **options)
    list(schedule.run(batches))
    return schedule


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_module_does_everything_once_for_every_minibatch(name):
    recorder = recorded(name, minibatches(6)).recorder
    for worker in range(4):
        mine = [i for i in recorder.intervals if i.worker == worker]
        kinds = ["forward", "backward"]
        if name not in ("backprop", "model-parallel") and worker < 3:
            kinds += ["predict", "fit"]
        for kind in kinds:
            # a fit belongs to the minibatch it comes after, so only their number is sure
            steps = [i.step for i in mine if i.kind == kind]
            assert steps == list(range(6)) if kind != "fit" else len(steps) == 6
        assert all(recorder.began <= i.start <= i.end for i in mine)


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_locked_module_waits_for_those_above(name):
    recorder = recorded(name, minibatches(6)).recorder
    locked, whole = recorder.locked_seconds(), recorder.update_latencies()
    assert [len(track) for track in locked] == [6] * 4
    assert all(np.less_equal(a, b).all() for a, b in zip(locked, whole, strict=True))
    if name in ("backprop", "model-parallel"):  # the lower starts first and ends last
        for step in range(6):
            assert all(locked[i][step] > locked[i + 1][step] for i in range(3))


@pytest.mark.parametrize("name", SCHEDULES)
def test_the_loss_is_part_of_the_top_modules_forward(name):
    """The one convention for where its time belongs, in every schedule."""
    network = tiny_network("backprop" if name in ("backprop", "model-parallel") else "cdni-ls")
    times, calls, loss = shared_zeros((2, 6)), shared_zeros((1,), np.int64), network.loss

    def timed(h, y):
        times[0, calls[0]] = time.perf_counter()
        result = loss(h, y)
        times[1, calls[0]] = time.perf_counter()
        calls[0] += 1
        return result

    network.loss = timed
    schedule = SCHEDULES[name](network)
    schedule.recorder = Recorder(network.modules)
    list(schedule.run(minibatches(6)))
    top = [i for i in schedule.recorder.intervals if i.worker == 3 and i.kind != "queued"]
    forwards = [i for i in top if i.kind == "forward"]
    assert len(forwards) == 6
    for interval, start, end in zip(forwards, *times, strict=True):
        assert interval.start < start < end < interval.end
        # the next minibatch may be waiting meanwhile
        others = [i for i in top if i is not interval and i.kind != "queued"]
        assert all(i.end <= start or end <= i.start for i in others)


@pytest.mark.parametrize("name", SCHEDULES)
def test_snapshots_hold_the_weights_after_their_step(name):
    batches = minibatches(7)
    long = recorded(name, batches, snapshot_every=2, most=3)
    short = recorded(name, batches[:4])
    seconds = long.recorder.snapshots()
    assert len(seconds) == 3 and seconds == sorted(seconds) and seconds[0] > 0
    spare = tiny_network("backprop").modules
    long.recorder.load(1, spare)
    for ours, theirs in zip(spare, short.network.modules, strict=True):
        for kind in ("params", "buffers"):
            for key, array in getattr(ours, kind).items():
                np.testing.assert_array_equal(array, getattr(theirs, kind)[key])


def test_begin_forgets_the_run_before():
    schedule = recorded("backprop", minibatches(4), snapshot_every=2, most=2)
    schedule.recorder.begin()
    assert schedule.recorder.intervals == [] and schedule.recorder.snapshots() == []


@pytest.mark.parametrize("options", [{"snapshot_every": 0}, {"most": -1}])
def test_bad_options(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        Recorder(tiny_network().modules, **options)
