"""The known data sets themselves, and ``sgdni data``, which lists them."""

from __future__ import annotations

import argparse

import numpy as np
import pytest

from sgdni.cli import data as cli_data
from sgdni.data import DataError, load, lookup


def test_mnist_5k():
    data = load("mnist-5k")
    assert data.x_train.shape == (4000, 784)
    assert data.x_test.shape == (1000, 784)
    assert data.x_train.dtype == np.uint8
    np.testing.assert_array_equal(np.bincount(data.y_train), [400] * 10)
    np.testing.assert_array_equal(np.bincount(data.y_test), [100] * 10)
    assert (data.n_classes, data.target_accuracy) == (10, 0.93)


def test_mnist_5k_has_no_image_in_both_parts():
    data = load("mnist-5k")
    images = {image.tobytes() for image in np.concatenate([data.x_train, data.x_test])}
    assert len(images) == 5000


def test_mnist_and_that_mnist_5k_is_part_of_its_training_set():
    if lookup("mnist").find() is None:
        pytest.skip("the full MNIST is not installed: `sgdni data download mnist` fetches it")
    mnist, part = load("mnist"), load("mnist-5k")
    assert mnist.x_train.shape == (60_000, 784)
    assert mnist.x_test.shape == (10_000, 784)
    assert (mnist.n_classes, mnist.target_accuracy) == (10, 0.97)
    np.testing.assert_array_equal(mnist.y_train[:5], [5, 0, 4, 1, 9])
    known = {
        (image.tobytes(), label) for image, label in zip(mnist.x_train, mnist.y_train, strict=True)
    }
    for x, y in ((part.x_train, part.y_train), (part.x_test, part.y_test)):
        assert all((image.tobytes(), label) in known for image, label in zip(x, y, strict=True))


def run_cli(*words: str) -> None:
    parser = argparse.ArgumentParser(prog="sgdni")
    cli_data.add_parser(parser.add_subparsers())
    args = parser.parse_args(["data", *words])
    args.run(args)


@pytest.mark.parametrize("words", [[], ["list"]])
def test_cli_lists_what_is_here_and_how_to_get_the_rest(places, capsys, words):
    run_cli(*words)
    header, five, full, sums, full_sums = capsys.readouterr().out.splitlines()
    assert header.split() == ["name", "train", "test", "classes", "where"]
    assert five.split()[:4] == ["mnist-5k", "4000", "1000", "10"]
    assert five.endswith(str(lookup("mnist-5k").find()))
    assert full.split()[:4] == ["mnist", "60000", "10000", "10"]
    assert sums.split()[:4] == ["mnist-5k-sum", "20000", "5000", "10"]
    assert sums.endswith(str(lookup("mnist-5k").find()))
    assert full_sums.split()[:4] == ["mnist-sum", "60000", "10000", "10"]
    for line in full, full_sums:
        assert "not here: run `sgdni data download mnist`" in line


def test_cli_lists_where_a_downloaded_data_set_lies(places, capsys):
    folder = places[0] / "mnist"
    folder.mkdir(parents=True)
    for file in lookup("mnist").files.values():
        (folder / file.name).touch()
    run_cli()
    assert capsys.readouterr().out.splitlines()[2].endswith(str(folder))


@pytest.mark.parametrize(
    ("name", "message"),
    [("mnist-5k", "comes with sgdni: there is nothing to download"), ("x", "got 'x'"),
     ("mnist-sum", "is made of 'mnist': there is nothing to download but that")],
)
def test_cli_download_refuses(places, name, message):
    with pytest.raises(DataError, match=message):
        run_cli("download", name)


def test_cli_help_tells_of_sgdni_data(capsys):
    for words in (["--help"], ["download", "--help"]):
        with pytest.raises(SystemExit) as stop:
            run_cli(*words)
        assert stop.value.code == 0
        assert "SGDNI_DATA" in capsys.readouterr().out
