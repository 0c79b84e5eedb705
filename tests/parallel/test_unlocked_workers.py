"""The complete unlock in workers: nothing hangs, nothing is learnt twice, all is accounted for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers import TINY

from sgdni._util.shared import shared_zeros
from sgdni.data import Examples
from sgdni.networks import Interface, Network
from sgdni.parallel import UnlockedAsynchronous
from sgdni.runs.methods import build_network
from sgdni.schedules.unlocked import POLICIES
from sgdni.synthetic import ReluInput
from sgdni.training.batches import Minibatches

N, CLASSES, B, COUNT = 5, 3, 8, 96
TURNS = COUNT // B


class Counted(ReluInput):
    """Counts, in memory that processes share, by which examples it was taught."""

    def __init__(self, n, rng):
        super().__init__(N, CLASSES, n, rng, dtype=np.float64)
        self.taught = shared_zeros((COUNT,), np.int64)

    def fit(self, z, c, h):
        super().fit(z, c, h)
        self.taught[np.round(COUNT * z[:, 0]).astype(int)] += 1


def schedule(seed=0, **options):
    settings = replace(TINY, dtype="float64", batch_norm=False, lr=1e-3)
    network = build_network("local-error", settings, N, CLASSES, np.random.default_rng(1))
    interfaces = [Interface(one.model, inputs=Counted(n, np.random.default_rng(i)))
                  for i, (one, n) in enumerate(zip(network.interfaces, settings.hidden,
                                                   strict=True))]
    return UnlockedAsynchronous(Network(network.modules, network.loss, interfaces), lambda x: x,
                                np.random.default_rng(seed), **options)


def batches():
    """Return minibatches whose examples say in their first number which they are."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((COUNT, N))
    x[:, 0] = np.arange(COUNT) / COUNT
    return Minibatches(Examples(x, rng.integers(0, CLASSES, COUNT)), B, np.random.default_rng(2),
                       np.dtype(float))


def check_accounts(ours, passes):
    """Each message is taken once at most, and each module works once a turn at most."""
    left = ours.sent - ours.lost - ours.overtaken - ours.taken
    assert (left >= 0).all() and (left <= 2 * passes).all()  # what nobody took before the end
    assert ours.sent[:, 0].tolist() == ours.acted[:-1].tolist()
    assert ours.sent[:, 1].tolist() == ours.acted[1:].tolist()
    assert (ours.acted <= passes * TURNS).all()
    for i, interface in enumerate(ours.network.interfaces):
        taught = interface.inputs.taught
        if ours.policy == "wait":
            assert not taught.any() and ours.acted[i + 1] == ours.taken[i, 0]
            continue
        assert taught.sum() == B * ours.taken[i, 0]
        if i == 0:  # which has each example once a pass, so nobody can be taught it more often
            assert taught.max() <= passes


@pytest.mark.parametrize("workers", ["threads", "processes"])
@pytest.mark.parametrize("policy", POLICIES)
def test_accounts_balance(workers, policy):
    ours, minibatches = schedule(policy=policy, workers=workers, pace=0.8, loss_rate=0.2), batches()
    before = {name: array.copy() for name, array in ours.network.state().items()}
    results = [r for _ in range(3) for r in ours.run(minibatches)]
    ours.dismiss()
    check_accounts(ours, 3)
    assert len(results) == ours.acted[-1]
    assert all(np.isfinite(result.loss) for result in results)
    changed = {name.split(".")[0] for name, array in ours.network.state().items()
               if not np.array_equal(array, before[name])}
    # A head that has learned nothing yet says 0: who acted once may have stood still.
    assert {f"module{i + 1}" for i in range(4) if ours.acted[i] > 1} <= changed
    if ours.taken[0, 0] and policy != "wait":
        assert (ours.network.interfaces[0].inputs.W != 0).any()  # also from other processes


def test_each_module_has_an_order_of_its_own_and_another_one_in_the_next_pass():
    ours, minibatches, orders = schedule(workers="processes"), batches(), []
    for _ in range(2):
        orders.append([generator.bit_generator.state["state"]["state"]
                       for name, generator in sorted(ours.generators.items()) if "order" in name])
        list(ours.run(minibatches))
    ours.dismiss()
    assert len(set(orders[0])) == 3 and all(a != b for a, b in zip(*orders, strict=True))


def test_messages_of_a_usual_width_fit_between_processes():
    settings = replace(TINY, hidden=(128,), cuts=(1,), batch_size=128)
    network = build_network("local-error", settings, N, CLASSES, np.random.default_rng(1))
    interface = Interface(network.interfaces[0].model, inputs=ReluInput(
        N, CLASSES, 128, np.random.default_rng(0)))
    ours = UnlockedAsynchronous(Network(network.modules, network.loss, [interface]), lambda x: x,
                                np.random.default_rng(0), workers="processes")
    rng = np.random.default_rng(0)
    examples = Examples(rng.standard_normal((512, N)).astype(np.float32), rng.integers(0, 3, 512))
    dealt = interface.inputs.rng.bit_generator.state["state"]["state"]
    for _ in range(5):
        list(ours.run(Minibatches(examples, 128, np.random.default_rng(2))))
    assert ours.taken.any() and interface.inputs.rng.bit_generator.state["state"]["state"] != dealt


def test_nobody_waits_for_a_link_that_is_slow():
    """Ten seconds a message, and all is over at once: on synthetic inputs alone."""
    ours = schedule(workers="threads", policy="either", latency=10.0)
    assert len(list(ours.run(batches()))) == TURNS
    assert not ours.taken.any() and ours.acted.tolist() == [TURNS] * 4
    assert (ours.lost > 0).all()  # what does not fit on the link


def one_run(seed):
    rng = np.random.default_rng(seed)
    ours = schedule(seed, workers=("threads", "processes")[seed % 2],
                    policy=POLICIES[rng.integers(3)], pace=rng.uniform(0.2, 1),
                    loss_rate=rng.choice([0, rng.uniform(0, 0.95)]),
                    latency=rng.choice([0, rng.uniform(0, 2e-3)]),
                    bandwidth=rng.choice([np.inf, rng.uniform(1e6, 1e8)]))
    minibatches, passes = batches(), rng.integers(1, 4)
    results = [r for _ in range(passes) for r in ours.run(minibatches)]
    ours.dismiss()
    check_accounts(ours, passes)
    assert len(results) == ours.acted[-1]


def test_random_runs(stress):
    """A thousand: ``pytest tests/parallel/test_unlocked_workers.py --stress 10000``."""
    for seed in range(stress // 10):
        one_run(seed)


def test_mpi_and_plain_lists_are_refused():
    with pytest.raises(ValueError, match="expected workers threads or processes, got mpi"):
        schedule(workers="mpi")
    with pytest.raises(ValueError, match="expected Minibatches, of which every module makes"):
        list(schedule().run([(np.zeros((B, N)), np.zeros(B, int))]))
