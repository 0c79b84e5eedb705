"""Reading one IDX file: a good one, and damaged ones of every kind."""

from __future__ import annotations

import gzip
import hashlib

import numpy as np
import pytest
from idx_files import idx_bytes

from sgdni.data import DataError
from sgdni.data.idx import IdxFile

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


PACKED = gzip.compress(CONTENT, mtime=0)


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
        (gzip.compress(CONTENT + b"!" * 1000, mtime=0), "found more"),
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
