"""Modules in processes: the same learning as in turn, and no process left behind."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
import weakref
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers import TINY, assert_same_state, blobs, minibatches, tiny_network
from toys import ConstantSG

from sgdni._util.blas import blas_libraries, blas_threads
from sgdni.networks import Interface, Network
from sgdni.parallel import Asynchronous, ModelParallel
from sgdni.parallel.workers import Processes
from sgdni.runs.methods import METHODS, build_trainer
from sgdni.schedules import Backprop, DivergenceError, Recorder

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are forked: Linux only")

SETTINGS = replace(TINY, engine="processes")
MAKERS = [lambda n, **o: Asynchronous(n, workers="processes", **o),
          lambda n, **o: ModelParallel(n, workers="processes", **o)]


@pytest.mark.parametrize("method", METHODS)
def test_in_fixed_order_processes_train_as_modules_in_turn(method):
    """Over two epochs: state, generators and order all come back from the processes."""
    data = blobs(np.random.default_rng(0))
    changes = {"queue_size": 1, "deterministic": True} if METHODS[method].decoupled else {}
    turns = build_trainer(method, replace(TINY, fit_every=2), data)
    apart = build_trainer(method, replace(SETTINGS, fit_every=2, **changes), data)
    for _ in range(2):
        a, b = turns.epoch(), apart.epoch()
        assert (a.train_loss, a.test_loss) == (b.train_loss, b.test_loss)
    assert_same_state(turns.schedule, apart.schedule)
    for name, generator in turns.generators.items():
        assert generator.bit_generator.state == apart.generators[name].bit_generator.state


@pytest.mark.parametrize("options", [
    {"queue_size": 1}, {"queue_size": 5}, {"queue_size": 2, "latency": 2e-3}])
def test_every_minibatch_has_its_result(options):
    schedule = Asynchronous(tiny_network(), workers="processes", **options)
    assert len(list(schedule.run(minibatches(30)))) == 30
    assert int(schedule.state()["schedule.steps"]) == 30
    assert multiprocessing.active_children() == []


def test_no_minibatch_at_all_is_no_result():
    for make in MAKERS:
        assert list(make(tiny_network("cdni")).run([])) == []


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("module", [0, 3])
def test_an_exception_comes_out_as_it_was_and_nothing_is_taken_over(make, module):
    schedule = make(tiny_network("cdni"))
    before = {name: array.copy() for name, array in schedule.state().items()}

    def broken(*args, **kwargs):
        raise RuntimeError("broken on purpose")

    schedule.network.modules[module].learn = broken
    with pytest.raises(RuntimeError, match="broken on purpose"):
        list(schedule.run(minibatches(100)))
    assert multiprocessing.active_children() == []
    for name, array in schedule.state().items():
        np.testing.assert_array_equal(array, before[name])


@pytest.mark.parametrize("make", MAKERS)
def test_a_process_that_dies_ends_the_run_and_is_named(make):
    schedule = make(tiny_network("cdni"))
    schedule.network.modules[2].learn = lambda *args, **kwargs: os._exit(3)
    with pytest.raises(RuntimeError, match=r"process of module 3 died \(exit code 3\)"):
        list(schedule.run(minibatches(100)))
    assert multiprocessing.active_children() == []


class TwoArguments(Exception):
    def __init__(self, what, why):
        super().__init__(f"{what}: {why}")


class Unpicklable(Exception):
    def __init__(self, text):
        super().__init__(text)
        self.function = lambda: None


@pytest.mark.parametrize("error", [TwoArguments("broken", "on purpose"),
                                   Unpicklable("broken: on purpose")])
def test_an_exception_that_cannot_travel_is_told_in_words(error):
    schedule = Asynchronous(tiny_network("cdni"), workers="processes")

    def broken(*args, **kwargs):
        raise error

    schedule.network.modules[1].learn = broken
    with pytest.raises(RuntimeError, match=f"{type(error).__name__}: broken: on purpose") as caught:
        list(schedule.run(minibatches(5)))
    assert caught.value.__notes__[0] == "in the process of module 2"
    assert "in broken" in caught.value.__notes__[1]  # the traceback there


class NoState(ConstantSG):
    def state(self):
        return {}


def test_a_model_whose_learning_would_be_lost_is_refused():
    def network(model):
        net = tiny_network("cdni", cuts=(2,))
        return Network(net.modules, net.loss, [Interface(model(7, 3))])

    with pytest.raises(ValueError, match=r"nothing from NoState: .* write state\(\)"):
        Asynchronous(network(NoState), workers="processes")
    Asynchronous(network(NoState))
    list(Asynchronous(network(ConstantSG), workers="processes").run(minibatches(3)))


def test_divergence_names_step_and_module():
    trainer = build_trainer("cdni", SETTINGS, blobs(np.random.default_rng(0)))
    trainer.schedule.network.modules[2].params["0.W"][0, 0] = np.nan
    with pytest.raises(DivergenceError, match="epoch 1, step 1: .*activations of module 3 "):
        trainer.epoch()


@pytest.fixture
def listening():
    """Have Ctrl-C raise here, as at a prompt: who runs tests side by side may ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("make", MAKERS)
