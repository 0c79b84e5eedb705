"""The committed notebooks are those of their sources, and every lesson has the required parts."""

from __future__ import annotations

import ast
import re

import make
import nbformat
import pytest

LESSONS = make.names()


def committed(path):
    return nbformat.read(path, as_version=4)


def same_cells(notebook, source):
    """Assert that a notebook is what the source makes, outputs aside."""
    assert len(notebook.cells) == len(source.cells)
    for cell, wanted in zip(notebook.cells, source.cells, strict=True):
        assert (cell.cell_type, cell.source) == (wanted.cell_type, wanted.source)
        assert cell.metadata == wanted.metadata


def markdown(notebook):
    cells = (cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    return " ".join("\n\n".join(cells).split())


def guards(notebook, function):
    """Return the texts given to `quoted` or `stated` in a notebook."""
    calls = [
        node for cell in notebook.cells if "guard" in cell.metadata.get("tags", [])
        for node in ast.walk(ast.parse(cell.source)) if isinstance(node, ast.Call)
    ]
    return [call.args[0].value for call in calls if getattr(call.func, "id", "") == function]


def test_there_are_lessons_and_exercises_belong_to_them():
    assert LESSONS
    assert set(make.names(make.EXERCISES)) <= set(LESSONS)
    for folder, wanted in ((make.HERE, LESSONS),
                           (make.HERE / "exercises", make.names(make.EXERCISES)),
                           (make.HERE / "exercises" / "solutions", make.names(make.EXERCISES))):
        assert sorted(path.stem for path in folder.glob("*.ipynb")) == wanted


@pytest.mark.parametrize("name", LESSONS)
def test_lesson_is_that_of_its_source(name):
    same_cells(committed(make.HERE / f"{name}.ipynb"), make.read(make.LESSONS / f"{name}.py"))


@pytest.mark.parametrize("name", make.names(make.EXERCISES))
def test_exercises_and_solutions_are_those_of_their_source(name):
    source = make.read(make.EXERCISES / f"{name}.py")
    exercises = committed(make.HERE / "exercises" / f"{name}.ipynb")
    same_cells(exercises, make.stubs(source))
    assert not any(cell.get("outputs") for cell in exercises.cells)
    same_cells(committed(make.HERE / "exercises" / "solutions" / f"{name}.ipynb"),
               make.solutions(source))


@pytest.mark.parametrize("path", sorted(make.HERE.rglob("*.ipynb")), ids=lambda path: path.stem)
def test_outputs_are_clean(path):
    notebook = committed(path)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert [o for o in outputs if o.output_type == "error" or o.get("name") == "stderr"] == []
    assert make.notes(notebook) == []
    assert path.stat().st_size < 400_000
    assert notebook.metadata.language_info == {"name": "python"}  # no version: smaller diffs


@pytest.mark.parametrize("name", LESSONS)
def test_every_figure_is_there_as_a_picture(name):
    """One made without pyplot is shown as its name alone while no backend is loaded."""
    cells = committed(make.HERE / f"{name}.ipynb").cells
    data = [output.get("data", {}) for cell in cells for output in cell.get("outputs", [])]
    figures = [d for d in data if d.get("text/plain", "").startswith("<Figure")]
    assert figures
    assert all("image/png" in d for d in figures)


@pytest.mark.parametrize("name", LESSONS)
def test_lesson_was_run_in_order(name):
    cells = [c for c in committed(make.HERE / f"{name}.ipynb").cells if c.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))


@pytest.mark.parametrize("name", LESSONS)
def test_lesson_opens_and_closes_with_the_required_parts(name):
    cells = make.read(make.LESSONS / f"{name}.py").cells
    first, last = cells[0].source, cells[-1].source
    assert first.startswith(f"# {int(name[:2])}. ")
    for part in ("You will do", "You will learn", "You need", "Time", "Exercises"):
        assert f"- **{part}**: " in first
    assert make.stated_seconds(make.read(make.LESSONS / f"{name}.py")) <= 60
    assert re.search(r"\d+ minutes to read", first)
    assert 0 <= last.find("## What to try next") < last.find("## Sources")
    assert sum(bool(re.search(r"^SEED = 0\b", c.source, re.MULTILINE)) for c in cells) == 1


@pytest.mark.parametrize("path", [make.HERE / f"{name}.ipynb" for name in LESSONS]
                         + sorted(make.HERE.glob("exercises/*.ipynb")), ids=lambda p: p.stem)
def test_linked_files_exist(path):
    text = " ".join(c.source for c in committed(path).cells if c.cell_type == "markdown")
    links = re.findall(r"\]\((?!https?:)([^)#]+)", text)
    assert links
    assert [link for link in links if not (path.parent / link).exists()] == []


@pytest.mark.parametrize("name", LESSONS)
def test_every_guarded_text_is_in_the_lesson(name):
    lesson = make.read(make.LESSONS / f"{name}.py")
    text = markdown(lesson)
    texts = guards(lesson, "quoted") + guards(lesson, "stated")
    assert [t for t in texts if t not in text] == []


@pytest.mark.parametrize("name", LESSONS)
def test_every_decimal_and_percentage_in_the_text_is_guarded(name):
    """Settings such as `lr = 0.1` stand in code marks, and are no results."""
    lesson = make.read(make.LESSONS / f"{name}.py")
    text = markdown(lesson).split("## Sources")[0]
    text = re.sub(r"`[^`]*`|\$[^$]*\$|\[[^\]]*\]\([^)]*\)", "", text)
    numbers = re.findall(r"-?\d[\d,]*(?:\.\d+)?\s?%|-?\d+\.\d+", text)
    quoted, sentences = guards(lesson, "quoted"), " ".join(guards(lesson, "stated"))
    assert [n for n in numbers if n not in quoted and n not in sentences] == []


@pytest.mark.parametrize("name", LESSONS)
def test_guards_are_folded_away_and_raise_nothing(name):
    """A student who changes a line can run on past them."""
    for cell in make.read(make.LESSONS / f"{name}.py").cells:
        if re.search(r"\b(quoted|stated)\(", cell.source) and cell.cell_type == "code":
            assert "guard" in cell.metadata.tags
        if "guard" in cell.metadata.get("tags", []):
            assert cell.metadata.jupyter.source_hidden
            assert "assert" not in cell.source
