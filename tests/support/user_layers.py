"""Turn ``--layer mymodule:MyLayer`` into a case like those of the package's own layers."""

from __future__ import annotations

import importlib
import inspect
import sys
import traceback
from collections.abc import Callable

import numpy as np
import pytest
from cases import Case

from sgdni.gradcheck import check_layer
from sgdni.layers import Layer

EXAMPLE_HELP = (
    "give it a static method `example(rng)` that returns (layer, x), both float64, "
    "or name a function that does"
)


def user_case(spec: str) -> Case:
    """Return the case for "module:Name". Raises pytest.UsageError when there is no such thing."""
    module_name, _, name = spec.partition(":")
    if not (module_name and name):
        raise pytest.UsageError(f"--layer: expected module:Name, got {spec!r}")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        reason = "".join(traceback.format_exception_only(error)).strip()
        raise pytest.UsageError(
            f"--layer {spec}: cannot import {module_name}: {reason} "
            f"(looked in {sys.path[0]} first)"
        ) from None
    thing = getattr(module, name, None)
    if thing is None:
        raise pytest.UsageError(f"--layer {spec}: {module_name} has no {name}")
    return Case(spec, check_layer, _maker(spec, thing))


def _maker(spec: str, thing: object) -> Callable[[np.random.Generator], tuple]:
    if not inspect.isclass(thing):
        if callable(thing):
            return thing
        raise pytest.UsageError(
            f"--layer {spec}: expected a Layer class or a function rng -> (layer, x), got {thing!r}"
        )
    if not issubclass(thing, Layer):
        raise pytest.UsageError(f"--layer {spec}: expected a subclass of sgdni.layers.Layer")
    if hasattr(thing, "example"):
        return thing.example
    if _accepts(thing):
        return lambda rng: (thing(), rng.standard_normal((6, 4)))
    if _accepts(thing, 4, 3, None, dtype=np.float64):
        return lambda rng: (thing(4, 3, rng, dtype=np.float64), rng.standard_normal((6, 4)))
    raise pytest.UsageError(
        f"--layer {spec}: neither {thing.__name__}() nor "
        f"{thing.__name__}(4, 3, rng, dtype=np.float64) fits its arguments; {EXAMPLE_HELP}"
    )


def _accepts(thing: type, *args: object, **kwargs: object) -> bool:
    """Look at the signature only, so that an error inside the constructor is shown as it is."""
    try:
        inspect.signature(thing).bind(*args, **kwargs)
    except TypeError:
        return False
    return True