def test_ctrl_c_while_everybody_waits_stops_all_processes_at_once(make, listening):
    def forever():
        while True:
            yield from minibatches(1)

    run, started = make(tiny_network("cdni"), latency=60.0).run(forever()), time.perf_counter()
    threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        next(run)
    assert time.perf_counter() - started < 10  # a message would have taken a minute
    assert multiprocessing.active_children() == []


def test_a_larger_minibatch_than_the_first_is_refused():
    growing = minibatches(1) + minibatches(1, size=4000)
    with pytest.raises(ValueError, match="keep the batch size"):
        list(Asynchronous(tiny_network(), workers="processes").run(growing))


def test_each_process_computes_with_one_blas_thread():
    def task(emit):
        emit({library["num_threads"] for library in blas_libraries()})

    with blas_threads(2):
        seen = list(Processes().run([task, task], lambda i: None, lambda i, state: None))
    assert len(seen) == 2 and all(counts <= {1} for counts in seen)


def test_model_parallel_is_backprop():
    one, split = Backprop(tiny_network("backprop")), ModelParallel(tiny_network("backprop"),
                                                             workers="processes")
    assert list(one.run(minibatches(8))) == list(split.run(minibatches(8)))
    assert_same_state(one, split)


def test_elsewhere_than_on_linux_it_says_what_to_use(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(ValueError, match="expected Linux; use engine threads, or .*sequential"):
        Processes()


def pids(trainer):
    """Train an epoch and return the processes that did it, who wait for the next."""
    trainer.epoch()
    return {child.pid for child in multiprocessing.active_children()}


@pytest.mark.parametrize("method", ["cdni-ls", "backprop"])
def test_processes_stay_for_the_next_epoch_and_learn_the_same(method):
    data = blobs(np.random.default_rng(0))
    changes = {} if method == "backprop" else {"queue_size": 1, "deterministic": True}
    stay = build_trainer(method, replace(SETTINGS, **changes), data)
    turns = build_trainer(method, TINY, data)
    first = pids(stay)
    assert len(first) == 4 and pids(stay) == first == pids(stay)
    for _ in range(3):
        turns.epoch()
    assert_same_state(turns.schedule, stay.schedule)
    assert stay.rng.bit_generator.state == turns.rng.bit_generator.state
    stay.schedule.dismiss()
    assert multiprocessing.active_children() == []
    stay.epoch()
    turns.epoch()
    assert_same_state(turns.schedule, stay.schedule)
    stay.schedule.dismiss()


@pytest.mark.parametrize("change", ["weights", "rate", "momentum", "guard", "order", "recorder"])
def test_processes_do_not_go_on_with_what_has_changed_here(change):
    data = blobs(np.random.default_rng(0))
    trainer = build_trainer("backprop", SETTINGS, data)
    twin = build_trainer("backprop", TINY, data)
    first = pids(trainer)
    twin.epoch()
    for one in trainer, twin:
        if change == "weights":
            one.schedule.network.modules[1].params["0.W"] += 0.01
        elif change == "rate":
            one.schedule.network.modules[2].optimizer.lr = 0.5
        elif change == "momentum":
            one.schedule.network.modules[0].optimizer.momentum = 0.5
        elif change == "guard":
            one.schedule.guard.limit = 1e5
        elif change == "order":
            one.rng.random()
        else:
            one.schedule.recorder = Recorder(one.schedule.network.modules)
    assert pids(trainer).isdisjoint(first)
    twin.epoch()
    assert_same_state(trainer.schedule, twin.schedule)
    trainer.schedule.dismiss()


def faster_fit(schedule):
    for interface in schedule.network.interfaces:
        interface.model.fit_method.optimizer.lr = 0.5


def larger_ridge(schedule):
    for interface in schedule.network.interfaces:
        interface.model.fit_method.ridge = 10.0


def slower_head(schedule):
    for interface in schedule.network.interfaces:
        for optimizer in interface.model.head.optimizers:
            optimizer.lr = 1e-9


def statistics_of_the_latest(schedule):
    schedule.network.modules[0].layers[1].momentum = 1.0


def double_loss(schedule):
    loss = schedule.network.loss
    schedule.network.loss = lambda h, y: tuple(2 * a for a in loss(h, y))


@pytest.mark.parametrize("method, change", [
    ("cdni", faster_fit), ("cdni-ls", larger_ridge), ("local-error", slower_head),
    ("backprop", statistics_of_the_latest), ("backprop", double_loss),
])
def test_however_deep_it_lies(method, change):
    data = blobs(np.random.default_rng(0))
    fixed = {} if method == "backprop" else {"queue_size": 1, "deterministic": True}
    apart = build_trainer(method, replace(SETTINGS, **fixed), data)
    turns = build_trainer(method, TINY, data)
    for trainer in apart, turns:
        trainer.epoch()
        change(trainer.schedule)
        trainer.epoch()
    assert_same_state(apart.schedule, turns.schedule)
    apart.dismiss()


@pytest.mark.parametrize("method", METHODS)
def test_nothing_that_an_epoch_does_here_is_taken_for_a_change(method):
    trainer = build_trainer(method, SETTINGS, blobs(np.random.default_rng(0)))
    first = pids(trainer)
    assert first and pids(trainer) == first == pids(trainer)
    trainer.dismiss()


def test_epochs_may_each_be_run_by_a_thread_of_its_own():
    trainer, seen = build_trainer("cdni-ls", SETTINGS, blobs(np.random.default_rng(0))), []
    for _ in range(3):
        thread = threading.Thread(target=lambda: seen.append(pids(trainer)))
        thread.start()
        thread.join()
        time.sleep(0.15)  # for whatever ends with the thread
    assert len(seen) == 3 and seen[0] == seen[1] == seen[2]
    trainer.dismiss()


def test_nothing_is_left_of_processes_that_others_have_replaced():
    trainer = build_trainer("cdni-ls", SETTINGS, blobs(np.random.default_rng(0)))
    trainer.epoch()
    team = weakref.ref(trainer.schedule._crew[0])
    trainer.schedule.network.modules[0].optimizer.lr *= 0.5
    trainer.epoch()
    gc.collect()
    assert team() is None
    trainer.dismiss()


def test_a_recorder_begins_anew_in_processes_that_stay():
    trainer = build_trainer("cdni-ls", SETTINGS, blobs(np.random.default_rng(0)))
    recorder = Recorder(trainer.schedule.network.modules, snapshot_every=3, most=2)
    trainer.schedule.recorder = recorder
    for _ in range(3):
        recorder.begin()
        trainer.epoch()
        steps = [i.step for i in recorder.intervals if i.kind == "backward" and i.worker == 3]
        assert steps == list(range(6)) and len(recorder.snapshots()) == 2
    trainer.schedule.dismiss()


def test_whoever_lets_a_trainer_go_leaves_no_process():
    trainer = build_trainer("cdni-ls", SETTINGS, blobs(np.random.default_rng(0)))
    other = build_trainer("cdni-ls", SETTINGS, blobs(np.random.default_rng(0)))
    mine, theirs = pids(trainer), pids(other)
    del trainer
    gc.collect()
    left = {child.pid for child in multiprocessing.active_children()}
    assert left == theirs - mine
    other.schedule.dismiss()


def test_a_process_that_dies_while_it_waits_is_named_and_the_next_epoch_has_new_ones():
    trainer = build_trainer("cdni-ls", SETTINGS, blobs(np.random.default_rng(0)))
    trainer.epoch()
    killed = next(c for c in multiprocessing.active_children() if c.name == "sgdni module 2")
    os.kill(killed.pid, signal.SIGKILL)
    killed.join()
    with pytest.raises(RuntimeError, match=r"process of module 2 died \(exit code -9\)"):
        trainer.epoch()
    assert multiprocessing.active_children() == []
    assert len(pids(trainer)) == 4
    schedule = weakref.ref(trainer.schedule)
    trainer.schedule.dismiss()
    del trainer
    gc.collect()
    assert schedule() is None


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("when", ["training", "waiting"])
def test_a_parent_that_is_killed_takes_its_processes_with_it(how, when, tmp_path):
    program = (
        "import sys, time, multiprocessing, numpy as np; sys.path[:0] = sys.argv[1:3]\n"
        "from helpers import TINY, blobs; from dataclasses import replace\n"
        "from sgdni import build_trainer\n"
        "t = build_trainer('cdni-ls', replace(TINY, engine='processes'),"
        " blobs(np.random.default_rng(0)))\n"
        "t.epoch()\n"
        "print(*(c.pid for c in multiprocessing.active_children()), flush=True)\n"
        "while sys.argv[3] == 'training': t.epoch()\n"
        "time.sleep(60)\n"
    )
    root = Path(__file__).parents[2]
    with subprocess.Popen([sys.executable, "-c", program, str(root), str(
            root / "tests/support"), when], stdout=subprocess.PIPE, text=True,
            preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL)) as parent:
        workers = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(workers) == 4
        parent.send_signal(how)
        parent.wait(10)
    end = time.monotonic() + 2
    while any(map(alive, workers)) and time.monotonic() < end:
        time.sleep(0.01)
    assert not any(map(alive, workers))


def alive(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z"  # a zombie has ended; whoever inherits it has not looked yet


def test_a_worker_whose_state_nobody_takes_ends_by_itself():
    """One that holds a copy of the parent's end of its pipe would wait for a reader, and be killed
    after seconds."""
    team = Processes()
    run = team.run([lambda emit: emit("here")], lambda i: bytes(10_000_000), lambda i, state: None)
    assert next(run) == "here"
    [process] = team._processes
    time.sleep(0.2)  # by now it is sending
    run.close()
    assert process.exitcode == 0
