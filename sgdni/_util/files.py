"""Write files all or nothing, and never one in the place of another that is needed."""

from __future__ import annotations

import contextlib
import glob
import os
import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

try:
    import fcntl
except ImportError:  # Windows, where what a kill leaves behind stays
    LOCKS = False
else:
    LOCKS = True


@contextlib.contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Yield a file to write beside `path`; it takes that place when the block ends well.

    So an interruption, an error or a full disk leaves `path` as it was. A link stays one, and what
    is no regular file (a pipe, a device) is written to as it is. Raises OSError.
    """
    place = _place(path)
    if place is None:
        yield path
        return
    try:
        with temporary_beside(place) as temporary:
            yield temporary
            with temporary.open("r+b") as file:
                os.fsync(file.fileno())
            os.replace(temporary, place)
    except OSError as error:
        if error.errno is not None:
            error.filename = str(path)  # a full disk names none, and others the temporary one
        raise


@contextlib.contextmanager
def temporary_beside(path: Path) -> Iterator[Path]:
    """Make an empty file in the folder of `path`; whatever is left of it in the end is removed.

    Removed is, too, what a killed process has left of its own. Move the file to `path` with
    ``os.replace`` once it is complete. Raises OSError where the folder cannot be written to.
    """
    for left in path.parent.glob(f"{glob.escape(path.name)}.????????.part"):
        _remove_if_nobodys(left)
    temporary, held = _new(path)
    with held:  # and so its lock, which says that somebody is at work on it
        try:
            yield temporary
        finally:
            temporary.unlink(missing_ok=True)


def _new(path: Path) -> tuple[Path, BinaryIO]:
    while True:
        temporary = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
        # Not tempfile, whose files only their owner may read: the folder may be shared by a class.
        held = temporary.open("xb")
        if not LOCKS:
            return temporary, held
        fcntl.flock(held, fcntl.LOCK_EX)
        if os.fstat(held.fileno()).st_nlink:  # else somebody has cleared up before the lock
            return temporary, held
        held.close()


def _remove_if_nobodys(path: Path) -> None:
    with contextlib.suppress(OSError):  # it is somebody's, or gone meanwhile
        if LOCKS:
            with path.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()


def _place(path: Path) -> Path | None:
    """Return where a file of this name lies, or is to lie; None for a pipe, a device and such."""
    place = Path(os.path.realpath(path))
    # A pipe behind /dev/stdout has a real path, too, at which nothing is.
    there = not path.exists() or (path.is_file() and place.exists())
    return place if there else None


def check_writable(path: Path) -> None:
    """Refuse a file that could not be written, before the work that would go into it is done.

    Raises ValueError.
    """
    if path.is_dir():
        raise ValueError(f"{path}: is a folder, expected a file name")
    place = _place(path)
    if place is None:
        return
    if not place.parent.is_dir():
        raise ValueError(f"{path}: the folder {place.parent} does not exist")
    try:
        with temporary_beside(place):
            pass
    except OSError as error:
        raise ValueError(f"{path}: cannot be written: {error.strerror or error}") from None


#: Files, each with what it is in a message.
Named = Sequence[tuple[str, Path]]


def check_apart(outputs: Named, inputs: Named) -> None:
    """Refuse files to write that are files to read, or one another: by whatever path.

    Raises ValueError.
    """
    there = list(inputs)
    for what, path in outputs:
        for whose, other in there:
            if _same(path, other):
                raise ValueError(f"{what} {path}: would overwrite {whose} {other}; "
                                 f"name another file")
        there.append((what, path))


def _same(a: Path, b: Path) -> bool:
    with contextlib.suppress(OSError):  # one is not there yet
        return a.samefile(b)
    return os.path.realpath(a) == os.path.realpath(b)
