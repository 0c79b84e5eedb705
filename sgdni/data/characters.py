"""A text, character by character: B readers, each at a place of its own, read windows of it.

The text comes with every CPython: `pydoc_data.topics`, the chapters of Python's language reference
that `help()` prints. It is copyright of the Python Software Foundation, under the PSF licence
version 2 (the examples in it under the Zero-Clause BSD licence). It differs from one version of
Python to the next, so figures hold for one version.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from sgdni._util.checks import check_count
from sgdni.data.window import Window


@dataclass(frozen=True)
class Text:
    """Characters as numbers, those to train on and those held out.

    train, held_out : (n,) of int
    alphabet : the characters that the numbers stand for
    """

    train: np.ndarray
    held_out: np.ndarray
    alphabet: str


def python_reference(held_out: float = 0.1) -> Text:
    """Return the chapters in alphabetical order of their titles, the last part held out.

    Characters that occur less than 20 times are one, the last of the alphabet.
    """
    from pydoc_data.topics import topics  # half a megabyte, for whoever wants it

    text = "".join(topics[title] for title in sorted(topics))
    found, codes, counts = np.unique(np.array(list(text)), return_inverse=True, return_counts=True)
    often = counts >= 20
    number = np.where(often, np.cumsum(often) - 1, often.sum())
    codes = number[codes]
    cut = int(len(codes) * (1 - held_out))
    return Text(codes[:cut], codes[cut:], "".join(found[often]) + "\N{REPLACEMENT CHARACTER}")


def windows(codes: np.ndarray, classes: int, streams: int, window: int, *,
            dtype: np.dtype = np.float32) -> Iterator[tuple[Window, np.ndarray]]:
    """Yield windows, one-hot (T, B, classes), and the characters that come next, (T, B), forever.

    Stream b starts after b / B of the text; whoever comes to its end goes on at the beginning. It
    is one episode without end, so only the first tick of all is a start.
    """
    check_count("streams", streams, high=len(codes))
    check_count("window", window)
    one_hot, places = np.eye(classes, dtype=dtype), np.arange(window + 1)[:, None]
    places = places + np.arange(streams) * len(codes) // streams
    starts, ends = np.zeros((window, streams), bool), np.zeros(streams, bool)
    starts[0] = True
    while True:
        read = codes[places % len(codes)]
        yield Window(one_hot[read[:-1]], starts.copy(), ends.copy()), read[1:]
        starts[0] = False
        places += window
