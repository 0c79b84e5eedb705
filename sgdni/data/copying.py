"""Copy and repeat copy: N symbols of one bit, a sign to go, and the symbols again, R times.

The tasks on which Jaderberg et al. 2016 measure how far back a network learns to remember.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from sgdni.data.streams import Episodes, Task

HORIZON = 24  # ticks ahead of which the context tells


class Copying(Task):
    """An episode has L = N + 1 + N R ticks: N symbols, the sign to go, N R answers.

    Inputs are the symbol, +1 or -1, where there is one, and R at the sign to go. The answer, 0 or
    1, is asked for where no symbol comes in.

    The curriculum: `longer` raises N when R never changes, else R and N in turn.

    Parameters
    ----------
    repeat : bool
        Whether R grows; else it is 1.
    context : "none", "own" or "shuffled"
        "own" tells, of each of the next 24 ticks, the answer (+1 or -1) and a mask (1): those of
        symbols that the network has been given by then, the others are 0. So it says nothing of
        the future, but what the state should hold. "shuffled" has the same masks, and the answers
        of another episode of the same length: a control, which knows of the times alone.

    Attributes
    ----------
    symbols, repeats : int
        N and R of the next episodes, from 1 on.
    """

    n_in, n_classes = 2, 2

    def __init__(self, *, repeat: bool = False, context: str = "none") -> None:
        if context not in ("none", "own", "shuffled"):
            raise ValueError(f"context: expected none, own or shuffled, got {context}")
        self.repeat, self.context = repeat, context
        self.n_context = 0 if context == "none" else 2 * HORIZON
        self.symbols = self.repeats = 1

    @property
    def length(self) -> int:
        """N R, the number of answers."""
        return self.symbols * self.repeats

    def longer(self) -> None:
        """Make episodes longer from the next one on."""
        if self.repeat and self.repeats < self.symbols:
            self.repeats += 1
        else:
            self.symbols += 1

    def draw(self, count: int, rng: np.random.Generator) -> Episodes:
        n, repeats = self.symbols, self.repeats
        bits = rng.integers(2, size=(count, n))
        inputs = np.zeros((count, n + 1 + n * repeats, 2), np.float32)
        inputs[:, :n, 0] = 2 * bits - 1
        inputs[:, n, 1] = repeats
        labels = np.full(inputs.shape[:2], -1)
        labels[:, n + 1 :] = np.tile(bits, repeats)
        if self.context == "none":
            return Episodes(inputs, labels)
        told = bits if self.context == "own" else rng.integers(2, size=(count, n))
        return Episodes(inputs, labels, contexts(told, repeats))


def contexts(bits: np.ndarray, repeats: int) -> np.ndarray:
    """Return (E, L, 48) for symbols (E, N): the answers of the next 24 ticks, and their masks."""
    count, n = bits.shape
    which = asked_next(n, repeats)
    signs = np.zeros((count, n + 1), np.float32)  # the last one stands where nothing is told
    np.subtract(2 * bits, 1, out=signs[:, :n])
    context = np.empty((count, len(which), 2 * HORIZON), np.float32)
    context[..., :HORIZON] = signs[:, which]
    context[..., HORIZON:] = which < n
    return context


@cache
def asked_next(n: int, repeats: int) -> np.ndarray:
    """Return (L, 24): which symbol is asked for at tick t + 1 + k, or N if none, or unread by t."""
    ticks = np.arange(n + 1 + n * repeats)[:, None]
    answer = ticks + 1 + np.arange(HORIZON) - (n + 1)  # which of the N R answers that tick is for
    known = (answer >= 0) & (answer < n * repeats) & (answer % n <= ticks)
    return np.where(known, answer % n, n)
