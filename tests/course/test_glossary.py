"""Every lesson links the glossary, and a word is in the lesson that the glossary names for it."""

from __future__ import annotations

import re

import make
import pytest

GLOSSARY = (make.HERE / "glossary.md").read_text(encoding="utf-8")
LESSONS = make.names()
ENTRIES = [" ".join(entry.split()) for entry in re.findall(
    r"^- (\*\*.*?)(?=\n- |\n\n|\Z)", GLOSSARY, re.MULTILINE | re.DOTALL)]


def linked(entry):
    """Return the names of the lessons that an entry links."""
    return re.findall(r"\]\((\w+)\.ipynb\)", entry)


@pytest.mark.parametrize("name", LESSONS)
def test_a_lesson_links_the_glossary_in_its_opening(name):
    opening = make.read(make.LESSONS / f"{name}.py").cells[0].source
    assert "\n- **Words**: [glossary](glossary.md)." in opening


def test_every_entry_names_a_lesson_that_exists():
    assert len(ENTRIES) == len(re.findall(r"^- ", GLOSSARY, re.MULTILINE)) > 30
    assert [entry for entry in ENTRIES if not linked(entry)] == []
    assert {name for entry in ENTRIES for name in linked(entry)} <= set(make.names())
    numbers = re.findall(r"\[lesson (\d)\]\(0(\d)_", GLOSSARY)
    assert [(said, there) for said, there in numbers if said != there] == []
    assert len(numbers) == GLOSSARY.count(".ipynb")


@pytest.mark.parametrize("name", LESSONS)
def test_a_word_is_in_its_lesson(name):
    text = " ".join(" ".join(cell.source for cell in make.read(make.LESSONS / f"{name}.py").cells
                             if cell.cell_type == "markdown").lower().split())
    words = [re.match(r"\*\*(.+?)\*\*", entry)[1] for entry in ENTRIES if name in linked(entry)]
    assert words
    assert [word for word in words if word.lower() not in text] == []


def test_each_word_is_there_once():
    words = [word.lower() for entry in ENTRIES for word in re.findall(r"\*\*(.+?)\*\*", entry)]
    assert sorted(set(words)) == sorted(words)
