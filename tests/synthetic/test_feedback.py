"""Rules that carry an error down: what each of them may use, by hand, and that it learns so."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import blobs

from sgdni.runs.methods import build_trainer
from sgdni.runs.settings import Settings
from sgdni.synthetic import (
    DirectFeedbackSG,
    FeedbackAlignmentSG,
    KickbackSG,
    LinearHead,
    LocalErrorSG,
    SignSymmetricSG,
)
from sgdni.synthetic.heads import softmax_error

F64, N, CLASSES = np.float64, 6, 4
RULES = (DirectFeedbackSG, FeedbackAlignmentSG, SignSymmetricSG, KickbackSG)


def batch(rng, size=30):
    return rng.standard_normal((size, N)), np.eye(CLASSES)[rng.integers(0, CLASSES, size)]


def model(kind, rng):
    """With weights of the head drawn: at the start its read-out is zero."""
    made = kind.at_interface(N, CLASSES, rng, F64)
    for p in made.head.params.values():
        p[...] = rng.standard_normal(p.shape)
    return made


def test_direct_feedback_is_the_error_times_a_fixed_matrix(rng):
    made, (h, c) = model(DirectFeedbackSG, rng), batch(rng)
    R, r = made.head.params["0.W"], made.head.params["0.b"]
    B = made.B.copy()
    np.testing.assert_allclose(made.predict(h, c), softmax_error(h @ R + r, c) @ B, atol=1e-12)
    made.predict(h, c)
    made.learn_locally(h, c)
    made.fit(h, c, rng.standard_normal(h.shape))
    np.testing.assert_array_equal(made.P, B)


def test_feedback_alignment_uses_no_transposed_weights(rng):
    made, (h, c) = model(FeedbackAlignmentSG, rng), batch(rng)
    U, u, R, r = (made.head.params[name] for name in ("0.W", "0.b", "2.W", "2.b"))
    a = np.maximum(h @ U + u, 0)
    b = (softmax_error(a @ R + r, c) @ made.head.layers[2].B) * (a > 0)
    np.testing.assert_allclose(made.predict(h, c), b @ made.B, atol=1e-12)


def test_weights_align_with_the_feedback_that_they_are_taught_by(rng):
    """Lillicrap et al. 2016: what is carried back at random becomes a descent direction."""
    made = FeedbackAlignmentSG.at_interface(N, CLASSES, rng, F64)
    h = rng.standard_normal((400, N))
    c = np.eye(CLASSES)[np.abs(h[:, :CLASSES]).argmax(axis=1)]  # nothing that is linear in h
    for _ in range(300):
        made.predict(h, c)
        made.learn_locally(h, c)
    R, B = made.head.params["2.W"], made.head.layers[2].B
    assert np.vdot(R.T, B) / np.linalg.norm(R) / np.linalg.norm(B) > 0.2


def test_of_the_best_map_only_signs_are_used(rng):
    ours, best = (model(kind, np.random.default_rng(0)) for kind in (SignSymmetricSG, LocalErrorSG))
    for _ in range(3):
        h, c = batch(rng)
        target = rng.standard_normal(h.shape)
        for made in (ours, best):
            made.fit(h, c, target)
    np.testing.assert_array_equal(np.sign(ours.P), np.sign(best.P))
    np.testing.assert_allclose(np.abs(ours.P), np.abs(best.P).mean())


def test_a_unit_hears_of_one_error_and_regresses_its_target_on_that(rng):
    made, (h, c) = KickbackSG(LinearHead(N, CLASSES, rng, dtype=F64), rho=0.0), batch(rng)
    target = rng.standard_normal(h.shape)
    for _ in range(3):
        made.fit(h, c, target)
    e = softmax_error(np.zeros((len(h), CLASSES)), c)
    expected = np.zeros((CLASSES, N))
    for j in range(N):
        k = j % CLASSES
        expected[k, j] = e[:, k] @ target[:, j] / (e[:, k] @ e[:, k])
    np.testing.assert_allclose(made.P, expected, rtol=1e-6)


def test_with_rho_a_unit_stays_near_the_heads_weight(rng):
    """The minimiser of sum (target - e tau)^2 + k (tau - w)^2, with k = rho meandiag."""
    made, (h, c) = KickbackSG(LinearHead(N, CLASSES, rng, dtype=F64), rho=0.7), batch(rng)
    made.head.params["0.W"][...] = rng.standard_normal((N, CLASSES))
    target = rng.standard_normal(h.shape)
    made.fit(h, c, target)
    e, W = softmax_error(h @ made.head.params["0.W"], c), made.head.W
    k = 0.7 * np.mean(np.sum(e**2, axis=0))
    for j in range(N):
        mine, w = e[:, j % CLASSES], W[j % CLASSES, j]
        tau = (mine @ target[:, j] + k * w) / (mine @ mine + k)
        assert made.P[j % CLASSES, j] == pytest.approx(tau)
    assert np.count_nonzero(made.P) == N


@pytest.mark.parametrize("kind", RULES)
@pytest.mark.parametrize("engine", ["sequential", "threads"])
def test_networks_learn_by_each_rule_in_every_schedule(kind, engine):
    data = blobs(np.random.default_rng(0), n_train=320)
    s = Settings(hidden=(16, 16), batch_size=16, sg=f"sgdni.synthetic:{kind.__name__}",
                 engine=engine, deterministic=engine != "sequential")
    trainer = build_trainer("local-error", s, data)
    before = [p.copy() for p in trainer.schedule.network.modules[0].params.values()]
    for _ in range(3):
        record = trainer.epoch()
    trainer.dismiss()
    assert record.test_accuracy > 0.9
    assert any(np.any(p != old) for p, old in zip(
        trainer.schedule.network.modules[0].params.values(), before, strict=True))
    assert kind.wants_targets == (kind in (SignSymmetricSG, KickbackSG))
    if not kind.wants_targets:
        assert not np.any(trainer.schedule.network.interfaces[0].model.A)
