"""A full disk, a folder that cannot be written to, an output that nobody reads: one line each."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from sgdni.cli import main

resource = pytest.importorskip("resource")  # not on Windows

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/dev/full and limits of Linux")

TRAIN = ["train", "--hidden", "32", "--epochs", "1"]


def sgdni(*words, stdout=subprocess.PIPE, most=None, shell=""):
    """Run a command whose files may have so many bytes."""
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))

    command = [sys.executable, "-m", "sgdni", *map(str, words)]
    if shell:
        command = ["sh", "-c", f'exec "$@" {shell}', "sh", *command]
    buffered = {k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"}
    return subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE, text=True, env=buffered,
                          preexec_fn=limit if most else None)


def test_a_full_disk_leaves_the_last_checkpoint(tmp_path):
    path = tmp_path / "run.npz"
    assert main([*TRAIN, "--checkpoint", str(path)]) == 0
    before = path.read_bytes()
    done = sgdni("train", "--resume", path, "--epochs", 2, most=len(before) // 2)
    assert done.stderr == f"sgdni: error: [Errno 27] File too large: '{path}'\n"
    assert done.returncode == 2 and path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
    assert main(["train", "--resume", str(path), "--epochs", "2"]) == 0


@pytest.mark.parametrize("words", [
    [*TRAIN, "--history", "history.json"],
    ["experiment", "bp-lambda", "--rho", "0.9", "--lam", "0", "--steps", "20", "--seeds", "1",
     "--out", "out"]])
def test_a_full_disk_leaves_no_half_file(words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = sgdni(*words, most=100)
    assert done.stderr.count("\n") == 1 and "File too large: " in done.stderr
    assert done.returncode == 2 and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", [
    [*TRAIN, "--checkpoint", "/proc/run.npz"], [*TRAIN, "--history", "/proc/history.json"],
    ["experiment", "steps", "--out", "/proc"], ["experiment", "steps", "--out", "/proc/x"],
    ["benchmark", "--out", "/proc"], ["data", "download", "mnist", "--folder", "/proc/x"]])
def test_a_folder_that_cannot_be_written_to_is_refused_before_the_work(words, capsys):
    assert main(words) == 2
    said = capsys.readouterr()
    assert said.err.count("\n") == 1 and "/proc" in said.err and said.out == ""


@pytest.mark.parametrize("words", [["data"], ["--help"], ["train", "--help"], TRAIN])
def test_an_output_that_is_full(words):
    with open("/dev/full", "w") as full:
        done = sgdni(*words, stdout=full)
    assert done.stderr == "sgdni: error: [Errno 28] No space left on device\n"
    assert done.returncode == 2


@pytest.mark.parametrize("words", [["data"], ["--help"], TRAIN])
def test_outputs_that_are_closed_or_left(words, tmp_path):
    for shell, codes in ((">&-", {0}), (">&- 2>&-", {0}), ("| head -c 1 > /dev/null", {0})):
        done = sgdni(*words, shell=shell)
        assert done.stderr == "" and done.returncode in codes, shell
    done = sgdni("data", "download", "nosuch", shell="2> /dev/full")
    assert done.returncode == 2
