"""README, CONTRIBUTING, docs: examples run, links lead somewhere, and the answer comes first."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from sgdni.experiments.catalogue import EXPERIMENTS
from sgdni.experiments.speed.contenders import (
    BACKPROP,
    DATA_PARALLEL,
    DELAYED,
    LOCAL_ERROR,
    LOCAL_LOSS,
    NETWORKS,
)
from sgdni.experiments.speed.race import times_faster

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = ["README.md", "CONTRIBUTING.md", *(f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md"))]


def example(page: str, name: str) -> str:
    """Return the Python that follows the marker of that name."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.search(rf"<!-- {name} example -->\n```python\n(.*?)```", text, re.DOTALL)[1]


def test_the_example_trains(capsys):
    code = example("README.md", "python")
    assert README[:README.index(code)].count("\n") < 60
    exec(compile(code, "README", "exec"), {})
    step, epochs = capsys.readouterr().out.splitlines()
    assert step.startswith("StepResult(")
    accuracies = json.loads(epochs)
    assert len(accuracies) == 5 and accuracies[-1] > 0.9


def test_the_example_of_a_layer_passes_its_check(capsys):
    exec(compile(example("CONTRIBUTING.md", "layer"), "CONTRIBUTING", "exec"), {})
    assert capsys.readouterr().out.startswith("Square: passed")


def test_it_is_short_and_the_answer_comes_first():
    assert len(README.split()) < 1500
    first = "\n".join(README.splitlines()[:15])
    assert re.search(r"\*\*Is it\?.*over links.*\*\*", first, re.DOTALL | re.IGNORECASE)


def test_the_answer_is_that_of_the_record():
    record, another = (json.loads((ROOT / f"benchmarks/records/{name}/results.json").read_text())
                       for name in ("race", "race-100mbit"))
    found, rows = record["findings"], {row["name"]: row for row in record["race"]}
    net = NETWORKS["1gbit"]
    theirs = times_faster(rows[f"{LOCAL_ERROR}, {net}"], rows[f"{DATA_PARALLEL}, {net}"])
    tied = [times_faster(rows[f"{name}, {net}"], rows[BACKPROP])["seconds_to_target"]
            for name in (DELAYED, LOCAL_ERROR, LOCAL_LOSS)]
    quiet = {row["name"]: row for row in another["race"]}
    slow = times_faster(quiet[f"{LOCAL_ERROR}, {NETWORKS['100mbit']}"], quiet[BACKPROP])
    later, said = another["findings"], README
    for words, value in {
        " accuracy 1.08": found["time_to_target_vs_backprop"],
        " or 1.31 times as soon": later["time_to_target_vs_backprop"],
        " 0.93 or": found["time_to_target_vs_best_rival"],
        " 1.01 times as soon as data-parallel": later["time_to_target_vs_best_rival"],
        "2.94 times as soon as model-parallel": found["time_to_target_5ms_vs_model_parallel"],
        "2.82 times as data-parallel": found["time_to_target_5ms_vs_data_parallel"],
        "(0.97 to": min(tied),
        " 1.01 times as soon), and": max(tied),
        "3.29 times as long as `local-error`": theirs["seconds_to_target"],
        "at 100 Mbit/s `local-error` is 0.31": slow["seconds_to_target"],
    }.items():
        assert words in said and f"{value:.2f}" in words, (words, value)
        said = said.replace(words, "")
    links = json.loads((ROOT / "benchmarks/records/links/results.json").read_text())["findings"]
    assert "4.1 times as soon as any" in said and f"{links['time_vs_best_8_5ms']:.1f}" == "4.1"
    # What is left is a version of Python and a learning rate.
    assert re.findall(r"\d\.\d\d(?!\d)", said) == ["3.10", "0.05"]


def test_every_lesson_is_in_the_table():
    for path in (ROOT / "notebooks").glob("[0-9]*.ipynb"):
        assert f"](notebooks/{path.name})" in README
        assert f"](notebooks/exercises/{path.name})" in README
    assert "pip install -q -e '.[notebooks]' && jupyter lab notebooks" in README


@pytest.mark.parametrize("page", PAGES)
def test_linked_files_exist(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    links = re.findall(r"\]\((?!https?:)([^)#]+)", text)
    links += re.findall(r'(?:src|srcset)="([^"]+)"', text)
    folder = (ROOT / page).parent
    assert [link for link in links if not (folder / link).exists()] == []


def test_every_claim_has_a_command_that_there_is():
    text = (ROOT / "docs/claims.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| ") and "`" in line]
    commands = re.findall(r"\| `sgdni ([^`]+)` \|", "\n".join(rows))
    named = [words.removeprefix("experiment ") for words in commands if "experiment" in words]
    assert len(commands) == len(rows) and set(named) <= set(EXPERIMENTS)
    for row in rows:
        name = re.search(r"`sgdni experiment ([a-z-]+)`", row)
        recorded = name and (ROOT / f"benchmarks/records/{name[1]}/results.json").exists()
        assert not (recorded and "no record yet" in row), row
