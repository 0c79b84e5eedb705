"""What layers promise beyond exact gradients, which test_gradients.py checks."""

from __future__ import annotations

import numpy as np
import pytest

from sgdni.layers import BatchNorm, Dense, ReLU, Sigmoid, Tanh

F32, F64 = np.float32, np.float64


def all_layers(rng, dtype=F32):
    return [Dense(4, 4, rng, dtype=dtype), BatchNorm(4, dtype=dtype), ReLU(), Tanh(), Sigmoid()]


def test_dense_by_hand(rng):
    layer = Dense(2, 3, rng, dtype=F64)
    layer.params["W"][...] = [[1, 2, 3], [4, 5, 6]]
    layer.params["b"][...] = [10, 20, 30]
    assert layer.forward(np.array([[1.0, -1.0]])).tolist() == [[7, 17, 27]]
    assert layer.backward(np.array([[1.0, 0.0, 2.0]])).tolist() == [[7, 16]]
    assert layer.grads["W"].tolist() == [[1, 0, 2], [-1, 0, -2]]
    assert layer.grads["b"].tolist() == [1, 0, 2]


def test_dense_draws_weights_of_the_variance_promised():
    W = Dense(400, 300, np.random.default_rng(0), gain=2.0, dtype=F64).params["W"]
    assert W.var() == pytest.approx(2 / 400, rel=0.02) and abs(W.mean()) < 1e-3


def test_relu_derivative_is_zero_at_zero():
    layer = ReLU()
    layer.forward(np.array([[-1.0, 0.0, 1.0]]))
    assert layer.backward(np.ones((1, 3))).tolist() == [[0, 0, 1]]


def test_sigmoid_overflows_nowhere():
    with np.errstate(all="raise"):
        y = Sigmoid().forward(np.array([[-1e4, 0.0, 1e4]], F32))
    assert y.tolist() == [[0, 0.5, 1]]


@pytest.mark.parametrize("dtype", [F32, F64])
def test_dtype_is_kept(rng, dtype):
    for layer in all_layers(rng, dtype):
        x = rng.standard_normal((5, 4)).astype(dtype)
        arrays = [layer.forward(x), layer.backward(x.copy()), layer.forward(x, training=False)]
        arrays += [*layer.params.values(), *layer.grads.values(), *layer.buffers.values()]
        assert {a.dtype for a in arrays} == {np.dtype(dtype)}, type(layer).__name__


def test_buffers_are_reused_and_follow_the_batch_size(rng):
    for layer in all_layers(rng, F64):
        small, large = rng.standard_normal((3, 4)), rng.standard_normal((5, 4))
        y, dx = layer.forward(small), layer.backward(small)
        first, first_dx = y.copy(), dx.copy()
        assert layer.forward(small) is y and layer.backward(small) is dx, type(layer).__name__
        assert layer.forward(large).shape == layer.backward(large).shape == (5, 4)
        assert np.array_equal(layer.forward(small), first)
        assert np.array_equal(layer.backward(small), first_dx)


def test_batch_norm_gives_the_batch_mean_beta_and_spread_gamma(rng):
    layer = BatchNorm(3, eps=1e-9, dtype=F64)
    layer.params["gamma"][...] = [1, 2, 3]
    layer.params["beta"][...] = [-1, 0, 1]
    y = layer.forward(5 + 7 * rng.standard_normal((8, 3)))
    np.testing.assert_allclose(y.mean(axis=0), [-1, 0, 1], atol=1e-12)
    np.testing.assert_allclose(y.std(axis=0), [1, 2, 3], rtol=1e-9)


def test_batch_norm_tracks_mean_and_unbiased_variance(rng):
    layer, x = BatchNorm(3, momentum=0.25, dtype=F64), rng.standard_normal((6, 3))
    layer.forward(x)
    np.testing.assert_allclose(layer.buffers["mean"], 0.25 * x.mean(axis=0))
    np.testing.assert_allclose(
        layer.buffers["variance"], 0.75 + 0.25 * x.var(axis=0, ddof=1)
    )


def test_batch_norm_evaluates_each_example_alone_and_learns_nothing(rng):
    layer = BatchNorm(3, eps=0.1, dtype=F64)
    layer.buffers["mean"][...] = [1, 2, 3]
    layer.buffers["variance"][...] = [0.9, 3.9, 8.9]
    x = rng.standard_normal((4, 3))
    expected = (x - [1, 2, 3]) / [1, 2, 3]
    np.testing.assert_allclose(layer.forward(x, training=False), expected)
    np.testing.assert_allclose(layer.forward(x[:1], training=False), expected[:1])
    assert layer.buffers["mean"].tolist() == [1, 2, 3]
    assert layer.buffers["variance"].tolist() == [0.9, 3.9, 8.9]


def test_batch_norm_refuses_a_training_batch_of_one():
    with pytest.raises(ValueError, match="at least 2, got 1"):
        BatchNorm(3).forward(np.zeros((1, 3), F32))


def test_batch_norm_refuses_backward_after_evaluation(rng):
    layer, x = BatchNorm(3, dtype=F64), rng.standard_normal((4, 3))
    layer.forward(x)
    layer.forward(x, training=False)
    with pytest.raises(ValueError, match="training=True"):
        layer.backward(x)


@pytest.mark.parametrize("x, complaint", [
    (np.zeros((5, 3), F32), r"expected shape \(B, 4\) with B >= 1, got \(5, 3\)"),
    (np.zeros(4, F32), r"got \(4,\)"),
    (np.zeros((0, 4), F32), r"B >= 1, got \(0, 4\)"),
    (np.zeros((5, 4), F64), "expected dtype float32, got float64"),
    ([[1.0] * 4], "expected a NumPy array, got list"),
])
def test_wrong_input_is_refused_with_expected_and_actual(x, complaint, rng):
    for layer in Dense(4, 3, rng), BatchNorm(4):
        with pytest.raises(ValueError, match=f"{type(layer).__name__} input: .*{complaint}"):
            layer.forward(x)


def test_elementwise_layers_refuse_what_is_not_a_batch():
    for layer in ReLU(), Tanh(), Sigmoid():
        with pytest.raises(ValueError, match=rf"{type(layer).__name__} input: .*got \(0, 4\)"):
            layer.forward(np.zeros((0, 4)))


def test_cotangent_of_another_shape_is_refused(rng):
    for layer in all_layers(rng):
        layer.forward(rng.standard_normal((5, 4)).astype(F32))
        for shape in (5, 1), (1, 4), (4,):  # all of which would broadcast
            with pytest.raises(ValueError, match=r"cotangent: expected shape \(5, 4\), got"):
                layer.backward(np.zeros(shape, F32))


@pytest.mark.parametrize("make, complaint", [
    (lambda rng: Dense(0, 3, rng), "at least 1, got 0 and 3"),
    (lambda rng: Dense(3, -1, rng), "at least 1, got 3 and -1"),
    (lambda rng: BatchNorm(3, momentum=0), r"momentum: expected a number in \(0, 1\], got 0"),
    (lambda rng: BatchNorm(3, eps=-1), r"eps: expected a number in \(0, 1\], got -1"),
])
def test_wrong_options_are_refused(make, complaint, rng):
    with pytest.raises(ValueError, match=complaint):
        make(rng)


def test_a_twin_draws_from_the_same_generator():
    """A generator of its own would drop the same units again."""
    layer = ReLU()
    layer.rng = np.random.default_rng(0)
    assert layer.twin().rng is layer.rng
