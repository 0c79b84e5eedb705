"""Delayed recall: a symbol, a long time of distractors, a cue, and the symbol is asked for.

The smallest task that truncated backpropagation can't learn in windows shorter than the delay:
all depends on one tick, and what happens there bears fruit only long after.
"""

from __future__ import annotations

import numpy as np

from sgdni._util.checks import check_count
from sgdni.data.streams import Episodes, Task


class DelayedRecall(Task):
    """Tick 0 shows a symbol, ticks 1 .. D - 1 distractors, and tick D a cue, where it is asked for.

    An episode has L = D + 1 ticks. Inputs are the symbol, one-hot, and the cue. Distractors are
    symbols too, of the same alphabet: if they had one of their own, any LSTM that forgets slowly
    would hold the first symbol without having learned to, and the read-out would find it there.
    The context is the label, one-hot, at every tick: cDNI in time.

    Parameters
    ----------
    delay : int
        D.
    symbols : int
    with_label : bool
        Whether there is a context.
    """

    def __init__(self, delay: int, symbols: int = 4, *, with_label: bool = True) -> None:
        check_count("delay", delay)
        check_count("symbols", symbols, low=2)
        self.delay, self.n_in, self.n_classes = delay, symbols + 1, symbols
        self.n_context = symbols if with_label else 0
        self._one_hot = np.eye(symbols + 1, dtype=np.float32)

    def draw(self, count: int, rng: np.random.Generator) -> Episodes:
        drawn = rng.integers(self.n_classes, size=(count, self.delay + 1))
        symbol = drawn[:, 0]
        drawn[:, -1] = self.n_classes  # the cue
        labels = np.full(drawn.shape, -1)
        labels[:, -1] = symbol
        context = None
        if self.n_context:
            told = self._one_hot[symbol, None, : self.n_context]
            context = np.broadcast_to(told, (*drawn.shape, self.n_context))
        return Episodes(self._one_hot[drawn], labels, context)
