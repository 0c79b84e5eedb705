"""Any command line, any content of any file: it works, or one line says why not. No traceback.

More of them: ``pytest tests/cli/test_command_lines.py --stress 20000``.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import signal
import sys
import traceback
import zipfile
from pathlib import Path

import numpy as np
import pytest

from sgdni.cli import main, parser, speed
from sgdni.data import load
from sgdni.experiments.machine import describe
from sgdni.experiments.record import as_written, beginning
from sgdni.plotting import figures
from sgdni.runs.settings import Settings

resource = pytest.importorskip("resource")  # not on Windows

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="limits and timers of Linux"),
    # Of an interrupt within a callback of the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

SECONDS = 0.1  # for each; then Ctrl-C
MEMORY = 3 << 30  # bytes that all may take together
RECORDS = Path(__file__).parents[2] / "benchmarks/records"
INTS = ["0", "-1", "1", "2", "3", "7", "64", "1000000", str(10**12), str(10**30), "9" * 400,
        "9" * 5000, "1_000", "\u0663"]
FLOATS = ["nan", "inf", "-inf", "1e400", "1e308", "5e-324", "-0.0", "0", "0.5", "1", "-1", "0.1",
          "1e30"]
WORDS = ["", " ", "x", "\udc80", "1.5", "0x10", "[]", "x" * 300, "--", "-", "\u00fc"]
NAMES = ["mlp", "cnn", "relu", "tanh", "sgd", "adam", "float32", "float64", "linear", "hidden",
         "flat", "means", "sequential", "threads", "processes", "mpi", "backprop", "cdni-ls",
         "dni", "local-error", "local-loss", "data-parallel", "mnist-5k", "mnist", "mnist-5k-sum",
         "mine:Mine", "mine:Broken", "mine:number", "mine:nothing", "os:getcwd", "nosuch:X", ":",
         "a:b:c", "..:x", "sg", "tbptt"]
MODULE = """
from sgdni import LinearSG
number = 5
class Mine(LinearSG): pass
class Broken(LinearSG):
    def predict(self, h, c=None): return None
"""


class Lines:
    """Random command lines, from a seed, over the options that the parser has."""

    def __init__(self, seed, folder):
        self.rng = np.random.default_rng(seed)
        self.files = [*(p.name for p in folder.iterdir()), "", ".", "..", "/", "no/such", "new",
                      "/dev/null", "/dev/full", "/proc/self/mem", "x" * 300, "a.json/b"]
        self.commands = list(commands(parser()))

    def pick(self, things):
        return things[self.rng.integers(len(things))]

    def line(self):
        words, made = self.pick(self.commands)
        words = list(words)
        actions = [a for a in made._actions if a.option_strings and a.dest not in (
            "help", "version")]
        for action in (self.pick(actions) for _ in range(self.rng.integers(5)) if actions):
            words.append(self.pick(action.option_strings))
            count = {None: 1, "+": self.rng.integers(1, 4)}.get(action.nargs, 0)
            words += [self.value(action) for _ in range(count)]
        if words[:2] == ["data", "download"]:
            words = ["data", "download", self.pick(["mnist-5k", "nosuch", ""])]
        return words

    def value(self, action):
        kinds = {int: INTS, float: FLOATS, Path: self.files, str: NAMES}
        kind = action.type if action.type in kinds else str
        if action.metavar in ("FILE", "DIR", "RECORD"):
            kind = Path
        return self.pick(kinds[kind] if self.rng.random() < 0.8 else WORDS + INTS + FLOATS)


def commands(made, words=()):
    """Yield all commands below a parser, each with its words."""
    below = [a for a in made._actions if isinstance(a, argparse._SubParsersAction)]
    yield words, made
    for action in below:
        for name, inner in action.choices.items():
            yield from commands(inner, (*words, name))


def outcome(words, seconds=SECONDS):
    """Run a command line for a moment; return its exit code and what it said, or a traceback."""
    def interrupt(_, frame):
        while frame and frame.f_code is not main.__code__:
            frame = frame.f_back
        if frame:  # else it is at its end, or has not begun
            raise KeyboardInterrupt

    said = io.StringIO()
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(said):
            signal.setitimer(signal.ITIMER_REAL, seconds)
            try:
                return main(words), said.getvalue()
            except SystemExit as end:
                return end.code, said.getvalue()
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
    except BaseException:
        return None, traceback.format_exc()
    finally:
        signal.signal(signal.SIGALRM, before)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A current folder with files to name, and a bound on memory."""
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(MODULE)
    for i, text in enumerate(["", "[]", "{}", "5", "null", '"x"', "[[[", '{"rows": 5}', "\u00fc"]):
        Path(f"{i}.json").write_text(text)
    Path("bytes").write_bytes(bytes(range(256)))
    Path("below").mkdir()
    Path("below/results.json").write_text("[]")
    Path("loop").symlink_to("loop")
    Path("nowhere").symlink_to("nothing")
    record = RECORDS / "bp-lambda/results.json"
    Path("record.json").write_text(record.read_text())
    assert main(["train", "--hidden", "3", "--epochs", "1", "--checkpoint", "run.npz"]) == 0
    limits = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, limits[1]))
    yield tmp_path
    resource.setrlimit(resource.RLIMIT_AS, limits)


