"""What the tests run in every rank: ``mpiexec -n 4 python mpi_programs.py NAME [ARGUMENTS]``."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers import TINY, assert_same_state, blobs, minibatches, tiny_network

from sgdni.parallel import Asynchronous, DataParallel, ModelParallel
from sgdni.parallel.workers import ChannelClosed, Mpi, ranks
from sgdni.parallel.workers.ranks import as_one, world
from sgdni.runs.methods import METHODS, build_trainer
from sgdni.schedules import Backprop, DivergenceError

CUTS = {2: (2,), 4: (1, 2, 3)}
PLAIN = {"batch_norm": False, "dtype": "float64"}


def as_in_turn() -> None:
    """In fixed order ranks train as modules in turn: losses, state and generators everywhere."""
    data, rank_cuts = blobs(np.random.default_rng(0)), CUTS[world().size]
    for method in METHODS:
        one = replace(TINY, fit_every=2, cuts=rank_cuts)
        changes = {"queue_size": 1, "deterministic": True} if METHODS[method].decoupled else {}
        turns = build_trainer(method, one, data)
        apart = build_trainer(method, replace(one, engine="mpi", **changes), data)
        for _ in range(2):
            a, b = turns.epoch(), apart.epoch()
            assert (a.train_loss, a.test_loss) == (b.train_loss, b.test_loss)
            assert a.sg_relative_error == b.sg_relative_error
        assert_same_state(turns.schedule, apart.schedule)
        for name, generator in turns.generators.items():
            assert generator.bit_generator.state == apart.generators[name].bit_generator.state


def every_minibatch_once() -> None:
    rank, cuts = world().rank, CUTS[world().size]
    for options in ({"queue_size": 1}, {"queue_size": 5}, {"queue_size": 2, "latency": 2e-3},
                    {"queue_size": 3, "deterministic": True}, None):
        net = tiny_network("cdni", cuts=cuts)
        schedule = (ModelParallel(net, workers="mpi", latency=1e-3) if options is None
                    else Asynchronous(net, workers="mpi", **options))
        seen, fitted, sizes = [], [], list(range(2, 40))  # each minibatch known by its size
        module, forward = net.modules[rank], net.modules[rank].forward

        def count(x, training=True, forward=forward, seen=seen):
            seen.append(len(x))
            return forward(x, training)

        module.forward = count
        if rank < len(net.interfaces):
            net.interfaces[rank].fit = lambda h, c, target, fitted=fitted: fitted.append(len(h))
        results = list(schedule.run(minibatches(1, size=n)[0] for n in sizes))
        assert seen == sizes and len(results) == len(sizes)
        if options is not None:
            assert fitted == (sizes if rank < len(net.interfaces) else [])
            assert int(schedule.state()["schedule.steps"]) == len(sizes)
        assert list(schedule.run([])) == []


def exceptions() -> None:
    """Raised in all ranks as it was, nothing taken over; and the next run finds a clean table."""
    class Unspeakable(Exception):
        def __reduce__(self):
            raise TypeError

    for make in (Asynchronous, ModelParallel):
        for where in (0, 2):
            for kind in (OSError, KeyboardInterrupt, Unspeakable):
                schedule = make(tiny_network("cdni"), workers="mpi")
                before = {name: array.copy() for name, array in schedule.state().items()}
                learn, calls = schedule.network.modules[where].learn, []

                def broken(*args, learn=learn, calls=calls, kind=kind, **kwargs):
                    calls.append(1)
                    if len(calls) == 5:
                        raise kind("broken on purpose")
                    return learn(*args, **kwargs)

                schedule.network.modules[where].learn = broken
                seen = RuntimeError if kind is Unspeakable else kind
                with pytest.raises(seen, match="broken on purpose") as caught:
                    list(schedule.run(minibatches(100)))
                assert caught.value.__notes__[0] == f"in rank {where} (module {where + 1})"
                assert "broken" in caught.value.__notes__[1]  # the traceback of the rank
                own = {f"module{world().rank + 1}.", f"interface{world().rank + 1}.", "schedule."}
                for name, array in schedule.state().items():
                    if not name.startswith(tuple(own)):
                        np.testing.assert_array_equal(array, before[name])
                again = make(tiny_network("cdni"), workers="mpi")
                assert len(list(again.run(minibatches(10)))) == 10


def leaving() -> None:
    """Who walks away from the results ends the run everywhere."""
    run = Asynchronous(tiny_network(), workers="mpi").run(minibatches(1) * 100_000)
    if world().rank == 0:
        for _ in run:
            break
        run.close()
    else:
        with pytest.raises(RuntimeError, match=r"rank 0 \(module 1\) has left the run"):
            list(run)


def one_module() -> None:
    one, rank = (tiny_network("backprop", cuts=()) for _ in range(2))
    turns, apart = Backprop(one), ModelParallel(rank, workers="mpi")
    assert list(turns.run(minibatches(8))) == list(apart.run(minibatches(8)))
    assert_same_state(turns, apart)


def bounded() -> None:
    """A sender waits for room, and notices meanwhile that the run is stopping."""
    team = Mpi()
    link = team.channel(2, 0.0, 0, (0, 1))

    def send(emit):
        link.put("one")
        link.put("two")
        emit("two sent")
        threading.Timer(0.2, setattr, (team, "stopping", True)).start()
        try:
            link.put("three")
            emit("three sent")
        except ChannelClosed:
            emit("no room")

    results = list(team.run([send, lambda emit: None], lambda i: {}, lambda i, state: None))
    assert results == ["two sent", "no room"]


def unlike() -> None:
    net = tiny_network()
    if world().rank == 1:
        net.modules[0].params["0.W"][0, 0] += 1
    with pytest.raises(ValueError, match=r"rank 1 \(module 2\): other weights or generators"):
        list(Asynchronous(net, workers="mpi").run(minibatches(3)))


def doubles(count: int, size: int = 10) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return minibatches whose rows 4 ranks cannot share evenly."""
    return [(x.astype(float), y) for x, y in minibatches(count, size)]


