"""Every lesson and every solution, executed from top to bottom in a kernel of its own.

Those that measure no times run two at once, with one thread each.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor

import make
import pytest

pytestmark = pytest.mark.notebooks

MEASURE = ("02_the_locks", "05_speed_and_accuracy", "06_asynchronous_for_real")


@pytest.fixture(scope="module")
def together():
    """Return the runs of whatever measures no times, by source."""
    lessons = {make.LESSONS / f"{name}.py": make.read
               for name in make.names() if name not in MEASURE}
    solutions = {make.EXERCISES / f"{name}.py": lambda source: make.solutions(make.read(source))
                 for name in make.names(make.EXERCISES)}
    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(2) as pool:
        patch.setenv("OPENBLAS_NUM_THREADS", "1")
        runs: dict[object, Future] = {
            source: pool.submit(make.execute, read(source))
            for source, read in (lessons | solutions).items()}
        for run in runs.values():
            run.exception()  # until all are done
    return runs


@pytest.mark.parametrize("name", make.names())
def test_lesson(name, together):
    source = make.LESSONS / f"{name}.py"
    lesson = make.read(source)
    run, seconds = make.execute(lesson) if name in MEASURE else together[source].result()
    assert make.notes(run) == []
    # Far above what the lesson promises; the time stated has room for a slow machine already.
    assert seconds < 3 * make.stated_seconds(lesson)


@pytest.mark.parametrize("name", make.names(make.EXERCISES))
def test_solutions(name, together):
    run, _ = together[make.EXERCISES / f"{name}.py"].result()
    assert any(cell.get("outputs") for cell in run.cells)
