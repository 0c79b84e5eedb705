"""No output takes the place of an input or of another output, and nothing is half written."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from sgdni._util.files import temporary_beside, whole
from sgdni.cli import main
from sgdni.data import catalogue
from sgdni.data.sums import SumsEntry
from sgdni.experiments.record import folder_for

fcntl = pytest.importorskip("fcntl")  # not on Windows

SMALL = ["train", "--hidden", "4", "--epochs", "1", "--lr", "0.05"]
MODEL = "from sgdni import LinearSG\n\n\nclass Mine(LinearSG):\n    pass\n"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    path = tmp_path_factory.mktemp("trained") / "run.npz"
    assert main([*SMALL, "--checkpoint", str(path)]) == 0
    return path.read_bytes()


@pytest.fixture
def folder(tmp_path, monkeypatch, trained):
    """The current folder, with a checkpoint and other names for it."""
    (tmp_path / "run.npz").write_bytes(trained)
    (tmp_path / "soft").symlink_to("run.npz")
    (tmp_path / "below").mkdir()
    os.link(tmp_path / "run.npz", tmp_path / "hard")
    (tmp_path / "dangling").symlink_to("new.npz")
    (tmp_path / "mine.py").write_text(MODEL)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()
            if "__pycache__" not in path.parts}


@pytest.mark.parametrize("words, message", [
    *((["train", "--resume", "run.npz", "--epochs", "2", "--history", name],
       f"--history {name}: would overwrite --checkpoint run.npz; name another file")
      for name in ("run.npz", "below/../run.npz", "soft", "hard")),
    (["train", "--resume", "run.npz", "--epochs", "2", "--checkpoint", "new.npz", "--history",
      "soft"], "--history soft: would overwrite --resume run.npz"),
    ([*SMALL, "--checkpoint", "new.npz", "--history", "below/../new.npz"],
     "--history below/../new.npz: would overwrite --checkpoint new.npz"),
    ([*SMALL, "--checkpoint", "new.npz", "--history", "dangling"],
     "--history dangling: would overwrite --checkpoint new.npz"),
    ([*SMALL, "--sg", "mine:Mine", "--history", "mine.py"],
     "--history mine.py: would overwrite the module of --sg mine:Mine: "),
])
def test_training_refuses_an_output_in_the_place_of_another_file(words, message, folder, capsys):
    before = contents(folder)
    assert main(words) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1 and contents(folder) == before


def test_training_refuses_to_overwrite_its_data(folder, monkeypatch, capsys):
    [images] = catalogue.MNIST_5K.paths()
    copy = folder / "mnist-5k.npz"
    copy.write_bytes(images.read_bytes())
    mine = replace(catalogue.MNIST_5K, folders=(folder,))
    monkeypatch.setattr(catalogue, "CATALOGUE", (SumsEntry("sum", mine, 20, 10, 0.5),))
    (folder / "there").symlink_to(copy)
    assert main([*SMALL, "--data", "sum", "--history", "there"]) == 2
    assert "would overwrite a file of the data set sum: " in capsys.readouterr().err
    assert copy.read_bytes() == images.read_bytes()


def test_a_checkpoint_that_is_a_link_stays_one_and_is_written_through(folder):
    assert main(["train", "--resume", "soft", "--epochs", "2"]) == 0
    assert (folder / "soft").is_symlink()
    assert main(["train", "--resume", "./run.npz", "--epochs", "2", "--checkpoint",
                 "run.npz"]) == 0


QUICK = ["experiment", "sg-quality", "--quick"]


@pytest.mark.parametrize("words, name", [
    (QUICK, "sg-quality.png"), (["benchmark"], "sg_error.png"),
    (["benchmark", "--speed", "--quick"], "README.md")])
def test_a_folder_of_something_else_is_left_alone(words, name, folder, capsys):
    (folder / name).write_text("mine")
    before = contents(folder)
    assert main([*words, "--out", "."]) == 2
    assert capsys.readouterr().err == (f"sgdni: error: {name}: exists, and stands beside no "
                                       f"results.json; choose another folder\n")
    assert contents(folder) == before


def test_a_record_and_its_picture_are_two_files(tmp_path):
    (tmp_path / "results.json").write_text("{}")
    (tmp_path / "a.png").symlink_to("results.json")
    with (pytest.raises(ValueError, match="a.png: would overwrite --out: .*results.json"),
          folder_for(tmp_path, "x", ["a.png"])):
        pass


def test_what_a_kill_left_is_cleared_up_and_what_is_at_work_is_not(tmp_path):
    path = tmp_path / "run[1].npz"
    left, other = tmp_path / "run[1].npz.0123abcd.part", tmp_path / "run[1].npz.mine.part"
    left.write_text("half")
    other.write_text("somebody's")
    with whole(path) as first, temporary_beside(path) as second:
        first.write_text("new")
        assert first.exists() and second.exists() and not left.exists()
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([path.name, other.name])
    left.write_text("half")
    with left.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with whole(path) as temporary:
            temporary.write_text("newer")
    assert left.exists() and path.read_text() == "newer"


def test_an_error_leaves_the_file_as_it_was(tmp_path):
    path = tmp_path / "a"
    path.write_text("old")
    with pytest.raises(RuntimeError), whole(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_a_pipe_is_written_to(capfd):
    assert main([*SMALL, "--history", "/dev/stdout"]) == 0
    assert '"history": [' in capfd.readouterr().out


@pytest.mark.parametrize("option", ["--checkpoint", "--history"])
@pytest.mark.parametrize("path, message", [
    ("run.npz/x", "does not exist"), ("x" * 255, "cannot be written: File name too long")])
def test_a_file_that_cannot_be_written_is_refused_before_training(option, path, message, folder,
                                                                  capsys):
    assert main([*SMALL, option, path]) == 2
    captured = capsys.readouterr()
    assert message in captured.err and captured.err.count("\n") == 1
    assert "steps an epoch" not in captured.out
