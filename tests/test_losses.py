"""What losses promise beyond exact gradients."""

from __future__ import annotations

import numpy as np
import pytest

from sgdni.losses import MeanSquaredError, SoftmaxCrossEntropy


def test_softmax_cross_entropy_by_hand():
    h = np.log(np.array([[1.0, 2.0, 5.0], [4.0, 4.0, 4.0]]))
    losses, delta = SoftmaxCrossEntropy()(h, np.array([2, 0]))
    np.testing.assert_allclose(losses, np.log([8 / 5, 3]), rtol=1e-14)
    np.testing.assert_allclose(
        delta, [[1 / 8, 1 / 4, -3 / 8], [-2 / 3, 1 / 3, 1 / 3]], rtol=1e-14
    )


def test_rows_without_a_label_have_no_loss():
    h, y = np.zeros((2, 3, 4)), np.array([[0, -7, 3], [-7, -7, 2]])
    losses, delta = SoftmaxCrossEntropy(ignore_index=-7)(h, y)
    np.testing.assert_allclose(losses, np.where(y < 0, 0, np.log(4)))
    assert (delta[y < 0] == 0).all() and (delta[y >= 0].min(axis=-1) == -0.75).all()
    with pytest.raises(ValueError, match="got -1"):
        SoftmaxCrossEntropy(ignore_index=-7)(h, y // 7)
    with pytest.raises(ValueError, match="ignore_index: expected a negative number, got 0"):
        SoftmaxCrossEntropy(ignore_index=0)


def test_mean_squared_error_by_hand():
    losses, delta = MeanSquaredError()(np.array([[1.0, 5.0]]), np.array([[3.0, 2.0]]))
    assert losses.tolist() == [6.5] and delta.tolist() == [[-2, 3]]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_softmax_is_stable_at_extreme_logits(dtype):
    # In one batch, so that no row can borrow the maximum of another.
    h = np.array([[1e4, -1e4, 0], [-1e4, 1e4, 0], [-1e4, -1e4, -1e4]], dtype)
    with np.errstate(over="raise", divide="raise", invalid="raise"):
        losses, delta = SoftmaxCrossEntropy()(h, np.array([0, 0, 1]))
    np.testing.assert_allclose(losses, [0, 2e4, np.log(3)], rtol=1e-6)
    np.testing.assert_allclose(
        delta, [[0, 0, 0], [-1, 1, 0], [1 / 3, -2 / 3, 1 / 3]], rtol=1e-6, atol=1e-7
    )
    assert losses.dtype == delta.dtype == dtype


def test_losses_keep_nothing_between_calls(rng):
    """A second call does not change what the first handed out."""
    h, other = rng.standard_normal((2, 5, 3))
    for loss, y in (SoftmaxCrossEntropy(), np.arange(5) % 3), (MeanSquaredError(), other + 1):
        losses, delta = loss(h, y)
        before = losses.copy(), delta.copy()
        loss(other, y)
        assert np.array_equal(losses, before[0]) and np.array_equal(delta, before[1])


@pytest.mark.parametrize("h, y, complaint", [
    (np.zeros((3, 4)), np.array([0, 1, 4]), r"expected labels in 0\.\.3, got 0\.\.4"),
    (np.zeros((3, 4)), np.array([0, -1, 2]), r"expected labels in 0\.\.3, got -1\.\.2"),
    (np.zeros((3, 4)), np.array([0.0, 1, 2]), "expected an array of integer labels, got float64"),
    (np.zeros((3, 4)), [0, 1, 2], "integer labels, got list"),
    (np.zeros((3, 4)), np.array([0, 1]), r"expected shape \(3,\), got \(2,\)"),
    (np.zeros((3, 4)), np.eye(4, dtype=int)[:3], r"expected shape \(3,\), got \(3, 4\)"),
    (np.zeros(4), np.array([0]), r"logits: expected shape \(B, n\) with B >= 1, got \(4,\)"),
])
def test_softmax_refuses_wrong_logits_and_labels(h, y, complaint):
    with pytest.raises(ValueError, match=complaint):
        SoftmaxCrossEntropy()(h, y)


@pytest.mark.parametrize("shape", [(3, 1), (1, 4), (3,), (4,)])
def test_mean_squared_error_refuses_a_target_that_would_broadcast(shape):
    with pytest.raises(ValueError, match=r"target: expected shape \(3, 4\), got"):
        MeanSquaredError()(np.zeros((3, 4)), np.zeros(shape))
