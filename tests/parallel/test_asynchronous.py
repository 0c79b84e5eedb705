"""Modules in threads: the same learning, every minibatch once, and no thread left behind."""

from __future__ import annotations

import _thread
import threading
import time
from dataclasses import replace

import numpy as np
import pytest
from helpers import TINY, assert_same_state, blobs, minibatches, tiny_network

from sgdni._util.blas import blas_libraries, blas_threads
from sgdni.parallel import Asynchronous, Delayed, ModelParallel
from sgdni.runs.methods import build_trainer
from sgdni.schedules import Backprop, Decoupled, DivergenceError
from sgdni.training import Trainer, checkpoint


def threads_left():
    return [t.name for t in threading.enumerate() if t.name.startswith("sgdni")]


@pytest.mark.parametrize("cuts", [(2,), (1, 3), (1, 2, 3)])
@pytest.mark.parametrize("method, p, fit_every", [
    ("cdni", 1.0, 1), ("cdni-ls", 1.0, 3), ("dni", 0.5, 2),
])
def test_queues_of_one_in_fixed_order_is_the_sequential_schedule(cuts, method, p, fit_every):
    options = {"fit_every": fit_every, "update_probability": p}
    turns = Decoupled(tiny_network(method, cuts=cuts), rng=np.random.default_rng(2), **options)
    threads = Asynchronous(tiny_network(method, cuts=cuts), rng=np.random.default_rng(2),
                           queue_size=1, deterministic=True, **options)
    assert list(turns.run(minibatches(12))) == list(threads.run(minibatches(12)))
    assert_same_state(turns, threads)


@pytest.mark.parametrize("cuts", [(2,), (1, 2, 3)])
def test_model_parallel_is_backprop(cuts):
    one, split = Backprop(tiny_network("backprop", cuts=cuts)), ModelParallel(
        tiny_network("backprop", cuts=cuts), latency=1e-4)
    assert list(one.run(minibatches(8))) == list(split.run(minibatches(8)))
    assert_same_state(one, split)


@pytest.mark.parametrize("make", [Asynchronous, ModelParallel, Delayed])
def test_links_of_a_bandwidth_are_waited_for(make):
    """Every h (8, 7), of 4 bytes a number, passes a link that holds it up for 0.05 s."""
    schedule = make(tiny_network("cdni", cuts=(2,)), bandwidth=8 * 7 * 4 / 0.05)
    started = time.perf_counter()
    list(schedule.run(minibatches(8)))
    assert time.perf_counter() - started > 8 * 0.05


def test_deterministic_runs_repeat_at_any_queue_size():
    runs = []
    for _ in range(3):
        schedule = Asynchronous(tiny_network(), queue_size=3, deterministic=True)
        list(schedule.run(minibatches(20)))
        runs.append(schedule)
    assert_same_state(runs[0], runs[1])
    assert_same_state(runs[0], runs[2])
    sequential = Decoupled(tiny_network())
    list(sequential.run(minibatches(20)))
    with pytest.raises(AssertionError):  # targets come later, so this is another trajectory
        assert_same_state(runs[0], sequential)


@pytest.mark.parametrize("make", [
    lambda n: Asynchronous(n, queue_size=2), lambda n: Asynchronous(n, queue_size=1, latency=1e-4),
    lambda n: Asynchronous(n, queue_size=3, deterministic=True), lambda n: ModelParallel(n),
])
def test_every_module_handles_every_minibatch_once_in_order(make):
    schedule = make(tiny_network("cdni"))
    seen = [[] for _ in schedule.network.modules]
    fitted = [0 for _ in schedule.network.interfaces]
    for i, module in enumerate(schedule.network.modules):
        def forward(x, training=True, i=i, run=module.forward):
            seen[i].append(len(x))
            return run(x, training)
        module.forward = forward
    for i, interface in enumerate(schedule.network.interfaces):
        def fit(h, c, target, i=i):
            fitted[i] += len(h) == len(c) == len(target)
        interface.fit = fit
    sizes = list(range(2, 22))  # each minibatch known by its size
    results = list(schedule.run(minibatches(1, size=n)[0] for n in sizes))
    assert seen == [sizes] * len(seen)
    assert len(results) == len(sizes)
    if isinstance(schedule, Asynchronous):
        assert fitted == [len(sizes)] * len(fitted)


@pytest.mark.parametrize("make", [lambda n: Asynchronous(n, queue_size=1), ModelParallel])
@pytest.mark.parametrize("module", [0, 1, 3])
@pytest.mark.parametrize("method", ["forward", "learn"])
def test_an_exception_in_a_module_is_raised_as_it_was(make, module, method):
    schedule = make(tiny_network("cdni"))
    calls, run = [], getattr(schedule.network.modules[module], method)

    def broken(*args, **kwargs):
        calls.append(1)
        if len(calls) == 5:
            raise RuntimeError("broken on purpose")
        return run(*args, **kwargs)

    setattr(schedule.network.modules[module], method, broken)
    with pytest.raises(RuntimeError, match="broken on purpose"):
        list(schedule.run(minibatches(1000)))
    assert len(calls) == 5 and threads_left() == []


