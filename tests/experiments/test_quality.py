"""The quality of SG models by interface: what is found, said and drawn of it."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest

from sgdni.cli import main
from sgdni.experiments.sg_quality import EXPERIMENT as QUALITY


def test_quality_copes_with_errors_beyond_all_numbers():
    rows = [{"seed": seed, "interface": i, "truth": truth, "target": truth, "cosine": 0.5}
            for seed, truth in enumerate((None, 0.4, 0.6)) for i in (1, 2)]
    findings = QUALITY.find(rows)
    assert "0.60 against its target" in QUALITY.say(findings)  # None is infinite
    figure = QUALITY.draw({"rows": rows, "finding": "", "settings": QUALITY.full})
    figure.savefig(io.BytesIO())
    truth = figure.axes[0].lines[0]
    np.testing.assert_array_equal(truth.get_ydata(), [0.6, 0.6])
    assert "error is - against its target" in QUALITY.say(QUALITY.find(rows[:2]))
    QUALITY.draw({"rows": rows[:2], "finding": "", "settings": QUALITY.full}).savefig(io.BytesIO())


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
