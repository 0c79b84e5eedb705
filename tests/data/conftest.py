"""A tiny data set, its entry, and places for it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import platformdirs
import pytest
from idx_files import N_CLASSES, N_TEST, N_TRAIN, idx_bytes

from sgdni.data.entries import IdxEntry
from sgdni.data.idx import IdxFile


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


@pytest.fixture
def places(tmp_path, monkeypatch) -> tuple[Path, Path]:
    """Point SGDNI_DATA and the user's cache folder at two folders that do not exist yet."""
    chosen, cache = tmp_path / "chosen", tmp_path / "cache"
    monkeypatch.setenv("SGDNI_DATA", str(chosen))
    monkeypatch.setattr(platformdirs, "user_cache_dir", lambda *args, **kwargs: str(cache))
    return chosen, cache
