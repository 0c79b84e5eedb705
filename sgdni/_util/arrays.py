"""One array, or several that belong together: what travels between layers and modules."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

#: An array, or a tuple of arrays such as a window of inputs and the state that it starts from.
#: Which of the two is known to whoever stacks the layers and to no type checker: hence Any. A layer
#: says in its own signature what it takes.
Arrays: TypeAlias = Any


def each(arrays: Arrays) -> tuple[np.ndarray, ...]:
    """Return the arrays in a tuple, however many there are."""
    return arrays if isinstance(arrays, tuple) else (arrays,)


def flat_rows(array: np.ndarray) -> np.ndarray:
    """Return (..., n) as (N, n), without a copy where memory allows."""
    return array.reshape(-1, array.shape[-1])


def flat_examples(array: np.ndarray) -> np.ndarray:
    """Return (B, ...) as (B, n), without a copy where memory allows."""
    return array.reshape(len(array), -1)


def column_sums(a: np.ndarray) -> np.ndarray:
    """Return a.sum(axis=0) of (N, n), by a matrix product: a few times faster."""
    return np.ones(len(a), a.dtype) @ a


def fill(arrays: dict[Any, np.ndarray], values: dict[Any, np.ndarray]) -> None:
    """Copy into each array the value of the same name, if that is not the array itself."""
    for name, array in arrays.items():
        if array is not values[name]:
            array[...] = values[name]


def copied(message: Any, _done: dict[int, np.ndarray] | None = None) -> Any:
    """Return a message with copies of its arrays, however deep in tuples and lists they are.

    Their owners go on to change them. An array that is in it twice is copied once.
    """
    done = {} if _done is None else _done
    if isinstance(message, np.ndarray):
        if id(message) not in done:
            done[id(message)] = message.copy()
        return done[id(message)]
    if isinstance(message, tuple | list):
        make = getattr(message, "_make", type(message))  # a named tuple takes no list of its parts
        return make([copied(part, done) for part in message])
    return message
