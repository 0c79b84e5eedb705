"""Every backward pass against finite differences.

Yours too: ``pytest tests/gradcheck --layer mymodule:MyLayer``, where MyLayer is a Layer class or a
function rng -> (layer, x), or ``--sg mymodule:MyModel``; see layers/base.py, synthetic/base.py.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from cases import CASES
from user_cases import layer_case

import sgdni.layers
import sgdni.synthetic
from sgdni.losses import Loss
from sgdni.synthetic import SyntheticGradient


def test_gradient_matches_finite_differences(gradient_case, rng):
    report = gradient_case.run(rng)
    report.raise_if_failed()
    assert sum(report.checked.values()) > 0


def test_every_layer_loss_and_sg_model_has_a_case(rng):
    checked = {type(case.make(rng)[0]) for case in CASES}
    layers = {getattr(sgdni.layers, name) for name in sgdni.layers.__all__} - {sgdni.layers.Layer}
    assert layers | set(Loss.__subclasses__()) <= checked
    models = {getattr(sgdni.synthetic, name) for name in sgdni.synthetic.__all__}
    teachable = {m for m in models if issubclass(m, SyntheticGradient) and m.wants_targets}
    assert teachable - {SyntheticGradient} <= checked


MY_LAYERS = """
import numpy as np
from sgdni.layers import Dense, Layer

class Cube(Layer):
    def forward(self, x, training=True):
        self.x = x
        return x**3

    def backward(self, dy):
        return 3 * self.x**2 * dy

class WrongCube(Cube):
    def backward(self, dy):
        return 3 * self.x * dy

class Scaled(Cube):
    def __init__(self, factor):
        super().__init__()

class WithExample(Scaled):
    @staticmethod
    def example(rng):
        return WithExample(2), rng.standard_normal((5, 3))

class Linear(Dense):
    pass

class Scale(Cube):
    def __init__(self, dtype=np.float32):
        super().__init__()
        self.params["s"], self.grads["s"] = np.full(1, 2, dtype), np.zeros(1, dtype)

    def forward(self, x, training=True):
        self.x = x
        return x * self.params["s"]

    def backward(self, dy):
        self.grads["s"][:] = np.sum(dy * self.x)
        return dy * self.params["s"]

class Single(Scale):
    def __init__(self):
        super().__init__()

class Forgetful(Cube):
    def __init__(self):
        self.power = 3

def function(rng):
    return Cube(), rng.standard_normal((5, 2))

number = 3
"""


@pytest.fixture
def my_layers(tmp_path, monkeypatch):
    """Make a module of layers importable, under a name of its own for each test."""
    name = f"my_layers_{tmp_path.name}".replace("-", "_")
    (tmp_path / f"{name}.py").write_text(MY_LAYERS)
    monkeypatch.syspath_prepend(tmp_path)
    return name


@pytest.mark.parametrize("thing", ["Cube", "WithExample", "Linear", "Scale", "function"])
def test_user_layer_becomes_a_case(my_layers, thing, rng):
    assert layer_case(f"{my_layers}:{thing}").run(rng).passed


@pytest.mark.parametrize("thing, complaint", [
    ("Nothing", "has no Nothing"),
    ("Scaled", "static method `example"),
    ("number", "expected a Layer class or a function"),
    ("np", "expected a Layer class or a function"),
    ("", "expected module:Name"),
])
def test_user_layer_that_cannot_be_built_is_a_usage_error(my_layers, thing, complaint):
    with pytest.raises(pytest.UsageError, match=complaint):
        layer_case(f"{my_layers}:{thing}")


def test_single_precision_and_a_forgotten_constructor_are_told_apart(my_layers, rng):
    with pytest.raises(ValueError, match="s in float64, got float32.*build with dtype=np.float64"):
        layer_case(f"{my_layers}:Single").run(rng)
    with pytest.raises(AttributeError, match="Forgetful .*must call super.*__init__.. first"):
        layer_case(f"{my_layers}:Forgetful").run(rng)


def run_pytest(pytestconfig, folder, *options):
    """Run this file on layers in `folder`, which is the current directory."""
    (folder / "mine.py").write_text(MY_LAYERS)
    return subprocess.run(
        [sys.executable, "-m", "pytest", __file__, "-k", "mine:", "-p", "no:cacheprovider",
         *options],
        cwd=folder, capture_output=True, text=True, timeout=60,
        env={**os.environ, "PYTHONPATH": str(pytestconfig.rootpath), "PYTEST_ADDOPTS": ""},
    )


def test_layer_option_checks_a_layer_in_the_current_directory(pytestconfig, tmp_path):
    result = run_pytest(
        pytestconfig, tmp_path, "--layer", "mine:Cube", "--layer", "mine:WrongCube"
    )
    assert "1 failed, 1 passed" in result.stdout, result.stdout + result.stderr
    assert "WrongCube: FAILED" in result.stdout and "x is wrong" in result.stdout


def test_layer_option_with_a_bad_name_says_so_without_a_traceback(pytestconfig, tmp_path):
    result = run_pytest(pytestconfig, tmp_path, "--layer", "nowhere:Cube")
    assert result.returncode == pytest.ExitCode.USAGE_ERROR
    assert "cannot import nowhere" in result.stderr and "Traceback" not in result.stderr
