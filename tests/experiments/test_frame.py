"""The frame of experiments, with a toy one: seeds, record, going on, and holding to a record."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from toys import COIN

from sgdni.cli import main
from sgdni.experiments.catalogue import EXPERIMENTS
from sgdni.experiments.frame import compare, run


@pytest.fixture
def coin(monkeypatch, tmp_path):
    """One more line in the list, and run it in an empty folder."""
    monkeypatch.setitem(EXPERIMENTS, "coin", COIN)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_results_picture_and_progress(tmp_path):
    shares = []
    results = run(COIN, COIN.full, 3, tmp_path, on_progress=shares.append)
    assert results == json.loads((tmp_path / "results.json").read_text())
    assert {"experiment", "machine", "settings", "rows", "findings", "finding"} == set(results)
    assert [row["seed"] for row in results["rows"]] == [0, 1, 2]
    assert len(results["findings"]["heads"]) == 3 and "% heads" in results["finding"]
    assert shares == sorted(shares) and shares[0] == 0 and shares[-1] == 1 and len(shares) == 7
    assert (tmp_path / "coin.png").stat().st_size > 1000


def test_a_run_that_broke_off_goes_on_and_another_is_refused(tmp_path):
    calls = []

    def counted(settings, seed, progress):
        calls.append(seed)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return COIN.run(settings, seed, progress)

    mine = replace(COIN, run=counted)
    with pytest.raises(KeyboardInterrupt):
        run(mine, COIN.full, 4, tmp_path)
    resumed = run(mine, COIN.full, 4, tmp_path)
    assert calls == [0, 1, 2, 2, 3]
    (tmp_path / "whole").mkdir()
    assert resumed["rows"] == run(COIN, COIN.full, 4, tmp_path / "whole")["rows"]
    with pytest.raises(ValueError, match="made with other settings"):
        run(mine, COIN.full | {"throws": 5}, 4, tmp_path)


def results_with(**findings):
    return {"experiment": "coin", "findings": findings}


@pytest.mark.parametrize("recorded, now, holds", [
    ([0.4, 0.5, 0.6], [0.7], True),  # within the record's own spread beyond its ends
    ([0.4, 0.5, 0.6], [0.85], False),
    ([0.5, 0.5], [0.54], True),  # no spread: the tolerance of 10%
    ([0.5, 0.5], [0.56], False),
    (0.5, 0.51, True), (0.5, 0.57, False), (None, None, True), (0.5, None, False),
    (None, 0.5, False),
])
def test_what_holds(recorded, now, holds):
    [held] = compare(COIN, results_with(heads=now), results_with(heads=recorded))
    assert held.holds is holds


def test_on_the_command_line(coin, capsys):
    assert main(["experiment", "list"]) == 0
    assert "is a coin fair?" in capsys.readouterr().out
    assert main(["experiment", "coin", "--quick", "--bias", "0.9", "--seeds", "2", "--out",
                 "a"]) == 0
    out = capsys.readouterr().out
    assert "% heads" in out and "a/coin.png" in out
    results = json.loads((coin / "a/results.json").read_text())
    assert results["settings"] == {"throws": 10, "bias": 0.9} and len(results["rows"]) == 2


def test_check_says_what_holds_and_what_does_not(coin, capsys):
    assert main(["experiment", "coin", "--out", "a"]) == 0
    assert main(["experiment", "coin", "--out", "b", "--check", "a"]) == 0
    assert "all 2 findings hold" in capsys.readouterr().out
    assert main(["experiment", "coin", "--bias", "0.9", "--out", "c", "--check",
                 "a/results.json"]) == 1
    said = capsys.readouterr()
    assert "CHANGED  heads" in said.out and "other than in the record: --bias 0.9" in said.out
    assert "1 of 2 findings do not hold: heads" in said.err


@pytest.mark.parametrize("text", [b"[]", b"{}", b'{"experiment": "coin"}', b"no json", b"\xff"])
def test_a_record_that_is_none_is_refused_before_the_work(coin, capsys, text):
    (coin / "bad.json").write_bytes(text)
    assert main(["experiment", "coin", "--check", "bad.json"]) == 2
    error = capsys.readouterr().err
    assert "results.json" in error and error.count("\n") == 1 and not (coin / "results").exists()


@pytest.mark.parametrize("record", ["a", "a/results.json"])
def test_a_record_is_not_held_to_itself(coin, capsys, record):
    assert main(["experiment", "coin", "--out", "a"]) == 0
    assert main(["experiment", "coin", "--out", "a", "--check", record]) == 2
    assert "held to itself" in capsys.readouterr().err


def test_numbers_of_numpy_and_switches_pass(coin, monkeypatch):
    def throw(settings, seed, progress):
        return [{"heads": np.float32(settings["fair"])}]

    monkeypatch.setitem(EXPERIMENTS, "coin", replace(COIN, run=throw, full={"fair": True}))
    assert main(["experiment", "coin", "--no-fair", "--out", "a"]) == 0
    assert json.loads((coin / "a/results.json").read_text())["findings"]["heads"] == [0, 0, 0]


@pytest.mark.parametrize("options", [["--seeds", "0"], ["--check", "nowhere"]])
def test_bad_options_are_refused_in_a_line(coin, capsys, options):
    assert main(["experiment", "coin", *options]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_quality_by_interface_end_to_end(tmp_path, capsys):
    options = ["--quick", "--epochs", "1", "--width", "8", "--interfaces", "2"]
    assert main(["experiment", "sg-quality", *options, "--out", str(tmp_path / "q")]) == 0
    findings = json.loads((tmp_path / "q/results.json").read_text())["findings"]
    assert set(findings) == {"truth_bottom", "target_bottom", "truth_top", "target_top"}
    assert findings["truth_top"] == pytest.approx(findings["target_top"])  # no guess above it
    assert main(["experiment", "sg-quality", *options, "--method", "backprop"]) == 2
    assert "backprop has no SG models" in capsys.readouterr().err
    for name in ("epochs", "interfaces"):
        assert main(["experiment", "sg-quality", "--quick", f"--{name}", "0"]) == 2
        assert f"{name}: expected a number of at least 1" in capsys.readouterr().err
