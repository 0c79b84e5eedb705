"""Ctrl-C at any moment: one line, exit code 130, and the last checkpoint as it was."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sgdni.training.checkpoint import read_settings

ROOT = Path(__file__).parents[2]
PROGRAM = "import sys; sys.path.insert(0, {!r}); from sgdni_command import main; sys.exit(main())"

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of a terminal")


def start(*words):
    return subprocess.Popen(
        [sys.executable, "-u", "-c", PROGRAM.format(str(ROOT)), *map(str, words)], text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_during_the_imports(share):
    started = time.perf_counter()
    start("--version").communicate()
    whole = time.perf_counter() - started
    run = start("train", "--epochs", "1000")
    time.sleep(share * whole)
    run.send_signal(signal.SIGINT)
    assert run.communicate(timeout=60) == ("", "sgdni: interrupted\n")
    assert run.returncode == 130


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
