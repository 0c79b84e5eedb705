"""Whatever class of exception breaks a worker: its text and its traceback reach the user.

More of them: ``pytest tests/parallel/test_exceptions.py --stress 2000``.
"""

from __future__ import annotations

import builtins
import multiprocessing
import sys
import traceback

import numpy as np
import pytest

from sgdni.parallel.workers import Processes, Threads
from sgdni.parallel.workers.report import report
from sgdni.schedules import DivergenceError
from sgdni.synthetic import FitError
from sgdni.training.checkpoint import CheckpointError

TEXT = "broken on purpose"


class TwoArguments(Exception):
    def __init__(self, what, why):
        super().__init__(f"{what} {why}")


class Doubled(Exception):
    """Its text would grow each time that it is made anew."""

    def __init__(self, text):
        super().__init__(f"{text}!")


class NoArguments(Exception):
    def __init__(self):
        super().__init__(TEXT)


class KeywordOnly(ValueError):
    def __init__(self, *, why):
        super().__init__(why)


class Lambda(Exception):
    def __init__(self, text):
        super().__init__(text)
        self.function = lambda: None


class NoText(Exception):
    def __str__(self):
        raise TypeError("no text")


class NoReduce(Exception):
    def __reduce__(self):
        raise KeyboardInterrupt


class Once(Exception):
    """Travels when it is tried, and never again."""

    tried = 0

    def __reduce__(self):
        self.tried += 1
        return (Once, self.args) if self.tried == 1 else (_raise, ())


class OwnNotes(Exception):
    @property
    def __notes__(self):
        raise AttributeError

    @__notes__.setter
    def __notes__(self, value):
        raise TypeError


class Slots(Exception):
    __slots__ = ("why",)


class NoName(Exception):
    def __getattribute__(self, name):
        if name == "args":
            raise RuntimeError("private")
        return super().__getattribute__(name)


def _raise():
    raise OSError("cannot be read")


def _local():
    class Local(KeyError):
        pass

    return Local(TEXT)


def _noted():
    error = ValueError(TEXT)
    error.__notes__ = ["one", 2]
    return error


def _chained():
    try:
        raise Lambda(TEXT)
    except Lambda as cause:
        error = ValueError("after that")
        error.__cause__ = cause
    return error


OWN = [
    lambda: TwoArguments("broken", "on purpose"), lambda: Doubled(TEXT), NoArguments,
    lambda: KeywordOnly(why=TEXT), lambda: Lambda(TEXT), lambda: NoText(TEXT),
    lambda: NoReduce(TEXT), lambda: Once(TEXT), lambda: OwnNotes(TEXT), lambda: Slots(TEXT),
    lambda: NoName(TEXT), _local, _noted, _chained, lambda: CheckpointError(TEXT),
    lambda: FitError(TEXT), lambda: DivergenceError("loss", 1.0, 1.0, None),
    lambda: OSError(2, TEXT, "a file"), lambda: FileNotFoundError(TEXT), lambda: KeyError(TEXT, 1),
    lambda: SyntaxError(TEXT, ("a file", 1, 2, "a line")), lambda: ImportError(TEXT, name="x"),
    lambda: np.exceptions.AxisError(3, 2), lambda: StopIteration(TEXT), lambda: SystemExit(TEXT),
    lambda: Exception(np.zeros(3)), lambda: Exception(text_of), lambda: Exception("\ud800"),
]
ODD = {
    UnicodeDecodeError: ("utf-8", b"\xff", 0, 1, TEXT),
    UnicodeEncodeError: ("utf-8", "x", 0, 1, TEXT), UnicodeTranslateError: ("x", 0, 1, TEXT),
}


def built_in():
    kinds = [kind for kind in vars(builtins).values()
             if isinstance(kind, type) and issubclass(kind, BaseException)]
    for kind in kinds:
        if issubclass(kind, getattr(builtins, "BaseExceptionGroup", ())):
            yield lambda kind=kind: kind(TEXT, [ValueError(TEXT), Lambda("within")])
        else:
            yield lambda kind=kind: kind(*ODD.get(kind, (TEXT,)))


MAKERS = [*built_in(), *OWN]


def text_of(error):
    try:
        return str(error)
    except TypeError:
        return "its text cannot be had: TypeError"


def comes_through(error, team):
    def task_of_its_own(emit):
        emit("before")
        raise error

    results = []
    with pytest.raises(BaseException) as caught:
        run = team().run([task_of_its_own], lambda i: None, lambda i, state: None)
        while True:  # not a comprehension, which StopIteration would end
            results.append(next(run))
    seen, shown = caught.value, "".join(traceback.format_exception(caught.value))
    assert results == ["before"]
    assert type(seen) in (type(error), RuntimeError)
    assert text_of(error) in text_of(seen)
    assert type(error).__name__ in shown and "in task_of_its_own" in shown
    if team is Processes:
        assert seen.__notes__[0] == "in the process of module 1"
    assert multiprocessing.active_children() == []


TEAMS = [Threads, pytest.param(Processes, marks=pytest.mark.skipif(
    sys.platform != "linux", reason="processes are forked: Linux only"))]


@pytest.mark.parametrize("team", TEAMS)
def test_of_every_kind(team):
    assert len(MAKERS) > 80
    for make in MAKERS:
        comes_through(make(), team)


@pytest.mark.parametrize("team", TEAMS)
def test_one_after_the_other(team, stress):
    rng = np.random.default_rng(0)
    for _ in range(stress // 10):
        comes_through(MAKERS[rng.integers(len(MAKERS))](), team)


def test_what_can_travel_keeps_its_class():
    kept = [make for make in MAKERS if report(make()).pickled is not None]
    assert len(kept) > 70
    for make in kept:
        error, again = make(), report(make(), "there").error()
        assert type(again) is type(error) and text_of(again) == text_of(error)
        assert again.__notes__[0] == "there"


@pytest.mark.skipif("sys.platform != 'linux'", reason="processes are forked: Linux only")
@pytest.mark.parametrize("where", ["result", "state"])
def test_a_message_that_cannot_travel_is_an_error_that_does(where):
    def task(emit):
        emit(Lambda if where == "state" else lambda: None)

    state_of = {"result": lambda i: None, "state": lambda i: lambda: None}[where]
    with pytest.raises(Exception, match="lambda") as caught:
        list(Processes().run([task], state_of, lambda i, state: None))
    assert caught.value.__notes__[0] == "in the process of module 1"
