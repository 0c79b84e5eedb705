"""Delayed recall: a symbol, a long time of distractors, a cue, and the symbol is asked for.

The smallest task that windows shorter than the delay tell nothing of: all depends on one tick, and
what happens there bears fruit only long after.
"""

from __future__ import annotations

import numpy as np

from sgdni._util.checks import check_count
from sgdni.data.streams import Episodes, Task


class DelayedRecall(Task):
    """A tick shows the symbol, the others distractors, and the last one a cue: it is asked for.

    An episode has L = lead + D + 1 ticks. Inputs are a symbol, one-hot, and the cue. Distractors
    are symbols too, of the same alphabet: if they had one of their own, any LSTM that forgets
    slowly would hold the first symbol without having learned to, and the read-out would find it
    there. The context is the label, one-hot, at every tick: cDNI in time.

    Without a lead the symbol stands at tick 0. With one it stands at any of the ticks 0 .. lead,
    by chance, and the cue's channel marks it. Then nothing else says which symbol is meant: at
    tick 0 it is told apart by the state that it meets, which is still 0.

    Parameters
    ----------
    delay : int
        D: so many ticks, at least, lie between the symbol and the answer; at most D + lead.
    symbols : int
    lead : int
    with_label : bool
        Whether there is a context.
    """

    def __init__(self, delay: int, symbols: int = 4, *, lead: int = 0, with_label: bool = True
                 ) -> None:
        check_count("delay", delay)
        check_count("symbols", symbols, low=2)
        check_count("lead", lead, low=0)
        self.delay, self.lead, self.n_in, self.n_classes = delay, lead, symbols + 1, symbols
        self.n_context = symbols if with_label else 0
        self._one_hot = np.eye(symbols + 1, dtype=np.float32)

    def draw(self, count: int, rng: np.random.Generator) -> Episodes:
        drawn = rng.integers(self.n_classes, size=(count, self.lead + self.delay + 1))
        everyone = np.arange(count)
        shown = rng.integers(self.lead + 1, size=count) if self.lead else np.zeros(count, int)
        symbol = drawn[everyone, shown]
        drawn[:, -1] = self.n_classes  # the cue
        labels = np.full(drawn.shape, -1)
        labels[:, -1] = symbol
        inputs = self._one_hot[drawn]
        if self.lead:
            inputs[everyone, shown, -1] = 1
        context = None
        if self.n_context:
            told = self._one_hot[symbol, None, : self.n_context]
            context = np.broadcast_to(told, (*drawn.shape, self.n_context))
        return Episodes(inputs, labels, context)
