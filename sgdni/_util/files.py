"""Write a file all or nothing: beside its place first, then moved there in one step."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def temporary_beside(path: Path) -> Iterator[Path]:
    """Make an empty file in the folder of `path`; whatever is left of it in the end is removed.

    Move it to `path` with ``os.replace`` once it is complete. Raises OSError where the folder
    cannot be written to.
    """
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
    # Not tempfile, whose files only their owner may read: the folder may be shared by a class.
    temporary.touch(exist_ok=False)
    try:
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)
