"""Schedules played through by hand-checkable costs."""

from __future__ import annotations

from itertools import cycle

import pytest
from helpers import TINY, minibatches

from sgdni.runs.methods import build_network
from sgdni.timeline import (
    SCHEDULES,
    LinkCost,
    Links,
    ModuleCost,
    idle_shares,
    measure_costs,
    measure_link,
    step_seconds,
)
from sgdni.timeline.balance import merged
from sgdni.timeline.gantt import draw

TWO = [ModuleCost(1.0, 2.0, 0.0, 0.25, 0.5), ModuleCost(1.0, 1.5, 0.5)]


def step(name, costs=TWO, **options):
    return step_seconds(SCHEDULES[name](costs, 40, **options), 40)


def test_locked_backprop_costs_the_sum():
    assert step("locked backprop") == pytest.approx(6)


def test_model_parallel_backprop_adds_two_latencies_a_link():
    assert step("model-parallel backprop") == pytest.approx(6)
    assert step("model-parallel backprop", latency=5) == pytest.approx(16)
    three = [ModuleCost(1, 1)] * 3
    assert step("model-parallel backprop", three, latency=5) == pytest.approx(6 + 4 * 5)


def test_decoupled_costs_the_slowest_worker_whatever_the_latency():
    slowest = 1 + 2 + 0.25 + 0.5
    assert step("decoupled") == pytest.approx(slowest)
    assert step("decoupled", latency=5, queue_size=8) == pytest.approx(slowest)
    assert step("decoupled", fit_every=4) == pytest.approx(1 + 2 + 0.25 + 0.5 / 4)


def test_a_short_queue_does_not_cover_a_long_latency():
    assert step("decoupled", latency=20, queue_size=1) == pytest.approx(20)
    assert step("decoupled", latency=20, queue_size=4) == pytest.approx(5)


def test_without_the_forward_lock_nobody_waits():
    steps = 6
    intervals = SCHEDULES["fully unlocked"](TWO, steps, latency=100)
    assert min(i.start for i in intervals if i.worker == 1) == 0
    assert not any(i.kind == "fit input" for i in intervals)  # nothing has come up yet
    fits = [i for i in SCHEDULES["fully unlocked"](TWO, steps, latency=5) if i.kind == "fit input"]
    assert fits[0].worker == 1 and fits[0].start >= 1 + 5 and len(fits) < steps
    locked = SCHEDULES["decoupled"](TWO, steps, latency=100)
    assert min(i.start for i in locked if i.worker == 1) == 101


def test_without_the_forward_lock_a_message_costs_when_it_comes():
    links, steps = Links(up=LinkCost(send=0.25, receive=0.5)), 12

    def seconds(kind, worker, **options):
        return [i.end - i.start for i in SCHEDULES["fully unlocked"](
            TWO, steps, links=links, **options) if (i.kind, i.worker) == (kind, worker)]

    assert set(seconds("forward", 1, latency=1000)) == {1.0}  # nothing to receive
    fits = seconds("fit input", 1)  # the newest of several teaches, all of them were received
    assert len(fits) < steps and {round(s, 9) % 0.5 for s in fits} == {0.0} and min(fits) == 1.0
    assert len(seconds("fit input", 1, fit_every=4)) <= 3
    sends = [round(s, 9) for s in seconds("forward", 0, fit_every=4)]
    assert sends == [1.25, 1.0, 1.0, 1.0] * 3


def test_data_parallel_workers_share_the_work_and_wait_for_the_ring():
    costs = [ModuleCost(4, 8, nbytes=60), ModuleCost(4, 4, 4, nbytes=30)]
    assert step("data-parallel backprop", costs) == pytest.approx(24 / 2)
    assert step("data-parallel backprop", costs, latency=5) == pytest.approx(12 + 2 * 5)
    # of K = 2 each passes 2 (K - 1) / K = 1 times the bytes: the upper module's 30 s at once, the
    # lower one's 60 s when those have passed, since computing it takes 4 s only
    assert step("data-parallel backprop", costs, bandwidth=1) == pytest.approx(8 + 30 + 60)
    assert step("data-parallel backprop", costs, bandwidth=20) == pytest.approx(12 + 3)
    four = [ModuleCost(1, 1, nbytes=10)] * 4
    assert step("data-parallel backprop", four, latency=1, bandwidth=6) == pytest.approx(
        1 + 0.25 + 4 * 10 * 6 / 4 / 6 + 6)


def test_delayed_gradients_keep_everybody_at_work():
    # with one minibatch under way it is model-parallel backprop
    assert step("delayed gradients", queue_size=1) == pytest.approx(6)
    assert step("delayed gradients", queue_size=1, latency=5) == pytest.approx(16)
    # else as fast as the slowest, if the queue covers the way
    assert step("delayed gradients") == pytest.approx(3)
    assert step("delayed gradients", latency=5) == pytest.approx(16 / 4)
    assert step("delayed gradients", latency=5, queue_size=16) == pytest.approx(3)


def test_bytes_pass_one_message_after_another():
    links = Links(up=LinkCost(nbytes=40), down=LinkCost(nbytes=20))
    assert step("model-parallel backprop", links=links, bandwidth=10) == pytest.approx(6 + 4 + 2)
    assert step("decoupled", links=links, bandwidth=10) == pytest.approx(4)  # the link's pace
    assert step("decoupled", links=links, bandwidth=100) == pytest.approx(3.75)
    assert step("delayed gradients", links=links, bandwidth=10) == pytest.approx(4)
    # a quarter of a message takes a quarter of the time, behind the other quarters
    pipelined = step("pipelined backprop", links=links, bandwidth=10)
    assert 6 < pipelined < step("model-parallel backprop", links=links, bandwidth=10)
    assert step("locked backprop", links=links, bandwidth=10) == pytest.approx(6)


