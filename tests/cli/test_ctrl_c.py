"""Ctrl-C at any moment, or a worker that is killed: one line, and the last checkpoint as it was."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sgdni.training.checkpoint import read_settings

ROOT = Path(__file__).parents[2]
PROGRAM = "import sys; sys.path.insert(0, {!r}); from sgdni_command import main; sys.exit(main())"

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of a terminal")


def start(*words, python=()):
    return subprocess.Popen(
        [sys.executable, "-u", *python, "-c", PROGRAM.format(str(ROOT)), *map(str, words)],
        text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))


@pytest.mark.parametrize("imported", ["numpy.linalg", "sgdni.layers", "sgdni.training"])
def test_during_the_imports(imported):
    """Of which Python tells, so that the moment is the same on any machine."""
    run = start("train", "--epochs", "1000", python=("-X", "importtime"))
    while run.stderr.readline().split("|")[-1].strip() != imported:
        assert run.poll() is None
    run.send_signal(signal.SIGINT)
    _, errors = run.communicate(timeout=60)
    told = [line for line in errors.splitlines() if not line.startswith("import time:")]
    assert (told, run.returncode) == (["sgdni: interrupted"], 130)


@pytest.mark.parametrize("engine", ["sequential", "threads", pytest.param(
    "processes", marks=pytest.mark.skipif(sys.platform != "linux", reason="forked: Linux only"))])
def test_between_epochs_and_within(engine, tmp_path):
    path = tmp_path / "run.npz"
    run = start("train", "--engine", engine, "--hidden", 8, "--cuts", 1, "--epochs", 100_000,
                "--checkpoint", path)
    while "epoch   2" not in run.stdout.readline():
        assert run.poll() is None
    run.send_signal(signal.SIGINT)
    _, errors = run.communicate(timeout=60)
    assert errors.splitlines()[-1] == "sgdni: interrupted" and "Traceback" not in errors
    assert run.returncode == 130 and read_settings(path)["method"] == "cdni-ls"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(sys.platform != "linux", reason="forked: Linux only")
def test_a_worker_that_is_killed(tmp_path):
    path = tmp_path / "run.npz"
    run = start("train", "--engine", "processes", "--hidden", 8, "--cuts", 1, "--epochs", 100_000,
                "--checkpoint", path)
    while "epoch   2" not in run.stdout.readline():
        assert run.poll() is None
    first, *_ = Path(f"/proc/{run.pid}/task/{run.pid}/children").read_text().split()
    os.kill(int(first), signal.SIGKILL)
    _, errors = run.communicate(timeout=60)
    assert errors.splitlines()[-1] == "sgdni: the process of module 1 died (exit code -9)"
    assert "go on with --resume" in errors and "Traceback" not in errors
    assert run.returncode == 1 and read_settings(path)["method"] == "cdni-ls"
