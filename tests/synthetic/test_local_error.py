"""The local-error model: both ends of rho, what lies between them, and the head's own learning."""

from __future__ import annotations

import numpy as np
import pytest

from sgdni.gradcheck import check_layer
from sgdni.losses import MeanSquaredError, SoftmaxCrossEntropy
from sgdni.optimizers import SGD
from sgdni.synthetic import Head, HiddenHead, LinearHead, LocalErrorSG

F64 = np.float64
N, CLASSES = 6, 4
HEADS = {
    "linear": lambda rng, **kind: LinearHead(N, CLASSES, rng, **{"dtype": F64, **kind}),
    "hidden": lambda rng, **kind: HiddenHead(N, CLASSES, rng, m=9, **{"dtype": F64, **kind}),
}
each_head = pytest.mark.parametrize("make_head", HEADS.values(), ids=HEADS.keys())
each_task = pytest.mark.parametrize("task", ["classification", "regression"])


def drawn(head: Head, rng) -> Head:
    """Return the head with all its weights drawn: at the start R is zero."""
    for p in head.params.values():
        p[...] = rng.standard_normal(p.shape)
    return head


def batch(rng, size=20, dtype=F64):
    c = np.eye(CLASSES, dtype=dtype)[rng.integers(0, CLASSES, size)]
    return rng.standard_normal((size, N)).astype(dtype), c


def outputs(head: Head, h):
    for layer in head.layers:
        h = layer.forward(h)
    return h


# --- the head


@each_head
@each_task
def test_b_times_w_is_the_gradient_of_the_heads_loss(make_head, task, rng):
    """Backpropagated by hand to rounding, and by finite differences of the loss itself."""
    head = drawn(make_head(rng, task=task), rng)
    h, c = batch(rng)
    y, loss = c, MeanSquaredError()
    if task == "classification":
        y, loss = c.argmax(axis=1), SoftmaxCrossEntropy()
    found = head.signal(h, c) @ head.W
    delta = loss(outputs(head, h), y)[1]
    for layer in reversed(head.layers):
        delta = layer.backward(delta)
    np.testing.assert_allclose(found, delta, rtol=0, atol=1e-12)
    step = 1e-6
    for j in range(N):
        ahead, behind = (loss(outputs(head, h + s * np.eye(N)[j]), y)[0] for s in (step, -step))
        np.testing.assert_allclose(found[:, j], (ahead - behind) / (2 * step), atol=1e-8)


@each_head
def test_layers_of_a_head_are_those_that_are_gradient_checked(make_head, rng):
    head = drawn(make_head(rng), rng)
    h, _ = batch(rng)
    for layer in head.layers:
        assert check_layer(layer, h.copy(), rng).passed
        h = layer.forward(h).copy()


@each_head
def test_a_head_takes_momentum_steps_on_the_mean_loss(make_head, rng):
    head, by_hand = (drawn(make_head(rng), np.random.default_rng(4)) for _ in range(2))
    velocity = {name: np.zeros_like(p) for name, p in by_hand.params.items()}
    for _ in range(3):
        h, c = batch(rng)
        delta = SoftmaxCrossEntropy()(outputs(by_hand, h), c.argmax(axis=1))[1] / len(h)
        for layer in reversed(by_hand.layers):
            delta = layer.backward(delta)
        for i, layer in enumerate(by_hand.layers):
            for name, p in layer.params.items():
                v = velocity[f"{i}.{name}"]
                v[...] = 0.9 * v + 0.1 * layer.grads[name]
                p -= v
        head.signal(h, c)
        head.learn()
        for name, p in head.params.items():
            np.testing.assert_allclose(p, by_hand.params[name], rtol=1e-12, atol=1e-14)


def test_a_head_may_be_given_an_optimizer_and_units(rng):
    head = HiddenHead(N, CLASSES, rng, m=3, optimizer=SGD(0.5))
    assert head.width == 3 and head.W.shape == (3, N)
    assert [optimizer.lr for optimizer in head.optimizers] == [0.5]