def data_parallel() -> None:
    """Backprop's weights at every step, to rounding, and the very same bits in all ranks."""
    def weights_before_each_step(network):
        seen, module = [], network.modules[0]

        def forward(x, training=True, run=module.forward):
            seen.append(np.concatenate([p.ravel() for m in network.modules
                                        for p in m.params.values()]))
            return run(x, training)

        module.forward = forward
        return seen

    for options in ({"optimizer": "sgd"}, {"optimizer": "adam", "weight_decay": 0.01}):
        one, many = (tiny_network("backprop", **PLAIN, **options) for _ in range(2))
        expected, ours = weights_before_each_step(one), weights_before_each_step(many)
        schedule = DataParallel(many, replicas=world().size, workers="mpi")
        for _ in range(2):  # and the second run goes on where the first has ended
            for a, b in zip(schedule.run(doubles(6)), list(Backprop(one).run(doubles(6))),
                            strict=True):
                assert a.loss == pytest.approx(b.loss, rel=1e-12) and a.accuracy == b.accuracy
        assert len(ours) == len(expected) == 12
        np.testing.assert_allclose(ours, expected, rtol=1e-12, atol=1e-14)
        for name, array in one.state().items():
            np.testing.assert_allclose(many.state()[name], array, rtol=1e-12, atol=1e-14)
        for theirs in world().allgather((ours, many.state())):
            np.testing.assert_array_equal(theirs[0], ours)
            for name, array in many.state().items():
                np.testing.assert_array_equal(theirs[1][name], array)


def data_parallel_by_name() -> None:
    """Epochs of a trainer; and with batch normalisation, statistics that all ranks agree on."""
    data, cuts = blobs(np.random.default_rng(0)), CUTS[world().size]
    for batch_norm in (False, True):
        settings = replace(TINY, cuts=cuts, **{**PLAIN, "batch_norm": batch_norm})
        one = build_trainer("backprop", settings, data)
        many = build_trainer("data-parallel", replace(settings, engine="mpi"), data)
        for _ in range(3):
            a, b = one.epoch(), many.epoch()
        if not batch_norm:
            assert a.test_loss == pytest.approx(b.test_loss, rel=1e-12)
        assert one.rng.bit_generator.state == many.rng.bit_generator.state
        state = many.schedule.state()
        for theirs in world().allgather(state):
            for name, array in state.items():
                np.testing.assert_array_equal(theirs[name], array, err_msg=name)


