"""The house itself: rooms in one order, files of a size to read, names that are documented."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import pytest

import sgdni
from sgdni.schedules import Backprop, Decoupled

ROOT = Path(__file__).parents[1]
ROOMS = ("_util", "plotting", "layers", "losses", "optimizers", "synthetic", "networks",
         "gradcheck", "data", "schedules", "parallel", "analysis", "training", "timeline", "runs",
         "experiments", "cli", "__main__")
SOURCES = sorted([*(ROOT / "sgdni").rglob("*.py"), *(ROOT / "sgdni_course").rglob("*.py")])
MOST_LINES = 260


def imported(path: Path) -> set[str]:
    """Return the modules that a file imports, with what it takes out of packages."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: say where from, not how far up"
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def upward(path: Path, level: dict[str, int]) -> list[str]:
    room = path.relative_to(ROOT / "sgdni").parts[0].removesuffix(".py")
    return [f"{path.relative_to(ROOT)} imports {name}" for name in imported(path)
            if name.startswith(("sgdni.", "sgdni_course")) and (
                name.startswith("sgdni_course")
                or level.get(name.split(".")[1], -1) > level[room])]


def test_nothing_imports_from_above():
    level = {room: i for i, room in enumerate(ROOMS)}
    files = [p for p in SOURCES if "sgdni" in p.parts and p != ROOT / "sgdni/__init__.py"
             and "sgdni_course" not in p.parts]
    assert len(files) > 50
    assert [line for path in files for line in upward(path, level)] == []


def test_an_import_from_above_would_be_seen(tmp_path, monkeypatch):
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    (tmp_path / "sgdni/layers").mkdir(parents=True)
    bad = tmp_path / "sgdni/layers/bad.py"
    bad.write_text("from sgdni.networks import Module\nimport sgdni_course\nimport sgdni.losses\n")
    found = upward(bad, {room: i for i, room in enumerate(ROOMS)})
    assert len(found) == 4  # the package, the name in it, the course, the losses


def test_every_room_is_in_the_list_and_in_the_map():
    parts = {p.stem for p in (ROOT / "sgdni").iterdir() if p.suffix == ".py" or p.is_dir()}
    parts -= {"__init__", "__pycache__"}
    assert parts == set(ROOMS)
    listed = [line[4:].replace(",", "").split()[0] for line in sgdni.__doc__.splitlines()
              if line.startswith("    ")]
    assert listed == [room for room in ROOMS[:-1] if room != "optimizers"]


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_files_are_of_a_size_to_read(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MOST_LINES


def test_tests_stand_in_rooms_of_the_same_names():
    rooms = {p.parent.name for p in (ROOT / "tests").rglob("test_*.py")}
    assert rooms - {"tests", "course"} <= set(ROOMS)


PUBLIC = """
    LSTM RNN SGD Adam Asynchronous Backprop BatchNorm Dataset Decoupled Dense GradientFit HiddenHead
    Interface Layer LeastSquaresFit LinearHead LinearSG LocalErrorSG MeanSquaredError ModelParallel
    Module Network ReLU Schedule Settings Sigmoid SoftmaxCrossEntropy StepResult SyntheticGradient
    Tanh Trainer __version__ build_mlp build_trainer check_layer check_synthetic load
"""


def test_the_public_names_are_these_and_documented():
    assert set(sgdni.__all__) == set(PUBLIC.split())
    for name in sgdni.__all__:
        thing = getattr(sgdni, name)
        assert name == "__version__" or inspect.getdoc(thing), name
    public = {name for name in vars(sgdni) if not name.startswith("_")}
    modules = {name for name in public if inspect.ismodule(getattr(sgdni, name))}
    assert public - modules <= set(sgdni.__all__)


def code_lines(function) -> list[str]:
    lines = [line.strip() for line in inspect.getsource(function).splitlines()]
    return [line for line in lines if line and not line.startswith(("#", '"""'))]


@pytest.mark.parametrize("schedule, most", [(Decoupled, 18), (Backprop, 12)])
def test_the_core_loop_fits_on_a_slide(schedule, most):
    source = "\n".join(lines := code_lines(schedule.step))
    assert len(lines) <= most
    for word in ("perf_counter", "guard", "recorder", "check"):
        assert word not in source
    assert all(f"self.{move}(" in source for move in ("forward", "loss", "learn"))
