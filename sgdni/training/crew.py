"""Threads that stop together: whatever ends one of them ends all, and none is left behind."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import numpy as np

from sgdni.training.channel import Channel, ChannelShut


class Crew:
    """Runs one task in each thread, inside a ``with`` block.

    The first exception in a task shuts every channel, which wakes and ends the other tasks;
    `check` raises it in the thread that asks. Leaving the block, for whatever reason (Ctrl-C
    too), stops all tasks and waits until their threads are gone.

    Parameters
    ----------
    tasks : sequence of callables without arguments
        Each looks at its channels, or at `stopping`, at least once a minibatch.
    channels : sequence of Channel
        Every channel on which a task may wait.
    """

    def __init__(self, tasks: Sequence[Callable[[], None]], channels: Sequence[Channel]) -> None:
        self.stopping = False
        self._error: BaseException | None = None
        self._channels = channels
        self._lock, self._finished = threading.Lock(), threading.Event()
        self._running = len(tasks)
        self._threads = [
            threading.Thread(target=self._run, args=(task,), name=f"sgdni module {i}", daemon=True)
            for i, task in enumerate(tasks, start=1)
        ]

    def __enter__(self) -> Crew:
        for i, thread in enumerate(self._threads):
            try:
                thread.start()
            except BaseException:  # no more threads to be had: end those that run
                self._threads = self._threads[:i]
                self.__exit__()
                raise
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()
        for thread in self._threads:
            thread.join()

    def wait(self, seconds: float) -> bool:
        """Wait until all tasks have ended, that long at most; return whether they have."""
        return self._finished.wait(seconds)

    def check(self) -> None:
        """Raise what the first failing task raised, if any did."""
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        """Tell every task to end."""
        self.stopping = True
        for channel in self._channels:
            channel.shut()

    def _run(self, task: Callable[[], None]) -> None:
        try:
            # Settings of np.errstate hold for one thread; the divergence guard reports instead.
            with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
                task()
        except ChannelShut:
            pass
        except BaseException as error:
            with self._lock:
                self._error = self._error or error
            self.stop()
        finally:
            with self._lock:
                self._running -= 1
                if self._running == 0:
                    self._finished.set()
