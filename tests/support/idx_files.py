"""A tiny data set in the IDX format, for tests of whoever reads, finds or fetches files."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np

from sgdni.data import Dataset

N_TRAIN, N_TEST, N_CLASSES = 6, 3, 3


def idx_bytes(values: np.ndarray) -> bytes:
    """Return an array of bytes in IDX format."""
    header = bytes([0, 0, 8, values.ndim])
    return header + np.array(values.shape, ">u4").tobytes() + values.tobytes()


def write_files(folder: Path, arrays: dict[str, np.ndarray], compress: bool = True) -> None:
    folder.mkdir(parents=True)
    for name, values in arrays.items():
        content = idx_bytes(values)
        if compress:
            (folder / f"{name}-idx.gz").write_bytes(gzip.compress(content))
        else:
            (folder / f"{name}-idx").write_bytes(content)


def assert_holds(data: Dataset, arrays: dict[str, np.ndarray]) -> None:
    np.testing.assert_array_equal(data.x_train, arrays["x_train"].reshape(N_TRAIN, 8))
    np.testing.assert_array_equal(data.y_train, arrays["y_train"])
    np.testing.assert_array_equal(data.x_test, arrays["x_test"].reshape(N_TEST, 8))
    np.testing.assert_array_equal(data.y_test, arrays["y_test"])
    assert data.x_train.dtype == np.uint8
    assert data.y_train.dtype == data.y_test.dtype == np.int64
