"""Data sets: what a Dataset accepts, reading IDX and npz files, where files are looked for."""

from __future__ import annotations

import argparse
import gzip
import hashlib
from pathlib import Path

import numpy as np
import platformdirs
import pytest

from sgdni.cli import data as cli_data
from sgdni.data import DataError, Dataset, load, lookup, scale_pixels
from sgdni.data.entries import EmbeddedEntry, IdxEntry, hash_arrays
from sgdni.data.idx import IdxFile

N_TRAIN, N_TEST, N_CLASSES = 6, 3, 3


def idx_bytes(values: np.ndarray) -> bytes:
    """Return an array of bytes in IDX format."""
    header = bytes([0, 0, 8, values.ndim])
    return header + np.array(values.shape, ">u4").tobytes() + values.tobytes()


@pytest.fixture
def idx_arrays() -> dict[str, np.ndarray]:
    """A tiny data set in the shape that MNIST's files have."""
    rng = np.random.default_rng(0)
    return {
        "x_train": rng.integers(0, 256, (N_TRAIN, 2, 4), dtype=np.uint8),
        "y_train": rng.integers(0, N_CLASSES, N_TRAIN, dtype=np.uint8),
        "x_test": rng.integers(0, 256, (N_TEST, 2, 4), dtype=np.uint8),
        "y_test": rng.integers(0, N_CLASSES, N_TEST, dtype=np.uint8),
    }


@pytest.fixture
def idx_entry(idx_arrays) -> IdxEntry:
    """A catalogue entry for it."""
    files = {
        name: IdxFile(f"{name}-idx", values.shape, hashlib.sha256(idx_bytes(values)).hexdigest())
        for name, values in idx_arrays.items()
    }
    return IdxEntry("tiny", files, N_CLASSES, 0.5, mirrors=())


def write_files(folder: Path, arrays: dict[str, np.ndarray], compress: bool = True) -> None:
    folder.mkdir(parents=True)
    for name, values in arrays.items():
        content = idx_bytes(values)
        if compress:
            (folder / f"{name}-idx.gz").write_bytes(gzip.compress(content))
        else:
            (folder / f"{name}-idx").write_bytes(content)


@pytest.fixture
def places(tmp_path, monkeypatch) -> tuple[Path, Path]:
    """Point SGDNI_DATA and the user's cache folder at two folders that do not exist yet."""
    chosen, cache = tmp_path / "chosen", tmp_path / "cache"
    monkeypatch.setenv("SGDNI_DATA", str(chosen))
    monkeypatch.setattr(platformdirs, "user_cache_dir", lambda *args, **kwargs: str(cache))
    return chosen, cache


def assert_holds(data: Dataset, arrays: dict[str, np.ndarray]) -> None:
    np.testing.assert_array_equal(data.x_train, arrays["x_train"].reshape(N_TRAIN, 8))
    np.testing.assert_array_equal(data.y_train, arrays["y_train"])
    np.testing.assert_array_equal(data.x_test, arrays["x_test"].reshape(N_TEST, 8))
    np.testing.assert_array_equal(data.y_test, arrays["y_test"])
    assert data.x_train.dtype == np.uint8
    assert data.y_train.dtype == data.y_test.dtype == np.int64


# --- scaling pixels


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


# --- Dataset


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


# --- IDX files

VALUES = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
CONTENT = idx_bytes(VALUES)
FILE = IdxFile("file", VALUES.shape, hashlib.sha256(CONTENT).hexdigest())


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_idx_file_is_read(tmp_path, pack):
    path = tmp_path / "file"
    path.write_bytes(pack(CONTENT))
    values = FILE.read(path)
    np.testing.assert_array_equal(values, VALUES)
    assert values.dtype == np.uint8 and not values.flags.writeable


