"""An exception on its way from one process to another: nobody's class may cost its text."""

from __future__ import annotations

import pickle
import traceback
from dataclasses import dataclass


@dataclass(frozen=True)
class Report:
    """What can be told of an exception.

    words : its class and text
    notes : where it was, what was noted on it, its traceback
    pickled : itself, where it can travel
    """

    words: str
    notes: tuple[str, ...]
    pickled: bytes | None

    def error(self) -> BaseException:
        """Return the exception as it was, or a RuntimeError in its words; with the notes."""
        try:
            error = pickle.loads(self.pickled)
            error.__notes__ = list(self.notes)
        except Exception:
            return in_words(self)
        return error


def report(error: BaseException, *where: str) -> Report:
    """Return what can be told of an exception that was caught here, `where`."""
    noted = getattr(error, "__notes__", [])
    notes = [*where, *(note for note in noted if isinstance(note, str)), _traceback(error)]
    return Report(_words(error), tuple(notes), _pickled(error))


def in_words(told: Report) -> RuntimeError:
    """Return an exception that says the same."""
    error = RuntimeError(told.words)
    error.__notes__ = list(told.notes)
    return error


# What follows calls methods of anybody's classes, and whatever these raise is no reason to stop.

def _words(error: BaseException) -> str:
    try:
        return f"{type(error).__name__}: {error}"
    except BaseException as another:
        return f"{type(error).__name__} (its text cannot be had: {type(another).__name__})"


def _traceback(error: BaseException) -> str:
    try:
        return "".join(traceback.format_exception(error)).rstrip()
    except BaseException:
        return "".join(traceback.format_tb(error.__traceback__)).rstrip()


def _pickled(error: BaseException) -> bytes | None:
    """Return the bytes of it, if what is made of them is the same to whoever reads it."""
    try:
        pickled = pickle.dumps(error)
        again = pickle.loads(pickled)
        again.__notes__ = []
        alike = type(again) is type(error) and _words(again) == _words(error)
    except BaseException:  # as of an __init__ with arguments of its own
        return None
    return pickled if alike else None
