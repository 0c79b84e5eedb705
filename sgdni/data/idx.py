"""Read one IDX file, the format that MNIST is published in, and believe nothing it says.

An IDX file of bytes is: two zero bytes, 0x08 for "unsigned bytes", the number of dimensions, each
dimension as a big-endian 32-bit integer, and then the values, last dimension running fastest.
"""

from __future__ import annotations

import gzip
import hashlib
import math
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

_GZIP_MAGIC = b"\x1f\x8b"


class DataError(ValueError):
    """A data set is missing, damaged, unknown or cannot be fetched; the message says what to do."""


@dataclass(frozen=True)
class IdxFile:
    """What is known of one IDX file before it is read.

    Attributes
    ----------
    name : str
        Without ``.gz``.
    shape : tuple of int
    sha256 : str
        In hexadecimal, of the whole *unpacked* file. Copies of one file are compressed differently
        here and there; what they unpack to is the same.
    """

    name: str
    shape: tuple[int, ...]
    sha256: str

    @property
    def size(self) -> int:
        """Number of bytes of the unpacked file."""
        return len(self._header) + math.prod(self.shape)

    @property
    def _header(self) -> bytes:
        return bytes([0, 0, 8, len(self.shape)]) + np.array(self.shape, ">u4").tobytes()

    def find(self, folder: Path) -> Path | None:
        """Return the path of the file in a folder, compressed or else plain, or None."""
        # Downloads are compressed: found first, a fresh one supersedes a damaged plain file.
        candidates = (folder / f"{self.name}.gz", folder / self.name)
        return next((path for path in candidates if path.is_file()), None)

    def read(self, path: Path) -> np.ndarray:
        """Return the values at this path, uint8 and read-only.

        Raises DataError if the file is missing, damaged or another: what was expected and found,
        not the path.
        """
        content, header = _unpack(path, self.size), self._header
        if not content.startswith(header):
            raise DataError(f"expected an IDX file of bytes of shape {self.shape}, beginning "
                            f"{header.hex(' ')}, found {content[: len(header)].hex(' ') or 'none'}")
        if len(content) != self.size:
            found = "more" if len(content) > self.size else f"{len(content):,}"
            raise DataError(f"expected {self.size:,} bytes for shape {self.shape}, found {found}")
        sha256 = hashlib.sha256(content).hexdigest()
        if sha256 != self.sha256:
            raise DataError(f"expected SHA-256 {self.sha256}, found {sha256}")
        return np.frombuffer(content, np.uint8, offset=len(header)).reshape(self.shape)


def _unpack(path: Path, expected_size: int) -> bytes:
    """Return the content of a file, unpacked if its first bytes say that it is gzip-compressed.

    No more than one byte beyond the expected size is read, so that a small damaged or hostile file
    cannot unpack to gigabytes.
    """
    try:
        with path.open("rb") as file:
            if file.peek(2)[:2] != _GZIP_MAGIC:
                return file.read(expected_size + 1)
            with gzip.open(file) as unpacked:
                return unpacked.read(expected_size + 1)
    except FileNotFoundError:
        raise DataError("expected a file, found none") from None
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"expected a whole gzip file, found a damaged one ({error})") from None
    except OSError as error:
        raise DataError(f"expected a readable file, found: {error.strerror or error}") from None
