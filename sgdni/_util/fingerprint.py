"""Tell whether two states are the same without keeping both."""

from __future__ import annotations

import zlib
from collections.abc import Collection
from typing import Any

import numpy as np

from sgdni._util.parts import named_parts


def fingerprint(state: Any, without: Collection[str] = ()) -> int:
    """Return a number that differs when arrays, numbers and texts do, however deep they lie.

    In lists, tuples and dicts, and in the public attributes of objects but for the names in
    `without`. Functions are told apart by which they are, not by what they do.
    """
    return _fingerprint(state, without, {})


def _fingerprint(state: Any, without: Collection[str], seen: dict[int, tuple[int, Any]]) -> int:
    if isinstance(state, bool | int | float | complex | str | bytes | np.generic | None):
        return zlib.crc32(repr(state).encode())
    if id(state) in seen:  # once is enough, and the way may lead round
        return seen[id(state)][0]
    seen[id(state)] = len(seen), state  # kept, for the number is another's when it is gone
    if isinstance(state, np.ndarray):
        kind = repr((state.dtype, state.shape)).encode()
        return zlib.crc32(np.ascontiguousarray(state).data, zlib.crc32(kind))
    if isinstance(state, np.random.Generator):
        state = state.bit_generator.state
    if isinstance(state, set | frozenset):
        state = sorted(map(repr, state))
    opaque = not (hasattr(state, "__dict__") or isinstance(state, list | tuple | dict))
    which = id(state) if opaque or callable(state) else None
    inner = [(name, _fingerprint(part, without, seen)) for name, part in named_parts(state)
             if name not in without]
    return zlib.crc32(repr((type(state).__qualname__, which, inner)).encode())
