"""What TEACHING.md says of the lessons is true of them."""

from __future__ import annotations

import ast
import importlib
import re

import make
import nbformat
import pytest

TEXT = (make.HERE / "TEACHING.md").read_text(encoding="utf-8")
LESSONS = {name[:2].lstrip("0"): name for name in make.names()}
SOURCES = {n: make.read(make.LESSONS / f"{name}.py") for n, name in LESSONS.items()}
ROW = r"^\| [^|]+ \| (\d), [^|]+ \| `check_(\w+)` \| `([^`]+)` \|$"
HINTS = re.findall(ROW, TEXT, re.MULTILINE)


def opening(n, part):
    """Return the text after a label in the first cell of a lesson, on one line."""
    return " ".join(re.search(rf"\*\*{part}\*\*: (.*?)(?=\n- \*\*|\Z)", SOURCES[n].cells[0].source,
                              re.DOTALL)[1].split())


def prose(notebook):
    return "\n\n".join(c.source for c in notebook.cells if c.cell_type == "markdown")


def strings(n):
    """Return every string in the checks of a lesson."""
    tree = ast.parse((make.HERE.parent / f"sgdni_course/exercise{n:0>2}.py").read_text())
    return {node.value for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str)}


@pytest.mark.parametrize("n", LESSONS)
def test_a_lesson_has_its_row_with_its_times_and_points_and_its_goals(n):
    name, title = LESSONS[n], SOURCES[n].cells[0].source.splitlines()[0].lstrip("# ")
    read = re.search(r"\d+ minutes to read", opening(n, "Time"))[0].removesuffix(" to read")
    exercises = re.search(r"about \d+ minutes", opening(n, "Exercises"))[0]
    points = sum(cell.metadata.get("points", 0)
                 for cell in make.read(make.EXERCISES / f"{name}.py").cells)
    assert (f"| [{title}]({name}.ipynb) | {read} | under {make.stated_seconds(SOURCES[n])} s "
            f"| [{exercises}](exercises/{name}.ipynb) | {points} |") in TEXT
    assert f"\n**{title}.** " in TEXT


@pytest.mark.parametrize("n", LESSONS)
def test_the_time_to_read_is_the_estimate_in_steps_of_five_minutes(n):
    estimate = make.reading_minutes(nbformat.read(make.HERE / f"{LESSONS[n]}.ipynb", 4))
    stated = int(re.search(r"(\d+) minutes to read", opening(n, "Time"))[1])
    assert stated - 5 < estimate <= stated <= 35


def test_the_map_is_what_lessons_say_they_need():
    needs = {(before, n) for n in LESSONS
             for found in re.findall(r"lessons? ([\d, and]+)", opening(n, "You need"))
             for before in re.findall(r"\d", found)}
    assert needs == set(re.findall(r"L(\d)\S* --> L(\d)", re.sub(r"\[[^\]]*\]", "", TEXT)))


def test_linked_files_exist():
    links = re.findall(r"\]\((?!https?:)([^)#]+)", TEXT)
    assert len(links) > 2 * len(LESSONS)
    assert [link for link in links if not (make.HERE / link).exists()] == []


def test_italics_are_headings():
    headings = {line.lstrip("# ") for lesson in SOURCES.values()
                for line in prose(lesson).splitlines() if line.startswith("## ")}
    names = {" ".join(name.split())
             for name in re.findall(r"(?<![*\w/])\*(?![*/.\s])([^*|]+)\*(?!\*)", TEXT)}
    assert len(names) > 20
    assert names - headings == set()


def test_numbers_are_those_of_the_lessons():
    told = set(re.findall(r"-?\d+(?:\.\d+)?%|\d+\.\d\d", " ".join(map(prose, SOURCES.values()))))
    questions = TEXT.split("## Questions")[1].split("\n## ")[0]
    numbers = re.findall(r"\d+(?:\.\d+)?%|\d+\.\d\d", questions)
    assert len(numbers) > 5
    assert [number for number in numbers if number not in told] == []


@pytest.mark.parametrize("minutes", [50, 90, 180])
def test_a_plan_fills_its_time(minutes):
    plan = TEXT.split(f"### {minutes} minutes")[1].split("\n#")[0]
    assert sum(map(int, re.findall(r"^\| (\d+) \|", plan, re.MULTILINE))) == minutes


def test_there_are_hints_of_every_lesson():
    assert {n for n, _, _ in HINTS} == set(LESSONS)
    assert len(HINTS) == TEXT.count("| `check_")


@pytest.mark.parametrize("n, check, hint", HINTS)
def test_a_hint_is_that_of_the_check(n, check, hint):
    """Word for word, and one that the table of usual wrong answers proves to come."""
    assert hasattr(importlib.import_module(f"sgdni_course.exercise{n:0>2}"), f"check_{check}")
    known = strings(n)
    name, rest = next(((hint[5:i], hint[i + 1:]) for i in range(5, len(hint))
                       if hint[5:i] in known and hint[i + 1:] in known), ("", hint))
    assert name or rest in known
    assert any(words in hint for _, _, words in importlib.import_module(f"wrong_{n:0>2}").WRONG)
