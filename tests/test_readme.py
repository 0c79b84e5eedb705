"""The README's figures are those of the recorded runs, and its files exist."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from sgdni.experiments.accuracy.table import markdown
from sgdni.experiments.speed.contenders import BACKPROP, DNI
from sgdni.experiments.speed.sweep import times_faster
from sgdni.experiments.speed.text import document, race_markdown, sweep_markdown
from sgdni.experiments.speed.verdict import verdict

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("record", ["mnist", "mnist-5k"])
def test_tables_are_those_of_the_records(record):
    results = json.loads((ROOT / "benchmarks/records" / record / "results.json").read_text())
    assert markdown(results) in README


def test_speed_is_that_of_the_record():
    results = json.loads((ROOT / "benchmarks/records/speed/results.json").read_text())
    assert race_markdown(results) in README
    assert sweep_markdown(results, "base", "latency") in README
    seldom = next(p for p in results["sweep"] if (p["changed"], p["value"]) == ("fit_every", 8))
    assert f"DNI makes {times_faster(seldom, DNI, BACKPROP):.2f} times the images" in README
    assert results["verdict"] == verdict(results)  # by today's words
    report = ROOT / "benchmarks/records/speed/README.md"
    assert report.read_text(encoding="utf-8") == document(results)
    for line in results["verdict"]:
        assert f"- {line}\n" in README


def test_every_lesson_is_in_the_table():
    for path in (ROOT / "notebooks").glob("[0-9]*.ipynb"):
        assert f"](notebooks/{path.name})" in README
    assert "pip install -q -e '.[notebooks]' && jupyter lab notebooks" in README


def test_linked_files_exist():
    links = re.findall(r"\]\((?!https?:)([^)#]+)", README)
    assert len(links) > 3
    assert [link for link in links if not (ROOT / link).exists()] == []
