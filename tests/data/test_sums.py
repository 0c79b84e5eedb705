"""Pairs of digits: the right images beside each other, the right sums, nothing shared."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from sgdni.data import DataError, Dataset, load, lookup
from sgdni.data.sums import SumsEntry
from sgdni.training.batches import Minibatches


class Digits:
    """Images (3, 3) that say which they are: every pixel of image i of class i % 4 is i."""

    name, n_classes = "digits", 4

    def load(self):
        x = np.repeat(np.arange(90, dtype=np.uint8)[:, None], 9, axis=1)
        y = np.arange(90) % 4
        return Dataset(self.name, x[:60], y[:60], x[60:], y[60:], 4)

    def find(self):
        return None


ENTRY = SumsEntry("sums", Digits(), 500, 200, 0.5, side=3)


def test_labels_are_the_sums_of_the_two_images():
    data = ENTRY.load()
    assert {name: getattr(data, name).shape for name in ENTRY.shapes} == ENTRY.shapes
    assert (data.name, data.n_classes, data.target_accuracy) == ("sums", 4, 0.5)
    for x, y, numbers in ((data.x_train, data.y_train, range(60)),
                          (data.x_test, data.y_test, range(60, 90))):
        images = x.reshape(-1, 3, 2, 3)  # rows of pixels, left and right half of each
        assert (images == images[:, :1, :, :1]).all()
        left, right = images[:, 0, :, 0].astype(int).T
        np.testing.assert_array_equal(y, (left + right) % 4)
        assert set(left) == set(right) == set(numbers)  # and nothing of the other part
        assert np.count_nonzero(left == right) < len(x) / 10


def test_an_image_stands_upright():
    """Of images that differ from pixel to pixel the left half is the left one's."""
    class Gradual(Digits):
        def load(self):
            x = np.arange(9, dtype=np.uint8)[None].repeat(8, axis=0)
            return Dataset("gradual", x, np.zeros(8, int), x, np.zeros(8, int), 4)

    data = SumsEntry("sums", Gradual(), 5, 5, None, side=3).load()
    np.testing.assert_array_equal(
        data.x_train[0].reshape(3, 6), np.tile(np.arange(9).reshape(3, 3), 2))


def test_pairs_are_the_same_every_time_and_others_with_another_seed():
    first, second = ENTRY.load(), ENTRY.load()
    other = SumsEntry("sums", Digits(), 500, 200, 0.5, side=3, seed=1).load()
    assert np.array_equal(first.x_train, second.x_train)
    assert np.array_equal(first.x_test, second.x_test)
    assert not np.array_equal(first.x_train, other.x_train)


def test_training_takes_pairs_made_on_the_fly():
    data, passes = ENTRY.load(), []
    batches = Minibatches(data.examples(), 50, np.random.default_rng(0))
    assert batches.steps == 10
    for _ in range(2):
        chosen = []
        for x, y in batches:
            images = np.rint(x.reshape(-1, 3, 2, 3) * 255).astype(int)
            assert x.dtype == np.float32 and (images == images[:, :1, :, :1]).all()
            left, right = images[:, 0, :, 0].T
            np.testing.assert_array_equal(y, (left + right) % 4)
            chosen += zip(left, right, strict=True)
        passes.append(set(chosen))
    assert {digit for pair in passes[0] for digit in pair} == set(range(60))
    assert len(passes[0] & passes[1]) < 150  # of about 470; by chance 60 or so


def test_workers_share_the_pairs_of_a_minibatch():
    data = ENTRY.load()
    whole, *shares = ([(x.copy(), y) for x, y in Minibatches(
        data.examples(), 50, np.random.default_rng(0)).share(k, of)]
        for k, of in ((0, 1), (0, 2), (1, 2)))
    for (x, y), (x_0, y_0), (x_1, y_1) in zip(whole, *shares, strict=True):
        np.testing.assert_array_equal(x, np.concatenate([x_0, x_1]))
        np.testing.assert_array_equal(y, np.concatenate([y_0, y_1]))


def test_digits_set_aside_are_in_no_training_pair():
    split = ENTRY.load().validation_split(15, np.random.default_rng(0))
    x, _ = split.examples().take(split.examples().order(np.random.default_rng(0)),
                                 np.empty((500, 18)))
    aside, kept = set(split.x_test.ravel()), set(np.rint(x * 255).astype(int).ravel())
    assert len(split.x_test) == 15 and len(kept) == 45
    assert aside.isdisjoint(kept) and aside | kept <= set(range(60))
    assert kept >= set(split.x_train.ravel())


def test_mnist_5k_sum():
    data = load("mnist-5k-sum")
    assert data.x_train.shape == (20_000, 1568) and data.x_test.shape == (5_000, 1568)
    assert data.x_train.dtype == np.uint8 and data.n_classes == 10
    assert np.bincount(data.y_train).min() > 1800  # all sums about as often
    # these very pairs, also with a later NumPy
    digest = hashlib.sha256(data.y_train.tobytes() + data.y_test.tobytes()).hexdigest()
    assert digest == "e3ada9ae1f75c5cc6493672254a88d2a755fa3411ec12e11938a2f144eb95c91"


def test_without_the_digits_there_are_no_sums(tmp_path, monkeypatch):
    monkeypatch.setenv("SGDNI_DATA", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert lookup("mnist-sum").find() is None
    with pytest.raises(DataError, match="sgdni data download mnist`"):
        load("mnist-sum")