PACKED = gzip.compress(CONTENT)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "expected an IDX file of bytes of shape .*, found none"),
        (b"\x00\x00\x08", "expected an IDX file of bytes of shape .*, found 00 00 08$"),
        (b"\x00\x00\x0d\x03" + CONTENT[4:], "beginning 00 00 08 03 00.*, found 00 00 0d 03"),
        (b"<html>Log in, please", "beginning 00 00 08 03 00.*, found 3c 68 74 6d"),
        (CONTENT[:10], "found 00 00 08 03 00 00 00 02 00 00$"),
        (CONTENT[:-1], r"expected 40 bytes for shape \(2, 3, 4\), found 39"),
        (CONTENT + b"!", r"expected 40 bytes for shape \(2, 3, 4\), found more"),
        (idx_bytes(VALUES.reshape(3, 2, 4)), r"shape \(2, 3, 4\),.* found 00 00 08 03 .. .. .. 03"),
        (idx_bytes(VALUES.reshape(6, 4)), r"shape \(2, 3, 4\), .* found 00 00 08 02 00 00 00 06"),
        (CONTENT[:-1] + b"!", "expected SHA-256 [0-9a-f]{64}, found [0-9a-f]{64}"),
        (PACKED[:-12], "expected a whole gzip file, found a damaged one .*ended before"),
        (PACKED[:-8] + b"crc!" + PACKED[-4:], "expected a whole gzip file, found a damaged one"),
        (PACKED[:10] + b"\xff" * 20, "expected a whole gzip file, found a damaged one"),
        (gzip.compress(CONTENT + b"!" * 1000), "found more"),
    ],
)
def test_damaged_idx_file(tmp_path, content, message):
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message) as error:
        FILE.read(path)
    assert str(error.value).startswith("expected ")


def test_missing_idx_file(tmp_path):
    with pytest.raises(DataError, match="expected a file, found none"):
        FILE.read(tmp_path / "missing")


def test_idx_file_that_cannot_be_read(tmp_path):
    with pytest.raises(DataError, match="expected a readable file, found: "):
        FILE.read(tmp_path)


# --- where files are looked for


@pytest.mark.parametrize("compress", [True, False])
def test_found_where_sgdni_data_points(places, idx_entry, idx_arrays, compress):
    write_files(places[0] / "tiny", idx_arrays, compress)
    assert idx_entry.find() == places[0] / "tiny"
    data = load(idx_entry)
    assert_holds(data, idx_arrays)
    assert (data.name, data.n_classes, data.target_accuracy) == ("tiny", N_CLASSES, 0.5)


def test_found_in_the_cache_folder(places, idx_entry, idx_arrays):
    write_files(places[1] / "tiny", idx_arrays)
    assert idx_entry.find() == places[1] / "tiny"
    assert_holds(load(idx_entry), idx_arrays)


@pytest.mark.parametrize("variable", ["", None])
def test_only_the_cache_folder_counts_when_sgdni_data_is_not_set(
    places, idx_entry, monkeypatch, variable
):
    if variable is None:
        monkeypatch.delenv("SGDNI_DATA")
    else:
        monkeypatch.setenv("SGDNI_DATA", variable)
    assert idx_entry.folders == (places[1] / "tiny",)


def test_sgdni_data_may_start_with_a_tilde(places, idx_entry, monkeypatch):
    monkeypatch.setenv("SGDNI_DATA", "~/sets")
    assert idx_entry.folders[0] == Path.home() / "sets" / "tiny"


def test_sgdni_data_is_looked_at_first(places, idx_entry, idx_arrays):
    for place in places:
        write_files(place / "tiny", idx_arrays)
    assert idx_entry.find() == places[0] / "tiny"


def test_not_found_lists_the_places_and_the_command(places, idx_entry, idx_arrays):
    write_files(places[1] / "tiny", idx_arrays)
    (places[1] / "tiny" / "x_test-idx.gz").unlink()
    assert idx_entry.find() is None
    with pytest.raises(DataError) as error:
        load(idx_entry)
    message = str(error.value)
    assert f"{places[0] / 'tiny'} (lacks x_train-idx, y_train-idx, x_test-idx" in message
    assert f"{places[1] / 'tiny'} (lacks x_test-idx)" in message
    assert "`sgdni data download tiny`" in message


def test_not_found_never_means_another_data_set(places):
    with pytest.raises(DataError, match="'mnist' was not found"):
        load("mnist")