def test_each_layer_of_a_head_has_a_rate_for_its_own_width(rng):
    """The small layer above a wide one would hardly move at the wide one's rate."""
    rates = [optimizer.lr for optimizer in HiddenHead(2560, CLASSES, rng).optimizers]
    assert rates == pytest.approx([0.01, 0.1])


@pytest.mark.parametrize("head", [LinearHead, HiddenHead])
def test_a_head_on_something_wide_is_stable(head, rng):
    """As of an image: with the steps that do for 256 numbers, its error grows to certainty."""
    wide = head(6000, 3, rng)
    c = np.eye(3, dtype=np.float32)[rng.integers(0, 3, 64)]
    h = np.abs(c @ rng.standard_normal((3, 6000)) + 2 * rng.standard_normal((64, 6000)))
    h = h.astype(np.float32)
    for _ in range(30):
        wide.signal(h, c)
        wide.learn()
    z = h
    for layer in wide.layers:
        z = layer.forward(z)
    assert SoftmaxCrossEntropy()(z, c.argmax(axis=1))[0].mean() < 0.1


def test_wrong_heads_are_refused(rng):
    with pytest.raises(ValueError, match="task: expected one of classification, regression"):
        LinearHead(N, CLASSES, rng, task="guessing")
    with pytest.raises(ValueError, match="head's units: .* got 0"):
        HiddenHead(N, CLASSES, rng, m=0)


# --- P


@each_head
def test_an_infinite_rho_is_the_local_loss(make_head, rng):
    model = LocalErrorSG(drawn(make_head(rng), rng), rho=np.inf)
    for _ in range(3):
        h, c = batch(rng)
        delta = model.predict(h, c).copy()
        np.testing.assert_allclose(delta, model.head.signal(h, c) @ model.head.W, atol=1e-12)
        model.learn_locally(h, c)
        model.fit(h, c, rng.standard_normal(h.shape))


@each_head
def test_a_rho_of_zero_recovers_what_is_linear_in_b(make_head, rng):
    model = LocalErrorSG(drawn(make_head(rng), rng), rho=0)
    P = rng.standard_normal((model.head.width, N))
    for _ in range(3):
        h, c = batch(rng, 60)
        model.fit(h, c, model.head.signal(h, c) @ P)
    h, c = batch(rng)
    np.testing.assert_allclose(model.predict(h, c), model.head.signal(h, c) @ P, atol=2e-6)


@each_head
def test_a_growing_rho_ends_in_the_local_loss(make_head, rng):
    batches = [(*batch(rng), rng.standard_normal((20, N))) for _ in range(3)]
    distances = []
    for rho in 0.0, 1.0, 1e3, 1e6:
        model = LocalErrorSG(drawn(make_head(rng), np.random.default_rng(4)), rho)
        for b in batches:
            model.fit(*b)
        distances.append(np.abs(model.P - model.head.W).max())
    assert distances[0] > distances[1] > distances[2] > distances[3]
    assert distances[2] / distances[3] == pytest.approx(1000, rel=0.01)  # as 1 / rho, to 0


def best(model: LocalErrorSG, seen: list, rho: float) -> np.ndarray:
    """Return the P of the docstring's minimum, found by another route: rows stacked up."""
    weights = np.sqrt([0.9 ** (len(seen) - 1 - k) for k in range(len(seen))])
    b = np.vstack([w * b for w, (b, _) in zip(weights, seen, strict=True)])
    target = np.vstack([w * t for w, (_, t) in zip(weights, seen, strict=True)])
    strength = np.sqrt(rho * np.mean(np.diag(b.T @ b)))
    rows = np.vstack([b, strength * np.eye(b.shape[1])])
    return np.linalg.lstsq(rows, np.vstack([target, strength * model.head.W]), rcond=None)[0]


