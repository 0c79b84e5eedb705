"""What a Dataset accepts, how it is split, and how pixels are scaled."""

from __future__ import annotations

import numpy as np
import pytest

from sgdni.data import Dataset, load, scale_pixels


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_bytes_are_scaled_to_0_1(dtype):
    x = np.arange(256, dtype=np.uint8).reshape(16, 16)
    scaled = scale_pixels(x, dtype)
    assert scaled.dtype == dtype
    np.testing.assert_array_equal(scaled, np.arange(256, dtype=dtype).reshape(16, 16) / dtype(255))


def test_floats_are_cast_but_not_scaled():
    x = np.array([[0.0, 0.5, 3.0]])
    scaled = scale_pixels(x, np.float32)
    assert scaled.dtype == np.float32
    np.testing.assert_array_equal(scaled, x)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_scaling_shares_no_memory_and_leaves_its_input(dtype):
    x = np.array([[1, 2, 3]], dtype)
    before = x.copy()
    scaled = scale_pixels(x, np.float32)
    scaled[:] = 9
    np.testing.assert_array_equal(x, before)


def test_scaling_into_a_buffer():
    x = np.array([[0, 51, 255]], np.uint8)
    buffer = np.full((1, 3), 9, np.float32)
    assert scale_pixels(x, out=buffer) is buffer
    np.testing.assert_allclose(buffer, [[0, 0.2, 1]], rtol=1e-7)


@pytest.mark.parametrize(
    ("x", "dtype", "out", "message"),
    [
        (np.zeros((1, 2), np.int64), np.float32, None, "uint8 or floating values, got int64"),
        (np.zeros((1, 2), np.uint8), np.int32, None, "a floating type, got int32"),
        (np.zeros((1, 2), np.uint8), np.float32, np.zeros((1, 3), np.float32), r"got \(1, 3\)"),
        (np.zeros((1, 2), np.uint8), np.float32, np.zeros((1, 2)), "got .* and float64"),
    ],
)
def test_scaling_refuses(x, dtype, out, message):
    with pytest.raises(ValueError, match=message):
        scale_pixels(x, dtype, out)


def good_fields() -> dict:
    return {
        "name": "made-up",
        "x_train": np.arange(8.0).reshape(4, 2),
        "y_train": np.array([0, 1, 2, 0]),
        "x_test": np.ones((2, 2)),
        "y_test": np.array([2, 1], np.uint8),
        "n_classes": 3,
    }


def test_dataset_keeps_what_it_is_given():
    fields = good_fields()
    data = Dataset(**fields)
    assert data.n_features == 2
    assert data.target_accuracy is None
    assert data.y_test.dtype == np.int64
    for field, value in fields.items():
        np.testing.assert_array_equal(getattr(data, field), value)


def test_dataset_is_read_only():
    fields = good_fields()
    data = Dataset(**fields)
    for field in ("x_train", "y_train", "x_test", "y_test"):
        with pytest.raises(ValueError, match="read-only"):
            getattr(data, field)[0] = 0
    fields["x_train"][0] = 7  # the caller's own array stays writable


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("x_train", np.zeros(4), r"x_train: expected shape .* got \(4,\)"),
        ("x_train", [[1.0]], "x_train: expected a NumPy array, got list"),
        ("x_train", np.zeros((0, 2)), r"x_train: expected shape .* got \(0, 2\)"),
        ("x_train", np.zeros((4, 2), int), "x_train: expected uint8 or floating values, got int"),
        ("x_train", np.array([[0, 1], [0, np.nan]] * 2), r"x_train: .*finite.* index \(1, 1\)"),
        ("x_test", np.array([[0, np.inf], [0, 0]]), r"x_test: .*finite.* index \(0, 1\)"),
        ("x_test", np.zeros((2, 3)), r"x_test: expected examples of shape \(2,\) .* got \(3,\)"),
        ("x_test", np.zeros((2, 2), np.uint8), "x_test: expected type float64 .* got uint8"),
        ("y_train", np.zeros(3, int), r"y_train: expected shape \(4,\), got \(3,\)"),
        ("y_train", np.zeros((4, 1), int), r"y_train: expected shape \(4,\), got \(4, 1\)"),
        ("y_train", np.zeros(4), "y_train: expected .*integer labels, got float64"),
        ("y_train", np.array([0, 1, 2, 3]), "y_train: expected labels in 0..2, got 0..3"),
        ("y_test", np.array([-1, 0]), "y_test: expected labels in 0..2, got -1..0"),
        ("n_classes", 1, "n_classes: expected a number of at least 2, got 1"),
        ("target_accuracy", 93, r"target_accuracy: expected a number in \(0, 1\], got 93"),
    ],
)
def test_dataset_refuses(field, value, message):
    with pytest.raises(ValueError, match=message):
        Dataset(**good_fields() | {field: value})


def test_validation_split_divides_the_training_rows_and_hides_the_test_rows():
    # Row k holds the value k, so that rows can be followed; the rows are sorted by class.
    rows = np.arange(100.0).reshape(100, 1)
    labels = np.repeat(np.arange(4), 25)
    data = Dataset("sorted", rows, labels, -np.ones((5, 1)), np.zeros(5, int), 4, 0.9)
    split = data.validation_split(40, np.random.default_rng(3))

    assert len(split.x_train) == 60
    assert len(split.x_test) == 40
    together = np.concatenate([split.x_train, split.x_test])
    np.testing.assert_array_equal(np.sort(together, axis=0), rows)
    for x, y in ((split.x_train, split.y_train), (split.x_test, split.y_test)):
        np.testing.assert_array_equal(y, labels[x[:, 0].astype(int)])
        assert set(y) == {0, 1, 2, 3}
    assert split.name == "sorted-validation"
    assert (split.n_classes, split.target_accuracy) == (4, 0.9)


def test_validation_split_is_decided_by_the_seed():
    data = load("mnist-5k")
    first, again, other = (
        data.validation_split(500, np.random.default_rng(seed)).y_test for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("n", [0, -1, 4])
def test_validation_split_refuses(n):
    with pytest.raises(ValueError, match=f"expected 1 to 3 of 4 training rows, got {n}"):
        Dataset(**good_fields()).validation_split(n, np.random.default_rng(0))
