"""Every lesson and every solution, executed from top to bottom in a kernel of its own."""

from __future__ import annotations

import make
import pytest

pytestmark = pytest.mark.notebooks


@pytest.mark.parametrize("name", make.names())
def test_lesson(name):
    lesson = make.read(make.LESSONS / f"{name}.py")
    run, seconds = make.execute(lesson)
    assert make.notes(run) == []
    # Far above what the lesson promises; the time stated has room for a slow machine already.
    assert seconds < 3 * make.stated_seconds(lesson)


@pytest.mark.parametrize("name", make.names(make.EXERCISES))
def test_solutions(name):
    make.execute(make.solutions(make.read(make.EXERCISES / f"{name}.py")))
