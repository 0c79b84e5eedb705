"""Fetch a data set from its mirrors, trusting none of them.

Each file is streamed to a temporary file beside its destination, verified there, and only then
moved into place. So whatever goes wrong, including an interrupt, a file under its final name is
either the one that was there before or a good one.
"""

from __future__ import annotations

import contextlib
import os
import time
import urllib.request
from collections.abc import Iterator, Sequence
from http.client import HTTPException
from pathlib import Path
from typing import BinaryIO

from tqdm import tqdm

from sgdni._util.files import temporary_beside
from sgdni.data.catalogue import Entry, IdxEntry, IdxFile, lookup
from sgdni.data.idx import DataError, idx_size, parse_idx, unpack
from sgdni.data.sums import SumsEntry

_CHUNK = 1 << 16  # bytes
_MIN_RATE = 1024  # bytes per second; a mirror that is slower than this has stalled
_SLACK = 1 << 16  # bytes by which a compressed file may be larger than what it unpacks to


def download(
    name: str | Entry,
    folder: str | os.PathLike | None = None,
    mirrors: Sequence[str] | None = None,
    timeout: float = 30.0,
    progress: bool = True,
) -> Path:
    """Download a data set, verify it, and return the folder in which its files lie.

    Good files that are there already are left alone; a damaged one is replaced once a good one is
    at hand. Each mirror is tried in turn, for each file.

    Parameters
    ----------
    name : str or Entry
        A data set of the catalogue, or an `IdxEntry` of your own.
    folder : path, optional
        The files go to ``folder/<name>/``, which is where `load` finds them if SGDNI_DATA is
        `folder`. By default, to where `load` looks first: ``$SGDNI_DATA/<name>/``, or the user's
        cache folder if that variable is not set.
    mirrors : sequence of str, optional
        Addresses to fetch from instead of the entry's own.
    timeout : float, seconds
        A mirror is given up when it sends nothing for so long, or less than 1 KiB per second
        over so long.
    progress : bool
        Show a progress bar, if standard error is a terminal.

    Raises
    ------
    DataError
        If the data set is unknown or comes with sgdni, the folder cannot be written to, or all
        mirrors failed; the message then says how each of them did.
    """
    entry = lookup(name)
    if isinstance(entry, SumsEntry):
        raise DataError(f"data set {entry.name!r} is made of {entry.source.name!r}: "
                        f"there is nothing to download but that")
    if not isinstance(entry, IdxEntry):
        raise DataError(f"data set {entry.name!r} comes with sgdni: there is nothing to download")
    mirrors = entry.mirrors if mirrors is None else mirrors
    target = entry.folders[0] if folder is None else Path(folder).expanduser() / entry.name
    for file in entry.files:
        if not _is_good(file, target):
            _fetch(file, target, mirrors, timeout, progress)
    return target


def _is_good(file: IdxFile, folder: Path) -> bool:
    path = file.find(folder)
    if path is None:
        return False
    try:
        _verify(path, file)
    except DataError:
        return False
    return True


def _verify(path: Path, file: IdxFile) -> None:
    """Raise DataError, which does not name the path, if this is not the expected file."""
    parse_idx(unpack(path, idx_size(file.shape)), file.shape, file.sha256)


def _fetch(
    file: IdxFile, folder: Path, mirrors: Sequence[str], timeout: float, progress: bool
) -> None:
    """Put a verified copy of one file into the folder, from the first mirror that has one."""
    failures = []
    for mirror in mirrors:
        url = f"{mirror.rstrip('/')}/{file.name}.gz"
        with _part_of(folder / f"{file.name}.gz") as path:
            try:
                with path.open("wb") as output:
                    _stream(url, output, idx_size(file.shape) + _SLACK, timeout, progress)
                _verify(path, file)
            # OSError covers refused, reset and timed-out connections, HTTP errors and a full disk;
            # ValueError covers DataError and malformed addresses.
            except (OSError, HTTPException, ValueError) as error:
                failures.append(f"\n  {url}: {error or type(error).__name__}")
                continue
            _replace(path, folder / f"{file.name}.gz")
            return
    raise DataError(
        f"could not download {file.name}.gz. What each mirror answered:{''.join(failures)}\n"
        f"Check the network connection and try again, or put the file into {folder} yourself."
    )


@contextlib.contextmanager
def _part_of(destination: Path) -> Iterator[Path]:
    """Like temporary_beside, making the folder if need be, with an error for the user."""
    with contextlib.ExitStack() as stack:
        try:
            destination.parent.mkdir(parents=True, exist_ok=True)
            path = stack.enter_context(temporary_beside(destination))
        except OSError as error:
            raise _unwritable(destination.parent, error) from None
        yield path


def _replace(path: Path, destination: Path) -> None:
    try:
        os.replace(path, destination)
    except OSError as error:
        raise _unwritable(destination, error) from None


def _unwritable(path: Path, error: OSError) -> DataError:
    return DataError(
        f"cannot write to {path}: {error.strerror or error}. Choose another folder with --folder "
        "(in Python: folder=) or set SGDNI_DATA."
    )


def _stream(url: str, output: BinaryIO, at_most: int, timeout: float, progress: bool) -> None:
    """Copy what an address answers to a file; raise OSError if it is cut short, long or slow."""
    with urllib.request.urlopen(url, timeout=timeout) as response:
        length = response.headers.get("Content-Length")
        expected = None if length is None else int(length)
        name = url.rsplit("/", 1)[-1]
        with tqdm(
            desc=name, total=expected, unit="B", unit_scale=True, disable=None if progress else True
        ) as bar:
            received = 0
            window_start, window_bytes = time.monotonic(), 0
            # read1 returns what has come; read would wait, however long, for a full chunk.
            while chunk := response.read1(_CHUNK):
                output.write(chunk)
                received += len(chunk)
                window_bytes += len(chunk)
                bar.update(len(chunk))
                if received > at_most:
                    raise OSError(f"expected at most {at_most:,} bytes, got more")
                elapsed = time.monotonic() - window_start
                if elapsed > timeout:
                    if window_bytes < _MIN_RATE * elapsed:
                        raise TimeoutError(f"stalled: {window_bytes:,} bytes in {elapsed:.1f} s")
                    window_start, window_bytes = time.monotonic(), 0
    if expected is not None and received != expected:
        raise OSError(f"expected {expected:,} bytes, got {received:,}")
