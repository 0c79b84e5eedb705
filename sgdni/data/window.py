"""A window of a stream: what a recurrent network is trained on, step by step of its time."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Window(NamedTuple):
    """T steps of B streams, each of which is episode after episode.

    inputs : (T, B, n)
    starts : (T, B) of bool, where an episode's first step is: nothing from before it counts
    ends : (B,) of bool, whether the window's last step is its episode's last
    context : (B, n_context) or None, what an SG model may know besides the state after the window
    """

    inputs: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    context: np.ndarray | None = None


def told(x: Window, y: np.ndarray) -> np.ndarray | None:
    """Return the context that comes with a window; for an Interface."""
    return x.context