def test_targets_fall_behind_on_a_link_that_is_too_narrow():
    links = Links(down=LinkCost(nbytes=50))
    intervals = SCHEDULES["decoupled"](TWO, 20, links=links, bandwidth=10)
    fits = [i.start for i in intervals if i.kind == "fit"]
    assert [b - a for a, b in zip(fits, fits[1:], strict=False)][-1] >= 3.75
    assert len(fits) < 20  # the last ones are still under way


def test_pipelining_overlaps_microbatches():
    equal = [ModuleCost(1, 1)] * 4
    plain = step("model-parallel backprop", equal)
    # m micro-batches through K stages, forward and back: (m + K - 1) / m of one worker's work
    assert step("pipelined backprop", equal, micro_batches=4) == pytest.approx(2 * 7 / 4)
    assert plain == pytest.approx(8)


@pytest.mark.parametrize("name", SCHEDULES)
def test_no_worker_does_two_things_at_once_and_all_work_is_done(name):
    intervals = SCHEDULES[name](TWO, 5, latency=0.3)
    for worker in {i.worker for i in intervals}:
        mine = sorted((i for i in intervals if i.worker == worker), key=lambda i: i.start)
        assert all(a.end <= b.start + 1e-9 for a, b in zip(mine, mine[1:], strict=False))
    busy = {kind: sum(i.end - i.start for i in intervals if i.kind == kind)
            for kind in ("forward", "backward")}
    assert busy["forward"] == pytest.approx(5 * 2)
    assert busy["backward"] == pytest.approx(5 * 4)


def test_merged_layers_keep_one_target_and_one_model():
    layers = [ModuleCost(1, 10, 0, 7, 8, 1), ModuleCost(2, 20, 100, 7, 8, 10),
              ModuleCost(3, 30, 200, 7, 8, 100), ModuleCost(4, 40, 400, 0, 0, 1000)]
    assert merged(layers, (1, 2, 3)) == layers
    assert merged(layers, (1,)) == [layers[0], ModuleCost(9, 90 + 600, 100, nbytes=1110)]
    assert merged(layers, ()) == [ModuleCost(10, 100 + 700, 0, nbytes=1111)]
    for cuts in ((0,), (4,), (2, 2), (3, 1)):
        with pytest.raises(ValueError, match="merged"):
            merged(layers, cuts)


def test_idle_shares_by_hand():
    def idle(name, **options):
        return idle_shares(SCHEDULES[name](TWO, 40, **options), 40)

    assert idle("locked backprop") == pytest.approx([0])
    assert idle("model-parallel backprop") == pytest.approx([3 / 6, 3 / 6])
    assert idle("model-parallel backprop", latency=3) == pytest.approx([9 / 12, 9 / 12])
    # the lower worker has 3.75 to do for each minibatch, the upper one 3
    assert idle("decoupled") == pytest.approx([0, 0.75 / 3.75])
    # without the forward lock each keeps its own pace
    assert idle("fully unlocked") == pytest.approx([0, 0])


@pytest.mark.parametrize("workers, together", [
    (None, True), ("threads", True), ("threads", False), ("processes", True), ("processes", False),
])
def test_measured_costs_are_there_for_every_operation(rng, workers, together):
    network = build_network("cdni-ls", TINY, 5, 3, rng)
    costs = measure_costs(network, cycle(minibatches(3)), workers, together=together,
                          repeats=10)
    assert len(costs) == 4
    assert [c.nbytes for c in costs] == [
        sum(p.nbytes for p in module.params.values()) for module in network.modules]
    assert all(c.forward > 0 and c.learn > 0 for c in costs)
    assert all(c.predict > 0 and c.fit > 0 for c in costs[:-1])
    assert costs[-1].predict == costs[-1].fit == costs[0].target == 0


def test_nobody_makes_targets_for_a_local_loss(rng):
    costs = measure_costs(build_network("local-loss", TINY, 5, 3, rng), cycle(minibatches(3)),
                          repeats=10)
    assert all(c.predict > 0 for c in costs[:-1])
    assert all(c.target == c.fit == 0 for c in costs)


def test_a_failing_operation_ends_the_measurement(rng):
    network = build_network("cdni", TINY, 5, 3, rng)

    def broken(delta, input_gradient=True):
        raise RuntimeError("broken on purpose")

    network.modules[2].learn = broken
    with pytest.raises(RuntimeError, match="broken on purpose"):
        measure_costs(network, cycle(minibatches(3)), "threads")


@pytest.mark.parametrize("together", ["threads", "processes"])
def test_a_message_takes_time_of_both_ends(rng, together):
    cost = measure_link((1, rng.standard_normal((16, 5))), together, latency=0.001, repeats=10)
    assert cost.nbytes == 16 * 5 * 8
    assert 0 < cost.send < 0.1 and 0 < cost.receive < 0.1 and cost.wake >= 0


def test_messages_delay_those_who_wait_for_them():
    links = Links(up=LinkCost(0.1, 0.2, 0.3), down=LinkCost(1, 2, 3))
    assert step("model-parallel backprop", links=links) == pytest.approx(6 + 0.6 + 6)
    # the slower worker: forward, predict, fit, backward, a message up and a target down
    assert step("decoupled", links=links) == pytest.approx(1 + 0.25 + 0.5 + 2 + 0.1 + 2)
    assert step("locked backprop", links=links) == pytest.approx(6)


def test_gantt_draws_a_panel_for_each_schedule():
    figure = draw({name: make(TWO, 4, latency=0.5) for name, make in SCHEDULES.items()})
    assert [axes.get_title(loc="left") for axes in figure.axes] == list(SCHEDULES)
    assert all(len(axes.collections) > 4 for axes in figure.axes)
