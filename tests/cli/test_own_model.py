"""An SG model in a file of the user's own, by its name on the command line."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from sgdni.cli import main

MY_MODEL = """
import numpy as np
from sgdni import SyntheticGradient

class Mine(SyntheticGradient):
    def __init__(self, n, n_classes, dtype=np.float32):
        self.n_context = n_classes
        self.C = np.zeros((n_classes, n), dtype)
    def predict(self, h, c):
        return c @ self.C + 0.01 * h
    def fit(self, h, c, target):
        self.C += 0.2 * (c.T @ (target - self.predict(h, c))) / len(h)
    def state(self):
        return {"C": self.C}

class Broken(Mine):
    def fit(self, h, c, target):
        self.C -= 0.2 * (c.T @ (target - self.predict(h, c))) / len(h)

class NoModel:
    pass
"""


@pytest.fixture
def beside_me(tmp_path, monkeypatch):
    name = f"my_model_{tmp_path.name}".replace("-", "_")
    (tmp_path / f"{name}.py").write_text(MY_MODEL)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    return name


def test_a_model_in_a_file_trains_from_the_command_line_and_goes_on(beside_me, capsys):
    train = ["train", "--sg", f"{beside_me}:Mine", "--hidden", "16", "--epochs"]
    assert main([*train, "2", "--checkpoint", "run.npz"]) == 0
    assert main(["train", "--resume", "run.npz", "--epochs", "3"]) == 0
    out = capsys.readouterr().out
    assert "epoch   3" in out and "SG error" in out


@pytest.mark.parametrize("name, complaint", [
    (":NoModel", "expected a subclass of sgdni.SyntheticGradient"),
    (":Nobody", "has no Nobody"), ("", "expected module:Name"),
])
def test_what_is_no_model_is_refused_in_a_line(beside_me, capsys, name, complaint):
    assert main(["train", "--sg", beside_me + name, "--epochs", "1"]) == 2
    error = capsys.readouterr().err
    assert complaint in error and error.count("\n") == 1


def test_a_model_is_compared_with_the_methods(beside_me, capsys, tmp_path):
    mine = f"{beside_me}:Mine"
    assert main(["benchmark", "--sg", mine, "--methods", "backprop", "cdni", "--hidden", "16",
                 "--epochs", "1", "--repeats", "1", "--out", str(tmp_path / "out")]) == 0
    rows = json.loads((tmp_path / "out/results.json").read_text())["rows"]
    assert [row["method"] for row in rows] == ["backprop", "cdni", mine]
    assert rows[1]["test_accuracy"] != rows[2]["test_accuracy"]


def test_a_model_without_state_is_told_of(beside_me, capsys, tmp_path):
    (tmp_path / f"{beside_me}.py").write_text(MY_MODEL.replace("def state", "def stat"))
    assert main(["train", "--sg", f"{beside_me}:Mine", "--hidden", "8", "--epochs", "1",
                 "--checkpoint", "run.npz"]) == 0
    said = capsys.readouterr()
    assert "Mine has no state()" in said.err and f"{beside_me}:Mine on mnist-5k" in said.out


def test_backprop_has_no_place_for_a_model(beside_me, capsys):
    assert main(["train", "--method", "backprop", "--sg", f"{beside_me}:Mine"]) == 2
    assert "backprop has no SG models" in capsys.readouterr().err


def test_the_option_of_the_tests_checks_a_model_of_ones_own(beside_me, pytestconfig):
    done = subprocess.run(
        [sys.executable, "-m", "pytest",
         pytestconfig.rootpath / "tests/gradcheck/test_gradients.py", "-k", beside_me,
         "-p", "no:cacheprovider", "--sg", f"{beside_me}:Mine", "--sg",
         f"{beside_me}:Broken"], capture_output=True, text=True, timeout=300)
    assert "1 failed, 1 passed" in done.stdout, done.stdout + done.stderr
    assert "brought predictions no nearer" in done.stdout