@pytest.mark.parametrize("damage", ["truncated", "one pixel"])
def test_damaged_file_is_not_passed_over(places, idx_entry, idx_arrays, damage):
    for place in places:
        write_files(place / "tiny", idx_arrays)
    damaged = places[0] / "tiny" / "x_test-idx.gz"
    if damage == "truncated":
        damaged.write_bytes(damaged.read_bytes()[:-10])
    else:
        damaged.write_bytes(gzip.compress(idx_bytes(idx_arrays["x_test"] ^ np.uint8(1))))
    with pytest.raises(DataError) as error:
        load(idx_entry)
    assert str(error.value).startswith(f"{damaged}: expected ")
    assert "To replace it, run `sgdni data download tiny`" in str(error.value)


def test_unknown_name_lists_the_known_ones():
    known = "mnist-5k, mnist, mnist-5k-sum, mnist-sum"
    with pytest.raises(DataError, match=rf"\({known}\), got 'mnist5k'"):
        load("mnist5k")


# --- data sets in an npz file


@pytest.fixture
def npz_entry(idx_arrays, tmp_path) -> EmbeddedEntry:
    """An entry for an npz file that is yet to be written, and two folders it may be in."""
    arrays = flat(idx_arrays)
    folders = (tmp_path / "first", tmp_path / "second")
    for folder in folders:
        folder.mkdir()
    shapes = {name: values.shape for name, values in arrays.items()}
    return EmbeddedEntry("tiny", "t.npz", shapes, hash_arrays(arrays), N_CLASSES, 0.5, folders)


def flat(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: v.reshape(len(v), -1) if v.ndim > 1 else v for name, v in arrays.items()}


@pytest.mark.parametrize("place", [0, 1])
def test_npz_is_found_and_read(npz_entry, idx_arrays, place):
    path = npz_entry.folders[place] / "t.npz"
    np.savez_compressed(path, **flat(idx_arrays))
    assert npz_entry.find() == path.parent
    assert_holds(load(npz_entry), idx_arrays)


def test_npz_not_found(npz_entry):
    assert npz_entry.find() is None
    with pytest.raises(DataError) as error:
        load(npz_entry)
    for folder in npz_entry.folders:
        assert f"{folder} (lacks t.npz)" in str(error.value)
    assert "reinstall sgdni" in str(error.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a["x_test"].__setitem__((0, 0), a["x_test"][0, 0] ^ 1), "expected SHA-256"),
        (lambda a: a.update(x_test=a["x_test"][:2]), r"x_test of shape \(3, 8\).* found \(2, 8\)"),
        (lambda a: a.update(y_test=a["y_test"].astype(int)), "type uint8, found .* and int64"),
        (lambda a: a.pop("y_train"), "expected an npz file with x_train, .* cannot be read"),
        (lambda a: a.update(y_test=np.array([None] * 3)), "cannot be read .*allow_pickle=False"),
    ],
    ids=["pixel", "shape", "type", "array", "pickle"],
)
def test_npz_with_other_arrays(npz_entry, idx_arrays, change, message):
    arrays = flat(idx_arrays)
    change(arrays)
    np.savez_compressed(npz_entry.folders[0] / "t.npz", **arrays)
    with pytest.raises(DataError, match=message):
        load(npz_entry)


@pytest.mark.parametrize("damage", ["empty", "text", "truncated", "garbled"])
def test_damaged_npz_file(npz_entry, idx_arrays, damage):
    path = npz_entry.folders[0] / "t.npz"
    np.savez_compressed(path, **flat(idx_arrays))
    content = path.read_bytes()
    changed = {
        "empty": b"",
        "text": b"not an npz file",
        "truncated": content[: len(content) // 2],
        "garbled": content[:60] + b"\xff" * 40 + content[100:],
    }
    path.write_bytes(changed[damage])
    with pytest.raises(DataError, match=f"{path.name}: expected an npz file .* cannot be read"):
        load(npz_entry)


def test_npz_damaged_anywhere_is_noticed_or_harmless(npz_entry, idx_arrays):
    path = npz_entry.folders[0] / "t.npz"
    np.savez_compressed(path, **flat(idx_arrays))
    content = path.read_bytes()
    for position in range(0, len(content), 7):
        garbled = bytearray(content)
        garbled[position] ^= 0xFF
        path.write_bytes(garbled)
        try:
            assert_holds(load(npz_entry), idx_arrays)
        except DataError:
            pass


# --- the data sets themselves


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


# --- command line


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
