"""Links between workers: order, room, latency, bandwidth, and an end for everybody who waits."""

from __future__ import annotations

import math
import multiprocessing
import threading
import time
from typing import NamedTuple

import numpy as np
import pytest

from sgdni._util.arrays import copied
from sgdni._util.shared import shared_zeros
from sgdni.parallel.workers import Channel, ChannelClosed, Processes
from sgdni.parallel.workers.channel import arrays_in


def test_a_channel_keeps_order_capacity_and_latency():
    channel = Channel(capacity=2, latency=0.05)
    started = time.perf_counter()
    channel.put("a")
    channel.put("b")
    assert channel.get_nowait() is None
    assert channel.get() == "a" and time.perf_counter() - started >= 0.05
    assert channel.get() == "b"
    channel.put("c")
    channel.put("d")
    blocked = threading.Thread(target=lambda: channel.put("e"))
    blocked.start()
    assert channel.get() == "c"
    blocked.join(5)
    assert not blocked.is_alive() and [channel.get(), channel.get()] == ["d", "e"]


@pytest.mark.parametrize("wait", [lambda c: c.get(), lambda c: (c.put(1), c.put(2))])
def test_closing_a_channel_wakes_whoever_waits(wait):
    channel, ended = Channel(capacity=1), []

    def waiter():
        try:
            wait(channel)
        except ChannelClosed:
            ended.append("closed")

    thread = threading.Thread(target=waiter)
    thread.start()
    time.sleep(0.02)
    channel.close()
    thread.join(5)
    assert ended == ["closed"]
    with pytest.raises(ChannelClosed):
        channel.get_nowait()


def test_arrays_of_a_message_are_found_once():
    a, b = np.zeros(3), np.zeros(4)
    found = arrays_in((1, a, [b, b, None, (a, "text")]))
    assert sorted(len(x) for x in found) == [3, 4]


class Pair(NamedTuple):
    first: np.ndarray
    second: np.ndarray


def test_an_array_that_is_in_a_message_twice_is_copied_once():
    a = np.zeros(3)
    first, (second, other) = copied((a, [a, np.ones(2)]))
    assert first is second and first is not a and other is not first


def test_arrays_of_a_message_are_copied_however_deep_they_are():
    a, b, c, d = (np.zeros(2) for _ in range(4))
    channel = Channel()
    channel.put((a, (b, [c, None]), Pair(d, d), "text"))
    for array in a, b, c, d:
        array += 1
    first, (second, [third, none]), pair, text = channel.get()
    assert (none, text, type(pair)) == (None, "text", Pair)
    for array in first, second, third, *pair:
        assert not array.any()


def test_a_link_of_a_bandwidth_passes_one_message_after_another():
    """Each takes its bytes over the bandwidth, then the latency, which overlap."""
    channel, started = Channel(latency=0.02, bandwidth=8e4), time.perf_counter()
    for _ in range(3):
        channel.put((1, np.zeros(200)))  # 1,600 bytes: 0.02 s
    arrived = []
    for _ in range(3):
        channel.get()
        arrived.append(channel.arrived - started)
    assert arrived[0] >= 0.04 and np.allclose(np.diff(arrived), 0.02, atol=1e-9)


@pytest.mark.skipif("sys.platform != 'linux'", reason="processes are forked: Linux only")
def test_so_does_one_between_processes():
    team, arrived = Processes(), shared_zeros((3,))
    link = team.channel(4, 0.0, 4096, (0, 1), 8e4)

    def send(emit):
        for _ in range(3):
            link.put((1, np.zeros(200)))

    def receive(emit):
        for k in range(3):
            link.get()
            arrived[k] = link.arrived

    list(team.run([send, receive], lambda i: None, lambda i, state: None))
    assert (np.diff(arrived) > 0.02 - 1e-9).all()  # more, if the sender had to wait for a core
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize("options", [{"latency": -1}, {"bandwidth": 0}, {"latency": math.inf}])
def test_links_that_cannot_be_are_refused(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        Channel(**options)
