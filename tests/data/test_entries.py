"""Where files are looked for, and what is read from them: four IDX files, or one npz file."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from idx_files import N_CLASSES, assert_holds, idx_bytes, write_files

from sgdni.data import DataError, load
from sgdni.data.entries import EmbeddedEntry, hash_arrays


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
