"""Solutions pass, stubs raise NotImplementedError, and usual wrong answers get their own hints."""

from __future__ import annotations

import importlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

import make
import pytest

NAMES = make.names(make.EXERCISES)
WRONG = [
    pytest.param(name, *entry, id=f"{name[:2]}-{i}")
    for name in NAMES
    for i, entry in enumerate(importlib.import_module(f"wrong_{name[:2]}").WRONG)
]


def source(name):
    return make.read(make.EXERCISES / f"{name}.py")


def run(notebook, stop_at=None):
    """Run the code cells in one namespace, up to and with cell `stop_at`; return what checks raise.

    Returns a dict of cell number to exception, or None, for every check cell that ran.
    """
    namespace, raised = {"__name__": "__main__"}, {}
    for i, cell in enumerate(notebook.cells[: None if stop_at is None else stop_at + 1]):
        if cell.cell_type != "code":
            continue
        if "points" not in cell.metadata:
            exec(compile(cell.source, f"cell {i}", "exec"), namespace)
            continue
        try:
            exec(compile(cell.source, f"check {i}", "exec"), namespace)
            raised[i] = None
        except (AssertionError, NotImplementedError) as error:
            raised[i] = error
    return raised


@pytest.mark.parametrize("name", NAMES)
def test_solutions_pass_and_say_so(name, capsys):
    raised = run(make.solutions(source(name)))
    assert len(raised) >= 2
    assert set(raised.values()) == {None}
    assert capsys.readouterr().out.count(": right.") == len(raised)


@pytest.mark.parametrize("name", NAMES)
def test_every_untouched_stub_fails_with_not_implemented(name):
    notebook = make.stubs(source(name))
    raised = run(notebook)
    assert raised
    assert {type(error) for error in raised.values()} == {NotImplementedError}
    assert not any("SOLUTION" in cell.source for cell in notebook.cells)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # wrong answers may divide by zero
@pytest.mark.parametrize("name, line, instead, hint", WRONG)
def test_usual_wrong_answer_gets_its_hint(name, line, instead, hint):
    notebook = make.solutions(source(name))
    cells = [i for i, cell in enumerate(notebook.cells) if line in cell.source]
    assert len(cells) == 1, f"{line!r} must stand in one cell of the solution"
    cell = notebook.cells[cells[0]]
    assert cell.source.count(line) == 1
    cell.source = cell.source.replace(line, instead)
    check = next(i for i, c in enumerate(notebook.cells) if i > cells[0] and "points" in c.metadata)
    raised = run(notebook, stop_at=check)
    assert isinstance(raised.pop(check), AssertionError), "the check did not catch it"
    assert set(raised.values()) <= {None}, "another exercise's check failed"
    with pytest.raises(AssertionError, match=re.escape(hint)):
        raise run(notebook, stop_at=check)[check]


@pytest.mark.parametrize("name", NAMES)
def test_every_check_has_a_wrong_answer_listed(name):
    notebook = make.solutions(source(name))
    lines = [entry[0] for entry in importlib.import_module(f"wrong_{name[:2]}").WRONG]
    start = 0
    for i, cell in enumerate(notebook.cells):
        if "points" in cell.metadata:
            before = "\n".join(c.source for c in notebook.cells[start:i] if c.cell_type == "code")
            assert any(line in before for line in lines), cell.source
            start = i + 1


@pytest.mark.parametrize("name", NAMES)
def test_nbgrader_metadata(name):
    notebook = make.graded(source(name))
    marked = [cell.metadata["nbgrader"] for cell in notebook.cells if "nbgrader" in cell.metadata]
    ids = [m["grade_id"] for m in marked]
    assert len(set(ids)) == len(ids)
    for cell in notebook.cells:
        m = cell.metadata.get("nbgrader")
        if m:
            assert m["solution"] == ("### BEGIN SOLUTION" in cell.source) != m["grade"]
            assert m["locked"] == m["grade"] == (m.get("points", 0) > 0)
    assert sum(m["solution"] for m in marked) >= 2 <= sum(m["grade"] for m in marked)


def terminal(folder: Path, what: str = ".") -> str:
    """Return what `pytest WHAT` prints in a folder, without the summary: CI=true lengthens it."""
    options = ["-q", "-rN", "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "pytest", *options, what]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=folder).stdout


@pytest.fixture
def handed_out(tmp_path):
    """A folder with the first exercise and the conftest.py, away from the project."""
    (tmp_path / "solutions").mkdir()
    for file in ("conftest.py", f"{NAMES[0]}.ipynb", f"solutions/{NAMES[0]}.ipynb"):
        shutil.copy(make.HERE / "exercises" / file, tmp_path / file)
    return tmp_path


def test_the_terminal_says_what_is_not_written_and_shows_hints(handed_out):
    path = handed_out / f"{NAMES[0]}.ipynb"
    text = path.read_text()
    stub = '    # YOUR CODE HERE\\n",\n    "    raise NotImplementedError'
    assert text.count(stub) == 4
    answers = ["return dy @ W.T, x.T @ dy, dy", "return dy * (x > 0)", "return h.shap"]
    for answer in answers:
        text = text.replace(stub, f"    {answer}", 1)
    path.write_text(text)
    printed = terminal(handed_out)
    assert "3 failed, 1 passed" in printed
    assert "your db lacks the sum over the batch" in printed
    assert "batchnorm_backward is not written yet" in printed
    assert "return h.shap" in printed and "AttributeError" in printed
    assert "answers.py" not in printed and "make.py" not in printed  # the hint, no traceback


def test_every_check_shows_the_cell_that_broke_the_notebook(handed_out):
    path = handed_out / f"{NAMES[0]}.ipynb"
    path.write_text(path.read_text().replace("import exercise01", "import exercise99"))
    printed = terminal(handed_out)
    assert "4 failed" in printed and "NameError" not in printed
    assert printed.count("ImportError: cannot import name 'exercise99'") == 4


def test_the_terminal_passes_solutions_when_asked_for_them(handed_out):
    assert "4 passed" in terminal(handed_out, "solutions")
