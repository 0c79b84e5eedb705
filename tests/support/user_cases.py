"""Turn ``--layer mymodule:MyLayer`` and ``--sg mymodule:MyModel`` into cases like the package's."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import numpy as np
import pytest
from cases import Case

from sgdni import Layer, SyntheticGradient, check_layer, check_synthetic
from sgdni._util.users import find, find_class

EXAMPLE_HELP = (
    "give it a static method `example(rng)` that returns (layer, x), both float64, "
    "or name a function that does"
)


def layer_case(spec: str) -> Case:
    """Return the case for a layer. Raises pytest.UsageError when there is no such thing."""
    try:
        return Case(spec, check_layer, _maker(spec, find("--layer", spec)))
    except ValueError as error:
        raise pytest.UsageError(str(error)) from None


def sg_case(spec: str) -> Case:
    """Return the case for an SG model. Raises pytest.UsageError when there is no such thing."""
    try:
        return Case(spec, check_synthetic, find_class("--sg", spec, SyntheticGradient).example)
    except ValueError as error:
        raise pytest.UsageError(str(error)) from None


def _maker(spec: str, thing: object) -> Callable[[np.random.Generator], tuple]:
    if not inspect.isclass(thing):
        if callable(thing):
            return thing
        raise ValueError(
            f"--layer {spec}: expected a Layer class or a function rng -> (layer, x), got {thing!r}"
        )
    if not issubclass(thing, Layer):
        raise ValueError(f"--layer {spec}: expected a subclass of sgdni.Layer")
    if hasattr(thing, "example"):
        return thing.example
    for kind in {"dtype": np.float64}, {}:  # in float64 wherever the layer can be told
        for sizes in (), (4, 3):
            if _accepts(thing, *sizes, *sizes[:1], **kind):
                return lambda rng, sizes=sizes, kind=kind: (
                    thing(*sizes, *[rng][:len(sizes)], **kind), rng.standard_normal((6, 4)))
    raise ValueError(
        f"--layer {spec}: neither {thing.__name__}() nor {thing.__name__}(4, 3, rng), with or "
        f"without dtype=np.float64, fits its arguments; {EXAMPLE_HELP}"
    )


def _accepts(thing: type, *args: object, **kwargs: object) -> bool:
    """Look at the signature only, so that an error inside the constructor is shown as it is."""
    try:
        inspect.signature(thing).bind(*args, **kwargs)
    except TypeError:
        return False
    return True
