"""The commands as a user types them, on the embedded data set and a small network."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from sgdni.cli import main
from sgdni.runs.methods import METHODS, PARALLEL_METHODS, check_used
from sgdni.runs.settings import Settings
from sgdni.training.checkpoint import read_settings

SMALL = ["--hidden", "16", "12", "--lr", "0.05"]


def test_version_and_help(capsys):
    for words in (["--version"], ["--help"], ["train", "--help"], ["benchmark", "--help"],
                  ["data", "--help"]):
        with pytest.raises(SystemExit) as stopped:
            main(words)
        assert stopped.value.code == 0
    assert "--fit-every" in capsys.readouterr().out


def test_runs_as_a_module():
    done = subprocess.run([sys.executable, "-m", "sgdni", "--version"], capture_output=True,
                          text=True)
    assert done.returncode == 0 and done.stdout.startswith("sgdni 0.")


def test_a_backend_that_matplotlib_does_not_know_is_one_line():
    done = subprocess.run([sys.executable, "-m", "sgdni", "train"], capture_output=True, text=True,
                          env={**os.environ, "MPLBACKEND": "nonsense"})
    line, = done.stderr.splitlines()
    assert line.startswith("sgdni: error: ") and "'nonsense' is not a valid value" in line
    assert done.returncode == 2


def test_train_prints_a_line_an_epoch_and_writes_history(tmp_path, capsys):
    path = tmp_path / "history.json"
    words = ["train", *SMALL, "--method", "cdni-ls", "--epochs", "2", "--history", str(path)]
    assert main(words) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("epoch")]
    assert len(lines) == 2 and "SG error" in lines[1]
    assert [r["epoch"] for r in json.loads(path.read_text())["history"]] == [1, 2]


def test_resumed_on_the_command_line_equals_uninterrupted(tmp_path):
    straight, first, second = (tmp_path / name for name in ("a.json", "b.json", "c.json"))
    checkpoint = str(tmp_path / "run.npz")
    words = ["train", *SMALL, "--method", "cdni-stochastic", "--seed", "7"]
    assert main([*words, "--epochs", "3", "--history", str(straight)]) == 0
    assert main([*words, "--epochs", "1", "--checkpoint", checkpoint, "--history",
                 str(first)]) == 0
    assert main(["train", "--resume", checkpoint, "--epochs", "3", "--history", str(second)]) == 0
    a, b = (json.loads(p.read_text())["history"] for p in (straight, second))
    keep = ("epoch", "train_loss", "test_loss", "test_accuracy", "sg_relative_error")
    assert [[r[k] for k in keep] for r in a] == [[r[k] for k in keep] for r in b]
    assert read_settings(checkpoint)["settings"]["seed"] == 7


def test_local_heads_on_the_command_line(tmp_path):
    checkpoint = tmp_path / "run.npz"
    words = ["train", *SMALL, "--epochs", "1", "--method", "local-error", "--head", "hidden",
             "--head-units", "7", "--rho", "0.5", "--checkpoint", str(checkpoint)]
    assert main(words) == 0
    settings = read_settings(checkpoint)["settings"]
    assert (settings["head"], settings["head_units"], settings["rho"]) == ("hidden", 7, 0.5)
    with np.load(checkpoint) as arrays:
        assert arrays["interface1.model.G"].shape == (7, 7)


def test_an_existing_checkpoint_is_not_overwritten_by_a_new_run(tmp_path, capsys):
    checkpoint = tmp_path / "run.npz"
    words = ["train", *SMALL, "--epochs", "1", "--checkpoint", str(checkpoint)]
    assert main(words) == 0
    before = checkpoint.read_bytes()
    assert main(words) == 2
    assert "exists; go on from it with --resume" in capsys.readouterr().err
    assert checkpoint.read_bytes() == before


def test_a_checkpoint_that_names_no_sg_model_goes_on_without_one(tmp_path):
    path = tmp_path / "run.npz"
    assert main(["train", *SMALL, "--epochs", "1", "--checkpoint", str(path)]) == 0
    with zipfile.ZipFile(path) as file:
        members = {name: file.read(name) for name in file.namelist()}
    manifest = json.loads(members["manifest.json"])
    del manifest["about"]["settings"]["settings"]["sg"]
    with zipfile.ZipFile(path, "w") as file:
        for name, content in {**members, "manifest.json": json.dumps(manifest)}.items():
            file.writestr(name, content)
    assert main(["train", "--resume", str(path), "--epochs", "2"]) == 0


def test_resume_refuses_options_it_would_ignore(tmp_path, capsys):
    checkpoint = str(tmp_path / "run.npz")
    assert main(["train", *SMALL, "--epochs", "1", "--checkpoint", checkpoint]) == 0
    assert main(["train", "--resume", checkpoint, "--lr", "0.5", "--method", "dni"]) == 2
    assert "leave out --method, --lr" in capsys.readouterr().err


@pytest.mark.parametrize("words, message", [
    (["train", "--data", "nosuch"], "nosuch"),
    (["train", "--lr", "-1"], "learning rate: expected a finite number above 0, got -1.0"),
    (["train", "--hidden", "0"], "width of a hidden layer: expected a number of at least 1, got 0"),
    (["train", "--hidden", "8", "--cuts", "2"], "cuts: expected increasing numbers in 1..1"),
    (["train", "--batch-size", "5000"], "batch_size: expected a number in [2, 4000], got 5000"),
    (["train", "--activation", "gelu"], "expected one of relu, tanh, sigmoid, got gelu"),
    (["train", "--rho", "inf"], "rho: expected a finite number of at least 0, got inf"),
    (["train", "--head", "deep"], "head: expected one of linear, hidden, got deep"),
    (["train", "--head-units", "0"], "head_units: expected a number of at least 1, got 0"),
    (["train", "--epochs", "0"], "--epochs: expected a number of at least 1, got 0"),
    (["train", "--resume", "nosuch.npz"], "nosuch.npz: no such file"),
    (["train", "--checkpoint", "no/such/folder/x.npz"], "does not exist"),
    (["train", "--checkpoint", "."], "is a folder"),
    (["train", "--blas-threads", "0"], "--blas-threads: expected a number of at least 1, got 0"),
    (["train", "--latency", "0.01"], "latency: needs engine threads, processes or mpi"),
    (["train", "--engine", "threads", "--queue-size", "0"],
     "queue_size: expected a number of at least 1"),
    (["benchmark", "--validate", "0"], "--validate: expected a number in [1, 3999], got 0"),
    (["benchmark", "--methods", "magic"], "expected one of backprop, dni"),
    (["benchmark", "--target", "93"], "--target: expected a share in (0, 1], got 93"),
    (["benchmark", "--repeats", "0"], "--repeats: expected a number of at least 1, got 0"),
])
def test_user_errors_are_one_clear_line(words, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    captured = capsys.readouterr()
    assert message in captured.err and captured.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words, message", [
    (["--method", "backprop", "--ridge", "0.1"],
     "ridge: backprop makes no use of it; methods that do: cdni-ls, cdni-stochastic"),
    (["--method", "cdni", "--head", "hidden"],
     "head: cdni makes no use of it; methods that do: local-error, local-loss"),
    (["--method", "local-loss", "--fit-every", "2"], "fit_every: local-loss makes no use of it"),
    (["--sg-lr", "0.1"], "sg_lr: cdni-ls makes no use of it; methods that do: dni, cdni"),
    (["--sg", "mine:Model", "--ridge", "0.1"], "ridge: mine:Model makes no use of it"),
    (["--queue-size", "3"], "queue_size: needs engine threads or processes or mpi, got sequential"),
    (["--method", "backprop", "--engine", "threads", "--deterministic"],
     "deterministic: backprop makes no use of it; methods that do: dni, "),
    (["--optimizer", "adam", "--momentum", "0.5"], "momentum: needs optimizer sgd, got adam"),
    (["--method", "local-error", "--head-units", "5"], "head_units: needs head hidden, got linear"),
])
def test_options_without_effect_are_refused(words, message, capsys):
    assert main(["train", *words]) == 2
    assert message in capsys.readouterr().err


def test_a_comparison_refuses_what_none_of_its_methods_uses(capsys):
    words = ["benchmark", "--methods", "backprop", "cdni", "--ridge", "0.1"]
    assert main(words) == 2
    assert "ridge: backprop, cdni makes no use of it; methods that do: cdni-ls" in (
        capsys.readouterr().err)


def test_every_setting_is_used_by_some_method_or_by_all():
    for name, method in (METHODS | PARALLEL_METHODS).items():
        known = vars(Settings())
        assert set(method.uses) <= known.keys()
        check_used([name], Settings(), known.keys() - {s for m in METHODS.values() for s in m.uses})


@pytest.mark.parametrize("below", ["", "/below"])
@pytest.mark.parametrize("words", [
    ["benchmark", "--methods", "backprop"], ["experiment", "sg-quality", "--quick"]])
def test_a_file_in_the_place_of_the_results_folder_is_left_alone(words, below, tmp_path, capsys):
    path = tmp_path / "precious"
    path.write_text("mine")
    assert main([*words, "--out", f"{path}{below}"]) == 2
    assert f"{path}{below}: a file stands where a folder is wanted" in capsys.readouterr().err
    assert path.read_text() == "mine"


def test_divergence_ends_with_a_line_and_keeps_the_history(tmp_path, capsys):
    path = tmp_path / "history.json"
    words = ["train", "--hidden", "16", "--no-batch-norm", "--lr", "1e30", "--method", "backprop",
             "--epochs", "2", "--history", str(path)]
    assert main(words) == 1
    error = capsys.readouterr().err
    assert "epoch 1, step" in error and "diverged" in error
    assert json.loads(path.read_text())["history"] == []


def test_cuts_by_measured_cost_are_said_and_kept(tmp_path, capsys):
    path = tmp_path / "run.npz"
    options = ["--engine", "threads", "--hidden", "9", "8", "--epochs", "1"]
    assert main(["train", *options, "--checkpoint", str(path)]) == 0
    assert "interfaces after hidden layers: " in capsys.readouterr().out
    cuts = read_settings(path)["settings"]["cuts"]
    assert cuts is not None and main(["train", "--resume", str(path), "--epochs", "2"]) == 0
    assert main(["train", *options, "--cuts", "1"]) == 0
    assert "interfaces" not in capsys.readouterr().out


@pytest.mark.parametrize("option", [["--methods", "dni"], ["--engine", "threads"], ["--peers"]])
def test_speed_has_contenders_of_its_own(option, capsys):
    assert main(["benchmark", "--speed", *option]) == 2
    assert f"leave out {option[0]}" in capsys.readouterr().err


def test_repeatable_runs_need_cuts_that_are_given(capsys):
    assert main(["train", "--engine", "threads", "--deterministic", "--epochs", "1"]) == 2
    assert "deterministic: needs cuts" in capsys.readouterr().err