def test_any_command_line(folder, stress, capfd):
    for seed in range(stress // 4):
        words = Lines(seed, folder).line()
        code, said = outcome(words)
        assert code in (0, 1, 2, 130) and "Traceback" not in said, f"{seed}: {words}\n{said}"
        assert code in (0, 130) or any(
            line.startswith("sgdni") for line in said.splitlines()), (words, said)


ODD = [None, True, -1, 0, 10**400, 1e308, float("nan"), "", "x", [], {}, [None], [[]], {"x": 1},
       "9" * 50]


def damaged(rng, thing):
    """Return JSON with something in it replaced, left out or doubled."""
    if isinstance(thing, dict | list) and thing and rng.random() < 0.9:
        keys = list(thing) if isinstance(thing, dict) else range(len(thing))
        key = keys[rng.integers(len(keys))]
        inner, kind = thing.copy(), rng.random()
        if kind < 0.2:
            del inner[key]
        else:
            inner[key] = damaged(rng, thing[key])
        return inner
    return ODD[rng.integers(len(ODD))]


def as_options(settings):
    """Return the words that ask for these settings of an experiment."""
    words = []
    for name, value in settings.items():
        name = name.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{name}" if value else f"--no-{name}")
        else:
            values = value if isinstance(value, list) else [value]
            words += [f"--{name}", *map(str, values)]
    return words


FRAMED = [path for path in sorted(RECORDS.glob("*/results.json"))
          if "experiment" in json.loads(path.read_text())]


def record_line(i, rng):
    """Return a command line that goes on from one of the records, and is held to another.

    One of them is damaged; there is nothing left to train.
    """
    record = json.loads(FRAMED[i % len(FRAMED)].read_text())
    good = {**record, "machine": as_written(describe())}
    rows = damaged(rng, good["rows"])
    bad = damaged(rng, good) if rng.random() < 0.3 else {**good, "rows": rows}
    texts = [json.dumps(good), json.dumps(bad)]
    for name, text in zip(("good", "bad"), texts, strict=True):
        Path(name).mkdir(exist_ok=True)
        Path(name, "results.json").write_text(text)
    out, check = ("good", "bad") if rng.random() < 0.5 else ("bad", "good")
    if out == "good":
        Path("bad/results.json").write_text(json.dumps(damaged(rng, good)))
    seeds = len({row["seed"] for row in record["rows"]})
    return ["experiment", record["experiment"], *as_options(record["settings"]), "--seeds",
            str(seeds), "--out", out, "--check", check]


def test_any_record_to_check_and_to_go_on_from(folder, stress, monkeypatch):
    monkeypatch.setattr(figures, "DPI", 10)
    rng = np.random.default_rng(0)
    for i in range(stress // 20):
        words = record_line(i, rng)
        code, said = outcome(words, seconds=2)
        assert code in (0, 1, 2, 130) and "Traceback" not in said, f"{i}: {words}\n{said}"


def test_any_record_of_a_race_to_go_on_from(folder, stress, monkeypatch):
    monkeypatch.setattr(figures, "DPI", 10)
    rng, data = np.random.default_rng(0), load("mnist-5k")
    record = json.loads((RECORDS / "speed/results.json").read_text())
    settings = Settings(**speed.SETTINGS["mlp"], cuts=tuple(record["settings"]["cuts"]))
    good = {**record, **beginning(data, settings), "target": data.target_accuracy}
    words = ["benchmark", "--speed", "--out", "race"]
    Path("race").mkdir()
    for i in range(1 + stress // 40):
        Path("race/results.json").write_text(json.dumps(damaged(rng, good) if i else good))
        code, said = outcome(words, seconds=3 if i else 60)
        assert code in ((0, 2, 130) if i else (0,)) and "Traceback" not in said, f"{i}:\n{said}"


def test_any_settings_in_a_checkpoint(folder, stress):
    rng = np.random.default_rng(0)
    with zipfile.ZipFile("run.npz") as file:
        members = {name: file.read(name) for name in file.namelist()}
    manifest = json.loads(members["manifest.json"])
    for i in range(stress // 4):
        about = manifest["about"]
        bad = {**about, "settings": damaged(rng, about["settings"])} if i % 2 else (
            damaged(rng, about))
        with zipfile.ZipFile("bad.npz", "w") as file:
            for name, content in members.items():
                if name == "manifest.json":
                    content = json.dumps({**manifest, "about": bad})
                file.writestr(name, content)
        code, said = outcome(["train", "--resume", "bad.npz", "--epochs", "1"], seconds=2)
        assert code in (0, 2, 130) and "Traceback" not in said, f"{i}: {bad}\n{said}"
        assert code != 2 or said.count("\n") == 1


def test_an_empty_folder_name_is_not_the_current_folder(folder):
    before = set(folder.iterdir())
    for words in (["benchmark", "--out", ""], ["experiment", "steps", "--out", ""],
                  ["experiment", "steps", "--check", ""], ["train", "--history", ""]):
        code, said = outcome(words, seconds=60)
        assert code == 2 and "expected a name, got ''" in said
    assert set(folder.iterdir()) == before
