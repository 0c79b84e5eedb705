"""Modules in MPI ranks: the same learning as in turn, and no rank left waiting for another."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers import TINY, blobs, tiny_network

from sgdni._util.blas import blas_threads
from sgdni.cli import main
from sgdni.data import load
from sgdni.parallel import Asynchronous
from sgdni.parallel.workers.ranks import under_mpiexec
from sgdni.runs.methods import build_trainer
from sgdni.runs.settings import Settings

HERE = Path(__file__).parent
MPIEXEC = shutil.which("mpiexec", path=f"{Path(sys.executable).parent}{os.pathsep}{os.defpath}")
needs_mpi = pytest.mark.skipif(
    sys.platform != "linux" or MPIEXEC is None or importlib.util.find_spec("mpi4py") is None
    or under_mpiexec(),
    reason="needs Linux, mpi4py and mpiexec: pip install 'sgdni[mpi]'",
)
TRAIN = ["-m", "sgdni", "train", "--engine", "mpi", "--hidden", "8", "7", "6"]
SECONDS = 120  # far beyond what any of them takes: a hang fails instead of stopping everything


def command(ranks, *arguments):
    return [MPIEXEC, "-n", str(ranks), sys.executable, *map(str, arguments)]


def environment():
    return {**os.environ, "OPENBLAS_NUM_THREADS": "1"}


def mpiexec(ranks, *arguments):
    """Run it to its end; if it hangs, fail with what its processes were waiting in."""
    with subprocess.Popen(command(ranks, *arguments), stdout=subprocess.PIPE, text=True,
                          stderr=subprocess.PIPE, env=environment(), cwd=HERE) as process:
        try:
            out, err = process.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            seen = subprocess.run(["ps", "-wweo", "pid,ppid,stat,wchan:20,etimes,args", "--forest"],
                                  capture_output=True, text=True).stdout
            process.kill()
            pytest.fail(f"no end in {SECONDS} s:\n" + "\n".join(
                line for line in seen.splitlines() if "mpi" in line or "PPID" in line))
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def program(ranks, *arguments):
    return mpiexec(ranks, HERE.parent / "support/mpi_programs.py", *arguments)


@needs_mpi
@pytest.mark.parametrize("ranks, name", [
    (2, "as_in_turn"), (4, "as_in_turn"), (2, "every_minibatch_once"), (4, "every_minibatch_once"),
    (4, "exceptions"), (4, "leaving"), (2, "bounded"), (4, "unlike"), (2, "data_parallel"),
    (4, "data_parallel"), (4, "data_parallel_by_name"), (4, "data_parallel_averages"),
    (4, "data_parallel_over_links"), (4, "data_parallel_breaks"),
])
def test_in_every_rank(ranks, name):
    """What each one asserts stands in mpi_programs.py."""
    done = program(ranks, name)
    assert (done.stdout, done.returncode) == (f"{name} passed\n", 0), done.stderr


@needs_mpi
@pytest.mark.parametrize("how, seen", [
    ("exit 0", "exit code 0"), ("exit 3", "exit code 3"), ("SIGKILL", "killed by SIGKILL"),
])
def test_a_rank_that_dies_ends_the_run_and_is_named(how, seen):
    done = program(4, "dies", how)
    assert re.findall(r"sgdni: (.*) died on \S+ \((.*)\)", done.stderr) == [
        ("rank 2 (module 3)", seen)]
    assert done.returncode != 0 and "passed" not in done.stdout


@needs_mpi
def test_a_rank_whose_watcher_dies_ends_the_run_and_is_named():
    done = program(4, "dies", "watcher")
    assert "sgdni: rank 2: the process that watches over it died" in done.stderr
    assert done.returncode != 0 and "passed" not in done.stdout


@needs_mpi
def test_ranks_do_not_outlive_the_proxy_that_started_them():
    """Before, they went on for ever, and mpiexec waited for them."""
    assert program(4, "dies", "proxy").returncode != 0


@needs_mpi
def test_a_rank_that_fails_alone_ends_all_and_is_named():
    done = program(4, "fails_alone")
    assert "rank 1 (module 2): RuntimeError: only here" in done.stderr
    assert done.returncode == 1 and "passed" not in done.stdout


@needs_mpi
def test_divergence_is_reported_once():
    done = mpiexec(4, *TRAIN, "--lr", "1e9", "--no-batch-norm")
    assert len(re.findall("training diverged: .* of module", done.stderr)) == 1, done.stderr
    assert re.search(r"\(in rank \d \(module \d\)\)", done.stderr)
    assert done.returncode == 1 and "Abort" not in done.stderr


@needs_mpi
@pytest.mark.parametrize("ranks", [1, 5])
def test_a_wrong_number_of_ranks_names_the_right_one(ranks):
    done = mpiexec(ranks, *TRAIN)
    assert done.stderr.splitlines() == [
        f"sgdni: error: engine mpi: expected 4 ranks, one for each module, got {ranks}; start it "
        f"as: mpiexec -n 4 sgdni train --engine mpi ..."]
    assert (done.stdout, done.returncode) == ("", 2)


@needs_mpi
def test_cuts_follow_the_ranks():
    done = mpiexec(2, *TRAIN, "--epochs", "1")
    assert done.returncode == 0, done.stderr
    assert re.search(r"^interfaces after hidden layers: \d \(by measured cost", done.stdout, re.M)
    assert "epoch   1" in done.stdout


@needs_mpi
def test_outside_mpiexec_it_says_what_to_type():
    done = subprocess.run([sys.executable, *TRAIN], capture_output=True, text=True,
                          timeout=SECONDS, env=environment())
    assert "mpiexec -n 4 sgdni train --engine mpi" in done.stderr and done.returncode == 2


@needs_mpi
def test_a_network_of_one_module_needs_no_mpiexec():
    program = [sys.executable, HERE.parent / "support/mpi_programs.py", "one_module"]
    done = subprocess.run(program, text=True, capture_output=True, timeout=SECONDS,
                          env=environment())
    assert (done.stdout, done.returncode) == ("one_module passed\n", 0), done.stderr


@needs_mpi
def test_a_run_is_saved_by_rank_0_and_resumed(tmp_path):
    """In fixed order it is the run of modules in turn, in two parts. Rank 0 alone speaks."""
    saved, history = tmp_path / "run.npz", tmp_path / "history.json"
    fixed = ["--queue-size", 1, "--deterministic", "--cuts", 1, 2, 3]
    first = mpiexec(4, *TRAIN, *fixed, "--epochs", 1, "--checkpoint", saved)
    assert (first.stdout.count("epoch  "), first.returncode) == (1, 0), first.stderr
    second = mpiexec(4, *TRAIN[:3], "--resume", saved, "--epochs", 3, "--history", history)
    assert (second.stdout.count("epoch  "), second.returncode) == (2, 0), second.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["history.json", "run.npz"]
    turns = build_trainer("cdni-ls", Settings(hidden=(8, 7, 6)), load("mnist-5k"))
    with blas_threads(1):
        for _ in range(3):
            turns.epoch()
    records = json.loads(history.read_text())["history"]
    for ours, theirs in zip(records, turns.history, strict=True):
        expected = json.loads(json.dumps(theirs.to_dict()))
        times = {"train_seconds": 0, "total_seconds": 0}
        assert ours | times == expected | times


@needs_mpi
def test_resuming_another_engines_run_in_ranks_is_refused(tmp_path):
    saved = tmp_path / "run.npz"
    arguments = ["train", "--hidden", "8", "--epochs", "1", "--checkpoint", str(saved)]
    assert main(arguments) == 0
    done = mpiexec(2, *TRAIN[:3], "--resume", saved, "--epochs", 2)
    assert "made with engine sequential; go on with it without mpiexec" in done.stderr
    assert done.returncode == 2


def unlike(*ways, options=()):
    """Start a training in two ranks, each with options of its own; return what each line says."""
    one, other = ([sys.executable, *TRAIN[:3], "--hidden", "8", *map(str, options), *map(str, way)]
                  for way in ways)
    done = subprocess.run([MPIEXEC, "-n", "1", *one, ":", "-n", "1", *other], text=True,
                          capture_output=True, timeout=SECONDS, env=environment(), cwd=HERE)
    assert done.returncode in (1, 2) and "Traceback" not in done.stderr
    return [line for line in done.stderr.splitlines() if line.startswith("sgdni: ")]


MPI = ["--engine", "mpi"]


@needs_mpi
@pytest.mark.parametrize("ways, difference", [
    (([*MPI, "--epochs", 2], [*MPI, "--epochs", 1]), "--epochs: 1 in rank 1 (module 2), 2 in"),
    (([*MPI, "--lr", 0.1], [*MPI, "--lr", 0.2]), "--lr: 0.2 in rank 1 (module 2), 0.1 in"),
    (([*MPI], [*MPI, "--seed", 0]), "--seed: 0 in rank 1 (module 2), not given in"),
    ((MPI, []), "--engine: not given in rank 1 (module 2), 'mpi' in"),
    (([], MPI), "--engine: 'mpi' in rank 1 (module 2), not given in"),
])
def test_ranks_with_other_options_are_refused_by_name(ways, difference):
    assert unlike(*ways) == [f"sgdni: error: engine mpi: {difference} rank 0 (module 1); expected "
                             f"the same in all ranks"]


@needs_mpi
def test_ranks_with_other_checkpoints_under_one_name_are_refused(tmp_path):
    """As on two machines: the same path, another file."""
    fixed = [*MPI, "--cuts", 1, "--hidden", 8, "--checkpoint", "run.npz"]
    for name, epochs in (("a", 1), ("b", 2)):
        (tmp_path / name).mkdir()
        done = subprocess.run([*command(2, *TRAIN[:3], *fixed, "--epochs", epochs)],
                              capture_output=True, text=True, timeout=SECONDS, env=environment(),
                              cwd=tmp_path / name)
        assert done.returncode == 0, done.stderr
    each = [["-n", "1", "-wdir", str(tmp_path / name), sys.executable, *TRAIN[:3], "--resume",
             "run.npz", "--epochs", "3"] for name in ("a", "b")]
    done = subprocess.run([MPIEXEC, *each[0], ":", *each[1]], text=True, capture_output=True,
                          timeout=SECONDS, env=environment())
    assert "its epochs: 2 in rank 1 (module 2), 1 in rank 0 (module 1)" in done.stderr
    assert done.returncode == 2


@needs_mpi
def test_an_option_that_cannot_be_read_in_one_rank_ends_all():
    assert unlike(MPI, [*MPI, "--lr", "none"]) == []  # argparse says it, and mpi that it was rank 1


@needs_mpi
def test_mpiexec_without_engine_mpi_is_refused():
    assert unlike([], []) == [
        "sgdni: error: --engine: got sequential under mpiexec; start it without, or with --engine "
        "mpi"]


@needs_mpi
def test_a_rank_that_never_starts_mpi_is_not_waited_for():
    done = program(2, "stays_away")
    assert "a rank has not started MPI in 2 s; expected the same command" in done.stderr
    assert done.returncode != 0 and "passed" not in done.stdout


@needs_mpi
def test_ctrl_c_ends_all_ranks(tmp_path):
    saved = tmp_path / "run.npz"
    run = subprocess.Popen(
        command(4, "-u", *TRAIN, "--epochs", 10_000, "--checkpoint", saved), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(), start_new_session=True)
    try:
        while "epoch   2" not in run.stdout.readline():
            assert run.poll() is None
        run.send_signal(signal.SIGINT)
        _, errors = run.communicate(timeout=SECONDS)
    finally:
        run.kill()
    assert "sgdni: interrupted" in errors and f"go on with --resume {saved}" in errors
    assert run.returncode == 130


def test_without_mpi4py_it_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    assert main(["train", "--engine", "mpi"]) == 2
    assert "pip install 'sgdni[mpi]'" in capsys.readouterr().err
    with pytest.raises(ImportError, match="engine mpi needs mpi4py"):
        Asynchronous(tiny_network(), workers="mpi")
    for engine in ("sequential", "threads"):  # the others do without
        build_trainer("cdni", replace(TINY, engine=engine), blobs(np.random.default_rng(0))).epoch()


def test_the_benchmark_refuses(capsys):
    assert main(["benchmark", "--engine", "mpi"]) == 2
    assert "--engine: mpi is for sgdni train" in capsys.readouterr().err
