"""What the experiments in time share: a learner of a task, its answers counted, its rate chosen."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from sgdni.data.streams import Stream, Task
from sgdni.data.window import Window, told
from sgdni.networks import Interface
from sgdni.networks.interface import no_context
from sgdni.networks.recurrent import build_lstm
from sgdni.schedules import DivergenceError, Schedule, Truncated
from sgdni.schedules.auxiliary import Auxiliary
from sgdni.synthetic import FitError, LeastSquaresFit, LinearSG

BITS = 1 / np.log(2)  # losses come in nats


def build(task: Task, s: dict, rate: float, rng: np.random.Generator, *, synthetic: bool,
          auxiliary: bool = False) -> Schedule:
    """Return who learns `task`: an LSTM, with a linear SG model in time or truncated.

    Parameters
    ----------
    s : settings
        cells, streams, forget_bias; for the SG model gamma, forgetting (of its least squares) and
        solve_every.
    synthetic : bool
        Whether there is an SG model. What it knows besides the state is the task's to say.
    auxiliary : bool
        Whether the network is to predict, too, what the SG model will say one window on.
    """
    def model(n_context: int) -> LinearSG:
        fit = LeastSquaresFit(s["forgetting"], ridge=1e-2, solve_every=s["solve_every"])
        return LinearSG(2 * s["cells"], n_context, fit)

    interface = None
    if synthetic:
        interface = Interface(model(task.n_context), told if task.n_context else no_context)
    network = build_lstm(task.n_in, s["cells"], task.n_classes, rng, lr=rate,
                         forget_bias=s["forget_bias"], interface=interface)
    state = np.zeros((s["streams"], 2 * s["cells"]), np.float32)
    if auxiliary:
        return Auxiliary(network, state, model(0), gamma=s["gamma"])
    return Truncated(network, state, gamma=s["gamma"] if synthetic else 1.0)


class Answers:
    """Counts what was asked and how it was answered, until it is reset.

    Attributes
    ----------
    asked : int
    bits, right : float
        Error in bits an answer, and the share of them that was right.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget all of it."""
        self.asked, self._loss, self._right = 0, 0.0, 0.0

    def train(self, schedule: Schedule, x: Window, y: np.ndarray) -> None:
        """Take one step; what it answered was answered before it learned from it."""
        result, asked = schedule.step(x, y), int(np.count_nonzero(y >= 0))
        if asked:
            self.asked += asked
            self._loss += result.loss * asked
            self._right += result.accuracy * asked

    @property
    def bits(self) -> float:
        return BITS * self._loss / max(1, self.asked)

    @property
    def right(self) -> float:
        return self._right / max(1, self.asked)


def looks(schedule: Schedule, stream: Stream, windows: int, every: int) -> Iterator[Answers]:
    """Train on so many windows, and yield the answers of every so many; less if it diverges."""
    answers = Answers()
    for count, (x, y) in zip(range(1, windows + 1), stream, strict=False):
        try:
            answers.train(schedule, x, y)
        except (DivergenceError, FitError):
            return
        if count % every == 0:
            yield answers
            answers.reset()


def best_rate(rows: list[dict], contender: str, score: Callable[[list[dict]], object]
              ) -> list[dict]:
    """Return a contender's rows at the learning rate whose rows score highest, or none.

    Every stream is new data, so there is no set to overfit; but each contender gets the best of as
    many tries as there are rates, which flatters all of them a little.
    """
    mine = [row for row in rows if row["contender"] == contender]
    by_rate = [[row for row in mine if row["rate"] == rate] for rate in {r["rate"] for r in mine}]
    return max(by_rate, key=score, default=[])
