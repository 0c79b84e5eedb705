"""The frame of experiments, with a toy one: seeds, record, going on, and holding to a record."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from toys import COIN

from sgdni.cli import main
from sgdni.experiments.catalogue import EXPERIMENTS
from sgdni.experiments.frame import compare, picture, run


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
    assert picture(COIN, results, tmp_path) == tmp_path / "coin.png"
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


def test_what_is_no_finite_number_is_none_to_everyone_at_once_and_when_going_on(tmp_path):
    seen = []

    def look(rows):
        seen.append([row["heads"] for row in rows])
        return {"heads": seen[-1], "worst": np.inf}

    heads = [np.nan, np.float32(np.inf), 0.5]
    mine = replace(COIN, run=lambda settings, seed, progress: [{"heads": heads[seed]}], find=look,
                   say=lambda findings: str(findings))
    results = run(mine, COIN.full, 3, tmp_path)
    assert seen == [[None], [None, None], [None, None, 0.5]]
    assert results["findings"] == {"heads": [None, None, 0.5], "worst": None}
    assert results["finding"] == str(results["findings"])
    assert results == json.loads((tmp_path / "results.json").read_text())
    assert run(mine, COIN.full, 3, tmp_path) == results and seen[-1] == seen[2]


def test_rows_are_safe_before_anything_is_made_of_them(tmp_path):
    def fails(rows):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(replace(COIN, find=fails), COIN.full, 1, tmp_path)
    rows = json.loads((tmp_path / "results.json").read_text())["rows"]
    assert rows == run(COIN, COIN.full, 1, tmp_path)["rows"] and len(rows) == 1


def test_a_row_has_no_seed_of_its_own(tmp_path):
    mine = replace(COIN, run=lambda settings, seed, progress: [{"seed": 7, "heads": 0.5}])
    with pytest.raises(ValueError, match="seed of its own"):
        run(mine, COIN.full, 1, tmp_path)


def test_rows_in_which_no_numbers_are_found_are_refused_and_kept(tmp_path):
    run(COIN, COIN.full, 1, tmp_path)
    before = (tmp_path / "results.json").read_bytes()
    lost = replace(COIN, find=lambda rows: {"heads": [{"no": "number"}]}, say=lambda found: "")
    with pytest.raises(ValueError, match="rows are none of coin .* heads: expected a number"):
        run(lost, COIN.full, 1, tmp_path)
    assert (tmp_path / "results.json").read_bytes() == before


def test_numbers_that_explode_warn_nobody(tmp_path):
    def explodes(settings, seed, progress):
        return [{"heads": float(np.float32(1e30) * np.float32(1e30) * 0)}]

    made = run(replace(COIN, run=explodes, find=lambda rows: {"heads": None}, say=lambda f: ""),
               COIN.full, 1, tmp_path)
    assert made["rows"] == [{"seed": 0, "heads": None}]


def test_settings_are_finite(tmp_path):
    with pytest.raises(ValueError, match="bias: expected finite"):
        run(COIN, COIN.full | {"bias": float("nan")}, 1, tmp_path)


@pytest.mark.parametrize("text, complaint", [
    ("[]", "expected an object"), ("no json", "not a results.json"), ("{}", "choose another"),
    ('ROWS: null', "expected rows"), ('ROWS: [{"heads": 1}]', "expected rows"),
    ('ROWS: {"a": 1}', "expected rows"), ("ROWLESS", "expected rows")])
def test_results_that_cannot_be_gone_on_with_are_refused_by_name(coin, capsys, text, complaint):
    assert main(["experiment", "coin", "--out", "a"]) == 0
    path = coin / "a/results.json"
    first = json.loads(path.read_text())
    del first["rows"]
    if text.startswith("ROW"):
        text = json.dumps(first)[:-1] + text.removeprefix("ROWLESS").replace(
            "ROWS", ', "rows"') + "}"
    path.write_text(text)
    capsys.readouterr()
    assert main(["experiment", "coin", "--out", "a"]) == 2
    error = capsys.readouterr().err
    assert "a/results.json: " in error and complaint in error and error.count("\n") == 1


def results_with(**findings):
    return {"experiment": "coin", "findings": findings}


@pytest.mark.parametrize("recorded, now, holds", [
    ([0.4, 0.5, 0.6], [0.7], True),  # within the record's own spread beyond its ends
    ([0.4, 0.5, 0.6], [0.85], False),
    ([0.5, 0.5], [0.54], True),  # no spread: the tolerance of 10%
    ([0.5, 0.5], [0.56], False),
    (0.5, 0.51, True), (0.5, 0.57, False), (None, None, True), (0.5, None, False),
    (None, 0.5, False),
    ([0.5, None, 0.5], [None, 0.54, 0.5], True),  # None in a list is infinite: so the median is
    ([0.5, None, 0.5], [0.5, None, None], False),  # not, and is
    ([None, None, 0.5], [0.7, None, None], True), ([None, None, 0.5], [0.5], False),
    ([None], None, True),
])
def test_what_holds(recorded, now, holds):
    [held] = compare(COIN, results_with(heads=now), results_with(heads=recorded))
    assert held.holds is holds


@pytest.mark.parametrize("now, holds", [(104.0, True), (106.0, False), (96.0, True),
                                        (94.0, False)])
def test_without_a_tolerance_of_its_own_a_finding_may_move_by_a_twentieth(now, holds):
    assert "throws" not in COIN.tolerance
    [held] = compare(COIN, results_with(throws=now), results_with(throws=100.0))
    assert held.holds is holds


@pytest.mark.parametrize("findings, complaint", [
    ({}, "got none to hold"), ({"heads": "many"}, "heads: expected a number"),
    ({"heads": [0.5, {}]}, "heads: expected a number")])
def test_findings_that_nothing_can_be_held_against_are_refused(coin, capsys, findings, complaint):
    (coin / "bad.json").write_text(json.dumps({**results_with(**findings), "settings": {}}))
    assert main(["experiment", "coin", "--check", "bad.json"]) == 2
    error = capsys.readouterr().err
    assert complaint in error and error.count("\n") == 1 and not (coin / "results").exists()


def test_findings_of_any_size_are_compared_without_a_warning():
    [held] = compare(COIN, results_with(throws=1.0), results_with(throws=[1e308, -1e308, 1e308]))
    assert held.holds and (held.low, held.high) == (-np.inf, np.inf)
    [held] = compare(COIN, results_with(throws=1.0), results_with(throws=[1.5e308, 1.5e308]))
    assert not held.holds


def test_findings_that_the_record_lacks_are_mentioned(coin, capsys):
    record = {**results_with(throws=3.0, never=None), "settings": {}}
    (coin / "old.json").write_text(json.dumps(record))
    assert main(["experiment", "coin", "--check", "old.json"]) == 0
    out = capsys.readouterr().out
    assert "new      heads: 0." in out and "not in the record" in out
    assert "never: -, recorded -, expected -\n" in out


def test_a_folder_with_more_seeds_says_so(coin, capsys):
    assert main(["experiment", "coin", "--seeds", "5", "--out", "a"]) == 0
    assert "asked for" not in capsys.readouterr().out
    assert main(["experiment", "coin", "--seeds", "2", "--out", "a"]) == 0
    out = capsys.readouterr().out
    assert "5 seeds, 0 1 2 3 4: findings are over all of them, not over the 2 asked for" in out
    assert "throws: 5" in out


def test_a_picture_that_fails_costs_only_itself(coin, monkeypatch, capsys):
    def fails(results):
        raise ZeroDivisionError

    assert main(["experiment", "coin", "--out", "a"]) == 0
    monkeypatch.setitem(EXPERIMENTS, "coin", replace(COIN, draw=fails))
    capsys.readouterr()
    assert main(["experiment", "coin", "--out", "b", "--check", "a"]) == 2
    said = capsys.readouterr()
    assert "coin: its rows cannot be drawn (ZeroDivisionError: )" in said.err
    assert "% heads" in said.out and "all 2 findings hold" in said.out
    assert "the picture failed; b/results.json is complete" in said.err
    assert (coin / "b/results.json").read_bytes() == (coin / "a/results.json").read_bytes()


def test_on_the_command_line(coin, capsys):
    assert main(["experiment", "list"]) == 0
    assert "is a coin fair?" in capsys.readouterr().out
    assert main(["experiment", "coin", "--quick", "--bias", "0.9", "--seeds", "2", "--out",
                 "a"]) == 0
    out = capsys.readouterr().out
    assert "% heads" in out and "a/coin.png" in out
    results = json.loads((coin / "a/results.json").read_text())
    assert results["settings"] == {"throws": 10, "bias": 0.9} and len(results["rows"]) == 2


def test_of_many_findings_the_first_are_printed(coin, monkeypatch, capsys):
    many = {f"n{k}": float(k) for k in range(108)}
    monkeypatch.setitem(EXPERIMENTS, "coin", replace(COIN, find=lambda rows: many,
                                                     say=lambda findings: "many"))
    assert main(["experiment", "coin", "--out", "a"]) == 0
    out = capsys.readouterr().out
    assert "  n39: 39\n  and 68 more findings in results.json\n" in out and "n40" not in out
    assert len(json.loads((coin / "a/results.json").read_text())["findings"]) == 108


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


@pytest.mark.parametrize("record", [
    "a", "a/results.json", "b/../a", "b/../a/results.json", "link", "link.json", "linked"])
def test_a_record_is_not_held_to_itself(coin, capsys, record):
    assert main(["experiment", "coin", "--out", "a"]) == 0
    for folder in ("b", "linked"):
        (coin / folder).mkdir()
    (coin / "link").symlink_to("a")
    (coin / "link.json").symlink_to("a/results.json")
    (coin / "linked/results.json").symlink_to("../a/results.json")
    assert main(["experiment", "coin", "--out", "a", "--check", record]) == 2
    assert "would overwrite the record of --check" in capsys.readouterr().err


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
