"""Processes that end when the one that they belong to has ended, however it went."""

from __future__ import annotations

import os
import threading
import time

LOOK_SECONDS = 0.1  # between looks whether the parent is there


def end_with_parent(parent: int) -> None:
    """End this process, from a thread, soon after its parent.

    The kernel's own signal for that comes when the *thread* that forked ends, and whoever trains in
    one thread after another needs the processes longer.
    """
    threading.Thread(target=_look, args=(parent,), daemon=True).start()


def end_with_pipe(pipe: int, last_words: str) -> None:
    """End this process, from a thread, when nobody holds the other end of a pipe any more."""
    threading.Thread(target=_listen, args=(pipe, last_words), daemon=True).start()


def _look(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(LOOK_SECONDS)
    os._exit(1)


def _listen(pipe: int, last_words: str) -> None:
    os.read(pipe, 1)
    try:
        os.write(2, f"{last_words}\n".encode())
    finally:  # whoever carried them away may have died first
        os._exit(1)