@each_head
def test_p_is_the_best_for_all_that_was_seen_and_for_todays_head(make_head, rng):
    model, seen = LocalErrorSG(drawn(make_head(rng), rng), rho=0.7), []
    for _ in range(4):
        h, c = batch(rng)
        target = rng.standard_normal(h.shape)
        model.predict(h, c)
        model.learn_locally(h, c)
        seen.append((model.head.signal(h, c).copy(), target))
        model.fit(h, c, target)
        np.testing.assert_allclose(model.P, best(model, seen, 0.7), rtol=1e-9, atol=1e-12)
    for _ in range(3):  # the head goes on learning, nobody sends a target
        h, c = batch(rng)
        delta = model.predict(h, c).copy()
        np.testing.assert_allclose(
            delta, model.head.signal(h, c) @ best(model, seen, 0.7), rtol=1e-9, atol=1e-12)
        model.learn_locally(h, c)


@pytest.mark.parametrize("rho", [0, 1, np.inf])
@each_head
def test_until_the_first_target_the_head_is_followed(make_head, rho, rng):
    model = LocalErrorSG(drawn(make_head(rng), rng), rho)
    for _ in range(3):
        h, c = batch(rng)
        model.predict(h, c)
        model.learn_locally(h, c)
        np.testing.assert_allclose(model.P, model.head.W, rtol=1e-15)


@each_head
def test_a_fresh_model_predicts_zero(make_head, rng):
    model = LocalErrorSG(make_head(rng))
    assert not model.predict(*batch(rng)).any()


@each_head
def test_single_precision_bears_a_rho_of_zero(make_head, rng):
    """The errors of a softmax add up to 0, and units may be dead: b'b is singular."""
    head = drawn(make_head(rng, dtype=np.float32), rng)
    if len(head.layers) > 1:
        head.params["0.b"][:3] = -100
    model, P = LocalErrorSG(head, rho=0), rng.standard_normal((head.width, N))
    for _ in range(30):
        h, c = batch(rng, 60, np.float32)
        model.fit(h, c, (head.signal(h, c) @ P).astype(np.float32))
    found, right = model.predict(h, c), head.signal(h, c) @ P
    assert found.dtype == np.float32
    assert np.sum((found - right) ** 2) < 1e-3 * np.sum(right**2)


def test_no_error_at_all_teaches_nothing(rng):
    model = LocalErrorSG(LinearHead(N, CLASSES, rng, task="regression", dtype=F64), rho=0)
    h, _ = batch(rng)
    model.fit(h, np.zeros((20, CLASSES)), h)  # the head says 0, and is right
    assert not model.A.any() and np.array_equal(model.G, np.eye(CLASSES))


@each_head
def test_fit_does_not_depend_on_the_batch_size(make_head, rng):
    models = [LocalErrorSG(drawn(make_head(rng), np.random.default_rng(4))) for _ in range(2)]
    for _ in range(3):
        h, c = batch(rng)
        target = rng.standard_normal(h.shape)
        for times, model in enumerate(models, start=1):
            model.predict(*(np.tile(a, (times, 1)) for a in (h, c)))
            model.learn_locally(*(np.tile(a, (times, 1)) for a in (h, c)))
            model.fit(*(np.tile(a, (times, 1)) for a in (h, c, target)))
    np.testing.assert_allclose(models[0].P, models[1].P, rtol=1e-10, atol=1e-13)


# --- who learns when


@each_head
def test_predicting_learns_nothing(make_head, rng):
    model = LocalErrorSG(drawn(make_head(rng), rng))
    before = {name: array.copy() for name, array in model.state().items()}
    model.predict(*batch(rng))
    for name, array in model.state().items():
        np.testing.assert_array_equal(array, before[name])


