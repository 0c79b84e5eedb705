"""Streams of episodes: what a recurrent network lives through, cut into windows.

A task draws episodes. A stream lines them up without gaps; B streams run side by side, each at a
place of its own in its episode, and a window is the next T ticks of all of them. So an episode may
begin and end anywhere in a window, and may be longer than many.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from sgdni._util.checks import check_count
from sgdni.data.window import Window


class Episodes(NamedTuple):
    """E episodes of a task, of L ticks each.

    inputs : (E, L, n)
    labels : (E, L) of int, -1 where nothing is asked
    context : (E, L, m) or None. Row t is what an SG model may know when a window ends at tick t.
    """

    inputs: np.ndarray
    labels: np.ndarray
    context: np.ndarray | None = None


class Task:
    """Draws episodes. A task may change between two draws: a curriculum makes them longer.

    Attributes
    ----------
    n_in, n_classes, n_context : int
        Widths of the inputs, number of labels, width of the context (0: none).
    """

    n_in: int
    n_classes: int
    n_context: int = 0

    def draw(self, count: int, rng: np.random.Generator) -> Episodes:
        """Return so many new episodes; several at once cost little more than one."""
        raise NotImplementedError


class Stream(Iterator[tuple[Window, np.ndarray]]):
    """Windows (T, B, ...) of B streams, and their labels (T, B), forever.

    Episodes are drawn when a window reaches them and no sooner, so a change of the task is felt
    with the next episode of each stream. What is handed out is the caller's to keep.

    Parameters
    ----------
    task : Task
    streams, window : int
        B and T.
    rng : numpy.random.Generator
    dtype : of inputs and context.

    Notes
    -----
    Episodes that are all of one length would stay in step forever. So every stream enters its
    first episode at a random tick. What that episode asks was shown, perhaps, before the stream
    began; its labels are -1.
    """

    def __init__(self, task: Task, streams: int, window: int, rng: np.random.Generator, *,
                 dtype: np.dtype = np.float32) -> None:
        check_count("streams", streams)
        check_count("window", window)
        self.task, self.window, self.rng = task, window, rng
        shape = (16 * window, streams)  # ticks: how many are kept matters for speed only
        self._inputs = np.zeros((*shape, task.n_in), dtype)
        self._labels = np.zeros(shape, np.int64)
        self._starts = np.zeros(shape, bool)
        self._ends = np.zeros(shape, bool)
        self._context = np.zeros((*shape, task.n_context), dtype)
        self._now = 0  # the tick where the next window begins
        self._written = np.zeros(streams, int)  # the tick where a stream's next episode begins
        self._enter()

    def __next__(self) -> tuple[Window, np.ndarray]:
        if self._now + self.window > len(self._labels):
            self._forget_the_past()
        while (behind := np.flatnonzero(self._written < self._now + self.window)).size:
            self._write(behind, self.task.draw(len(behind), self.rng))
        now, end = self._now, self._now + self.window
        self._now = end
        context = self._context[end - 1].copy() if self.task.n_context else None
        x = Window(self._inputs[now:end].copy(), self._starts[now:end].copy(),
                   self._ends[end - 1].copy(), context)
        return x, self._labels[now:end].copy()

    def _enter(self) -> None:
        """Move into the first episodes, each stream at a random tick of its own."""
        everyone = np.arange(len(self._written))
        self._write(everyone, self.task.draw(len(everyone), self.rng))
        self._labels[...] = -1
        gone = self.rng.integers(self._written)
        for buffer in self._buffers():
            for stream, ticks in enumerate(gone):
                buffer[: len(buffer) - ticks, stream] = buffer[ticks:, stream].copy()
        self._starts[0] = True
        self._written -= gone

    def _write(self, streams: np.ndarray, episodes: Episodes) -> None:
        length = episodes.labels.shape[1]
        if self._written[streams].max() + length > len(self._labels):
            self._forget_the_past()
            self._make_room(self._written[streams].max() + length)
        begin = self._written[streams]
        end = self._written[streams] = begin + length
        at = begin[:, None] + np.arange(length), streams[:, None]  # (E, L) places
        self._inputs[at] = episodes.inputs
        self._labels[at] = episodes.labels
        self._starts[at] = self._ends[at] = False
        self._starts[begin, streams] = self._ends[end - 1, streams] = True
        if self.task.n_context:
            self._context[at] = episodes.context

    def _forget_the_past(self) -> None:
        """Move everything from now on to the front of the buffers."""
        now, self._now = self._now, 0
        self._written -= now
        for buffer in self._buffers():
            buffer[: len(buffer) - now] = buffer[now:].copy()

    def _make_room(self, ticks: int) -> None:
        if ticks > len(self._labels):
            for name in BUFFERS:
                old = getattr(self, name)
                new = np.zeros((2 * ticks, *old.shape[1:]), old.dtype)
                new[: len(old)] = old
                setattr(self, name, new)

    def _buffers(self) -> list[np.ndarray]:
        return [getattr(self, name) for name in BUFFERS]


BUFFERS = ("_inputs", "_labels", "_starts", "_ends", "_context")
