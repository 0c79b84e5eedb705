"""Read one IDX file, the format that MNIST is published in, and believe nothing it says.

An IDX file of bytes is: two zero bytes, 0x08 for "unsigned bytes", the number of dimensions, each
dimension as a big-endian 32-bit integer, and then the values, last dimension running fastest.
"""

from __future__ import annotations

import gzip
import hashlib
import math
import os
import zlib
from pathlib import Path

import numpy as np

_GZIP_MAGIC = b"\x1f\x8b"
_UNSIGNED_BYTES = 0x08


class DataError(ValueError):
    """A data set is missing, damaged, unknown or cannot be fetched; the message says what to do."""


def read_idx(
    path: str | os.PathLike,
    shape: tuple[int, ...] | None = None,
    sha256: str | None = None,
    remedy: str = "Replace it with a good copy.",
) -> np.ndarray:
    """Read an IDX file of unsigned bytes, gzip-compressed or not (its first bytes tell which).

    Parameters
    ----------
    path : path
        The file.
    shape : tuple of int, optional
        The shape it should have.
    sha256 : str, optional
        SHA-256, in hexadecimal, of the whole *unpacked* file. Copies of one file are compressed
        differently here and there; what they unpack to is the same.
    remedy : str
        Closes every error message: what the reader should do.

    Returns
    -------
    array of uint8
        The values, read-only.

    Raises
    ------
    DataError
        If the file is missing, damaged or not the expected one; names file, expected and found.
    """
    try:
        return parse_idx(unpack(path, None if shape is None else idx_size(shape)), shape, sha256)
    except DataError as error:
        raise DataError(f"{path}: {error}. {remedy}") from None


def idx_size(shape: tuple[int, ...]) -> int:
    """Number of bytes of an unpacked IDX file of unsigned bytes of this shape."""
    return 4 + 4 * len(shape) + math.prod(shape)


def unpack(path: str | os.PathLike, expected_size: int | None = None) -> bytes:
    """Return the content of a file, unpacked if it is gzip-compressed.

    With `expected_size` (bytes), no more than one byte beyond it is read, so that a small damaged
    or hostile file cannot unpack to gigabytes. Raises DataError if the file cannot be read.
    """
    limit = -1 if expected_size is None else expected_size + 1
    try:
        with Path(path).open("rb") as file:
            if file.peek(2)[:2] != _GZIP_MAGIC:
                return file.read(limit)
            with gzip.open(file) as unpacked:
                return unpacked.read(limit)
    except FileNotFoundError:
        raise DataError("expected a file, found none") from None
    except EOFError:
        raise DataError("expected a whole gzip file, found one that is cut short") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"expected a sound gzip file, found a damaged one ({error})") from None
    except OSError as error:
        raise DataError(f"expected a readable file, found: {error.strerror or error}") from None


def parse_idx(
    content: bytes, shape: tuple[int, ...] | None = None, sha256: str | None = None
) -> np.ndarray:
    """Check the unpacked bytes of an IDX file and return them as an array (no copy is made).

    Parameters, result and errors are those of `read_idx`, but messages do not name the file.
    """
    if len(content) < 4:
        raise DataError(f"expected an IDX file, found only {len(content)} bytes")
    if content[:3] != bytes([0, 0, _UNSIGNED_BYTES]):
        raise DataError(
            "expected an IDX file of unsigned bytes, beginning 00 00 08, "
            f"found one beginning {content[:4].hex(' ')}"
        )
    header_size = 4 + 4 * content[3]
    if len(content) < header_size:
        raise DataError(f"expected an IDX header of {header_size} bytes, found {len(content)}")
    found_shape = tuple(np.frombuffer(content[4:header_size], ">u4").tolist())
    if shape is not None and found_shape != tuple(shape):
        raise DataError(f"expected shape {tuple(shape)}, found {found_shape}")
    if len(content) != idx_size(found_shape):
        found = "more" if len(content) > idx_size(found_shape) else f"{len(content):,}"
        raise DataError(
            f"expected {idx_size(found_shape):,} bytes for shape {found_shape}, found {found}"
        )
    if sha256 is not None:
        found_sha256 = hashlib.sha256(content).hexdigest()
        if found_sha256 != sha256:
            raise DataError(f"expected SHA-256 {sha256}, found {found_sha256}")
    return np.frombuffer(content, np.uint8, offset=header_size).reshape(found_shape)