@each_head
def test_local_learning_is_the_same_with_what_predict_kept_and_without(make_head, rng):
    """Also when another h was predicted, or fitted, in between."""
    models = [LocalErrorSG(drawn(make_head(rng), np.random.default_rng(4)), np.inf)
              for _ in range(4)]
    h, c = batch(rng)
    other = batch(rng)
    models[0].predict(h, c)
    models[2].predict(h, c)
    models[2].predict(*other)
    models[3].predict(h, c)
    models[3].rho = 1.0
    models[3].fit(*other, other[0])
    for model in models:
        model.learn_locally(h, c)
        model.learn_locally(h, c)
        for name, p in model.head.params.items():
            np.testing.assert_array_equal(p, models[0].head.params[name], err_msg=name)


@each_head
def test_a_late_target_is_fitted_to_its_own_h(make_head, rng):
    late, on_time = (LocalErrorSG(drawn(make_head(rng), np.random.default_rng(4)))
                     for _ in range(2))
    h, c = batch(rng)
    target = rng.standard_normal(h.shape)
    late.predict(*batch(rng))
    late.fit(h, c, target)
    on_time.predict(h, c)
    on_time.fit(h, c, target)
    np.testing.assert_array_equal(late.A, on_time.A)


@each_head
def test_state_is_all_that_it_depends_on(make_head, rng):
    first, second = (LocalErrorSG(make_head(rng)) for _ in range(2))
    batches = [(*batch(rng), rng.standard_normal((20, N))) for _ in range(8)]

    def train(model, part):
        for h, c, target in part:
            model.predict(h, c)
            model.learn_locally(h, c)
            model.fit(h, c, target)

    train(first, batches[:3])
    for name, array in second.state().items():
        array[...] = first.state()[name]
    train(first, batches[3:])
    train(second, batches[3:])
    for name, array in second.state().items():
        np.testing.assert_array_equal(array, first.state()[name])


# --- refusals


H, C = np.zeros((5, N)), np.eye(CLASSES)[[0, 1, 2, 3, 0]]


@pytest.mark.parametrize("h, c, complaint", [
    (H, None, r"context: expected \(B, 4\), got None"),
    (H, C[:, :1], r"context: expected shape \(5, 4\), got \(5, 1\)"),
    (H, C[:1], r"context: expected shape \(5, 4\), got \(1, 4\)"),
    (H[:, :2], C, r"h: expected shape \(B, 6\) .* got \(5, 2\)"),
    (H.astype(np.float32), C, "h: expected dtype float64, got float32"),
])
@each_head
def test_wrong_activation_or_context_is_refused(make_head, h, c, complaint, rng):
    model = LocalErrorSG(make_head(rng))
    for call in (model.predict, model.learn_locally,
                 lambda h, c: model.fit(h, c, np.zeros(h.shape))):
        with pytest.raises(ValueError, match=complaint):
            call(h, c)


def test_wrong_target_and_options_are_refused(rng):
    model = LocalErrorSG(HEADS["linear"](rng))
    with pytest.raises(ValueError, match=r"target: expected shape \(5, 6\), got \(1, 6\)"):
        model.fit(H, C, H[:1])
    with pytest.raises(ValueError, match="rho: expected a number of at least 0, got -1"):
        LocalErrorSG(HEADS["linear"](rng), rho=-1)
    with pytest.raises(ValueError, match="forgetting_factor: .* got 0"):
        LocalErrorSG(HEADS["linear"](rng), forgetting_factor=0)


@pytest.mark.parametrize("dtype", [np.float32, F64])
def test_errors_that_fade_leave_the_model_finite(rng, dtype):
    """Their squares get too small to be inverted; the map is the last one that could be known."""
    model = LocalErrorSG(LinearHead(6, 4, rng, dtype=dtype), 1.0)
    c, h = np.eye(4, dtype=dtype)[rng.integers(0, 4, 64)], rng.standard_normal((64, 6))
    target = rng.standard_normal((64, 6)).astype(dtype)
    for scale in (1.0, 1e-18, 1e-30):  # of errors: squares down to 1e-60
        model._signal = lambda h, c, s=scale: np.full((64, 4), s, dtype) * (2 * c - 1)
        for _ in range(900):
            model.fit(h.astype(dtype), c, target)
    assert np.isfinite(model.P).all()
