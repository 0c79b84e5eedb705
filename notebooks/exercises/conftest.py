"""`pytest notebooks/exercises` checks your answers: one test for each check cell.

The cells of a notebook run in order in one namespace, as in Jupyter. Name a file to check only
that one: `pytest notebooks/exercises/01_backprop_by_hand.ipynb`.
"""

from __future__ import annotations

import json
import linecache
import os
import re
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ.setdefault("MPLBACKEND", "agg")  # no windows


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave the solutions out unless they are asked for."""
    asked = any("solutions" in argument for argument in config.args)
    return True if collection_path.name == "solutions" and not asked else None


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    if file_path.suffix != ".ipynb" or ".ipynb_checkpoints" in file_path.parts:
        return None
    return Notebook.from_parent(parent, path=file_path)


class Notebook(pytest.File):
    """A notebook's code cells, its namespace, and how far it has run."""

    def collect(self) -> Iterator[pytest.Item]:
        self.namespace = {"__name__": "__main__"}
        self.next, self.broken = 0, None
        cells = json.loads(self.path.read_text(encoding="utf-8"))["cells"]
        self.cells = ["".join(c["source"]) if c["cell_type"] == "code" else "" for c in cells]
        checks = {}
        for i, cell in enumerate(cells):
            if "points" in cell["metadata"] or "points" in cell["metadata"].get("nbgrader", {}):
                checks[i] = re.search(r"check_(\w+)\(", self.cells[i])[1]
        self.checks = frozenset(checks)
        for i, name in checks.items():
            yield Check.from_parent(self, name=name, index=i)

    def run_up_to(self, index: int) -> None:
        """Run the cells before a check, but not the checks among them, and each one only once."""
        while self.next < index:
            self.next += 1
            if self.next - 1 not in self.checks:
                try:
                    self.run(self.next - 1)
                except Exception as error:
                    self.broken = self.broken or error
                    raise

    def run(self, index: int) -> None:
        name = f"{self.path.name}, cell {index + 1}"
        source = self.cells[index]
        # So that a traceback can show the student's lines.
        linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
        exec(compile(source, name, "exec"), self.namespace)


class Check(pytest.Item):
    """One check cell."""

    def __init__(self, *, index: int, **kwargs) -> None:
        super().__init__(**kwargs)
        self.index = index

    def runtest(self) -> None:
        self.parent.run_up_to(self.index)
        try:
            self.parent.run(self.index)
        except NameError as error:
            # What it lacks is missing because a cell failed, which an earlier check has shown:
            # `import exercise05` where an older package is installed, for one.
            raise self.parent.broken or error from None

    def repr_failure(self, excinfo: pytest.ExceptionInfo) -> str:
        """Show the hint alone, or the lines of the notebook that led to an error."""
        error = excinfo.value
        if isinstance(error, NotImplementedError):
            return f"{self.name} is not written yet"
        if isinstance(error, AssertionError) and str(error):
            return str(error)
        own = [f for f in traceback.extract_tb(error.__traceback__)
               if f.filename.startswith(self.path.name)]
        return "".join(traceback.format_list(own) + traceback.format_exception_only(error))

    def reportinfo(self) -> tuple[Path, int | None, str]:
        return self.path, None, f"{self.path.stem}: {self.name}"