def test_an_exception_in_the_data_is_raised_as_it_was():
    def source():
        yield from minibatches(3)
        raise OSError("disk gone")

    with pytest.raises(OSError, match="disk gone"):
        list(Asynchronous(tiny_network()).run(source()))
    assert threads_left() == []


@pytest.mark.parametrize("make", [lambda n: Asynchronous(n, queue_size=8), ModelParallel])
@pytest.mark.parametrize("module", [0, 2])
@pytest.mark.parametrize("quantity", ["activations", "gradients"])
def test_divergence_names_step_module_and_quantity(make, module, quantity):
    """However far the failing module is ahead of the results."""
    net = tiny_network("cdni")
    broken, calls = net.modules[module], []
    if quantity == "activations":
        def forward(x, training=True, run=broken.forward):
            calls.append(1)
            return run(x, training) * (np.nan if len(calls) == 4 else 1)
        broken.forward = forward
    else:
        def check(number, what, array):
            if number == module + 1 and what == "gradients":
                calls.append(1)
                if len(calls) == 4:
                    raise DivergenceError(what, np.inf, 1.0, number)
    schedule = make(net)
    if quantity == "gradients":
        schedule.guard.check = check
    data = blobs(np.random.default_rng(0), n_train=480)
    trainer = Trainer(schedule, data, batch_size=16, rng=np.random.default_rng(0))
    place = f"epoch 1, step 4: .*{quantity} of module {module + 1} "
    with np.errstate(invalid="ignore"), pytest.raises(DivergenceError, match=place):
        trainer.epoch()
    assert threads_left() == []


def test_targets_are_fitted_as_they_arrive_and_not_at_the_end():
    """The data stand still until a fit has happened: only a running schedule can go on."""
    schedule, fitted = Asynchronous(tiny_network("cdni"), queue_size=2), threading.Event()
    schedule.network.interfaces[0].model.fit = lambda h, c, target: fitted.set()

    def source():
        for number, batch in enumerate(minibatches(30)):
            if number == 29:
                assert fitted.wait(10)
            yield batch
            time.sleep(0.002)

    assert len(list(schedule.run(source()))) == 30


@pytest.mark.parametrize("make", [Asynchronous, ModelParallel])
def test_each_module_computes_with_one_blas_thread(make):
    schedule, counts = make(tiny_network("cdni")), set()

    def forward(x, training=True, run=schedule.network.modules[1].forward):
        counts.update(library["num_threads"] for library in blas_libraries())
        return run(x, training)

    schedule.network.modules[1].forward = forward
    with blas_threads(2):
        list(schedule.run(minibatches(3)))
    assert counts <= {1}


@pytest.mark.parametrize("make", [lambda n: Asynchronous(n, latency=60.0),
                                  lambda n: ModelParallel(n, latency=60.0)])
def test_ctrl_c_while_everybody_waits_stops_all_threads_at_once(make):
    def forever():
        while True:
            yield from minibatches(1)

    run = make(tiny_network("cdni")).run(forever())
    started = time.perf_counter()
    threading.Timer(0.05, _thread.interrupt_main).start()
    with pytest.raises(KeyboardInterrupt):
        next(run)
    assert time.perf_counter() - started < 10  # a message would have taken a minute
    assert threads_left() == []


def test_interrupt_in_the_consumer_leaves_no_thread():
    schedule = Asynchronous(tiny_network(), queue_size=1)
    with pytest.raises(KeyboardInterrupt):
        for _ in schedule.run(minibatches(1) * 10_000):
            raise KeyboardInterrupt
    assert threads_left() == []


@pytest.mark.parametrize("engine", ["threads", pytest.param(
    "processes", marks=pytest.mark.skipif("sys.platform != 'linux'", reason="Linux only"))])
def test_deterministic_training_resumes_bit_for_bit(tmp_path, engine):
    """No message is under way between epochs, so a checkpoint holds everything."""
    data = blobs(np.random.default_rng(0))
    settings = replace(TINY, engine=engine, queue_size=2, deterministic=True)
    straight, first, second = (build_trainer("cdni-stochastic", settings, data) for _ in range(3))
    straight.epoch()
    straight.epoch()
    first.epoch()
    checkpoint.save(tmp_path / "run.npz", first, {})
    checkpoint.restore(tmp_path / "run.npz", second)
    second.epoch()
    assert_same_state(straight.schedule, second.schedule)


@pytest.mark.parametrize("method, kind", [("backprop", ModelParallel), ("cdni", Asynchronous)])
def test_settings_choose_the_engine(method, kind):
    data = blobs(np.random.default_rng(0), n_train=480)
    settings = replace(TINY, engine="threads", latency=1e-4)
    trainer = build_trainer(method, settings, data)
    assert type(trainer.schedule) is kind and trainer.schedule.latency == 1e-4
    for _ in range(12):
        trainer.epoch()
    assert trainer.history[-1].test_accuracy > 0.85


def test_wrong_options_are_refused():
    with pytest.raises(ValueError, match="queue_size: expected a number of at least 1, got 0"):
        Asynchronous(tiny_network(), queue_size=0)
    with pytest.raises(ValueError, match="latency.*got -1"):
        Asynchronous(tiny_network(), latency=-1)
    with pytest.raises(ValueError, match="latency.*got -1"):
        ModelParallel(tiny_network("backprop"), latency=-1)
