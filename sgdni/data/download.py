"""Fetch a data set from its mirrors, trusting none of them.

Each file is streamed to a temporary file beside its destination, verified there, and only then
moved into place. So whatever goes wrong, including an interrupt, a file under its final name is
either the one that was there before or a good one.
"""

from __future__ import annotations

import os
import time
import urllib.request
from collections.abc import Sequence
from http.client import HTTPException
from pathlib import Path
from typing import BinaryIO

from tqdm import tqdm

from sgdni._util.files import temporary_beside
from sgdni.data.catalogue import lookup
from sgdni.data.entries import Entry, IdxEntry
from sgdni.data.idx import DataError, IdxFile
from sgdni.data.sums import SumsEntry

_CHUNK = 1 << 16  # bytes
_MIN_RATE = 1024  # bytes per second; a mirror that is slower than this has stalled
_SLACK = 1 << 16  # bytes by which a compressed file may be larger than what it unpacks to


def download(name: str | Entry, folder: str | os.PathLike | None = None,
             mirrors: Sequence[str] | None = None, timeout: float = 30.0) -> Path:
    """Download a data set, verify it, and return the folder in which its files lie.

    Good files that are there already are left alone; a damaged one is replaced once a good one is
    at hand. Each mirror is tried in turn, for each file. Progress is shown on a terminal.

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
    for file in entry.files.values():
        if not _is_good(file, target):
            _fetch(file, target, mirrors, timeout)
    return target


def _is_good(file: IdxFile, folder: Path) -> bool:
    path = file.find(folder)
    try:
        return path is not None and file.read(path) is not None
    except DataError:
        return False


def _fetch(file: IdxFile, folder: Path, mirrors: Sequence[str], timeout: float) -> None:
    """Put a verified copy of one file into the folder, from the first mirror that has one."""
    destination, failures = folder / f"{file.name}.gz", []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with temporary_beside(destination) as path:
            for mirror in mirrors:
                url = f"{mirror.rstrip('/')}/{destination.name}"
                try:
                    with path.open("wb") as output:
                        _stream(url, output, file.size + _SLACK, timeout)
                    file.read(path)
                # OSError covers refused, reset and timed-out connections, HTTP errors and a full
                # disk; ValueError covers DataError and malformed addresses.
                except (OSError, HTTPException, ValueError) as error:
                    failures.append(f"\n  {url}: {error or type(error).__name__}")
                else:
                    os.replace(path, destination)
                    return
    except OSError as error:
        raise DataError(f"cannot write to {folder}: {error.strerror or error}. Choose another "
                        f"folder with --folder (in Python: folder=) or set SGDNI_DATA.") from None
    raise DataError(
        f"could not download {destination.name}. What each mirror answered:{''.join(failures)}\n"
        f"Check the network connection and try again, or put the file into {folder} yourself.")


def _stream(url: str, output: BinaryIO, at_most: int, timeout: float) -> None:
    """Copy what an address answers to a file; raise OSError if it is cut short, long or slow."""
    with urllib.request.urlopen(url, timeout=timeout) as response:
        length = response.headers.get("Content-Length")
        expected = None if length is None else int(length)
        received, counted, since = 0, 0, time.monotonic()  # the last two: at the last look
        with tqdm(desc=url.rsplit("/", 1)[-1], total=expected, unit="B", unit_scale=True,
                  disable=None) as bar:
            # read1 returns what has come; read would wait, however long, for a full chunk.
            while chunk := response.read1(_CHUNK):
                output.write(chunk)
                received += len(chunk)
                bar.update(len(chunk))
                if received > at_most:
                    raise OSError(f"expected at most {at_most:,} bytes, got more")
                elapsed, new = time.monotonic() - since, received - counted
                if elapsed > timeout:
                    if new < _MIN_RATE * elapsed:
                        raise TimeoutError(f"stalled: {new:,} bytes in {elapsed:.1f} s")
                    counted, since = received, time.monotonic()
    if expected is not None and received != expected:
        raise OSError(f"expected {expected:,} bytes, got {received:,}")