def data_parallel_averages() -> None:
    """Running statistics are the mean of the ranks': that of means is the whole minibatch's."""
    one, many = (tiny_network("backprop", dtype="float64") for _ in range(2))
    batch = doubles(1, size=8)
    list(Backprop(one).run(batch))
    list(DataParallel(many, replicas=world().size, workers="mpi").run(batch))
    ours, theirs = (n.modules[0].buffers["1.mean"] for n in (many, one))
    np.testing.assert_allclose(ours, theirs, rtol=1e-12)


def data_parallel_over_links() -> None:
    """2 (K - 1) latencies, and 2 (K - 1) / K of the gradients over the bandwidth, every step."""
    k = world().size
    for latency, bandwidth in ((0.05, np.inf), (0, 8e3)):
        network = tiny_network("backprop", **PLAIN)
        nbytes = sum(p.nbytes for m in network.modules for p in m.params.values())
        step = 2 * (k - 1) * (latency + nbytes / k / bandwidth)
        schedule = DataParallel(network, replicas=k, workers="mpi", latency=latency,
                                bandwidth=bandwidth)
        started = time.perf_counter()
        list(schedule.run(doubles(5)))
        assert 5 * step < time.perf_counter() - started < 6 * step + 1


def data_parallel_breaks() -> None:
    """In one rank alone, before and in the exchange: all end, and the next run is a clean one."""
    def make(replicas=4):
        return DataParallel(tiny_network("backprop", **PLAIN), replicas=replicas, workers="mpi")

    for kind, words in ((RuntimeError, "broken on purpose"), (DivergenceError, "of module 2")):
        schedule, calls = make(), []
        module = schedule.network.modules[1]

        def forward(x, training=True, run=module.forward, calls=calls, kind=kind):
            calls.append(1)
            if len(calls) == 3 and world().rank == 2:
                if kind is RuntimeError:
                    raise RuntimeError("broken on purpose")
                return run(x, training) * np.nan
            return run(x, training)

        module.forward = forward
        with pytest.raises(kind, match=words) as caught:
            list(schedule.run(doubles(100)))
        assert caught.value.__notes__[0] == "in rank 2 (module 3)" and len(calls) == 3
        assert len(list(make().run(doubles(10)))) == 10
    few = doubles(2) + doubles(1, size=3)
    with pytest.raises(ValueError, match="at least 4 rows, one for each worker, got 3"):
        list(make().run(few))
    with pytest.raises(ValueError, match="every worker can read"):
        list(make().run(iter(doubles(2))))
    with pytest.raises(ValueError, match="expected 3 ranks, one for each share of the minibatch"):
        make(replicas=3)
    other = doubles(2)
    other[1][0][0] += world().rank == 1
    with pytest.raises(ValueError, match=r"rank 1 \(module 2\): .* or other minibatches"):
        list(make().run(other))


def fails_alone() -> None:
    if world().rank == 1:
        raise RuntimeError("only here")
    world().Barrier()


def parent_of(process: int) -> int:
    return int(Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[1])


def dies(how: str) -> None:
    schedule = Asynchronous(tiny_network(), workers="mpi")
    ways = {"exit 0": lambda: os._exit(0), "exit 3": lambda: os._exit(3),
            "SIGKILL": lambda: os.kill(os.getpid(), signal.SIGKILL),
            "watcher": lambda: os.kill(os.getppid(), signal.SIGKILL),
            "proxy": lambda: os.kill(parent_of(os.getppid()), signal.SIGKILL)}
    if world().rank == 2:
        schedule.network.modules[2].learn = lambda *args, **kwargs: ways[how]()
    list(schedule.run(minibatches(1) * 100_000))


def main() -> int:
    name, *arguments = sys.argv[1:]
    if name == "stays_away":
        ranks.START_SECONDS = 2.0
        if os.environ["PMI_RANK"] == "1":
            return 0

    def action() -> int:
        globals()[name](*arguments)
        print(f"{name} passed")
        return 0

    return as_one(action)


if __name__ == "__main__":
    sys.exit(main())
