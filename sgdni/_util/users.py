"""Find a class in a file of the user's own, named as "module:Class"."""

from __future__ import annotations

import importlib
import os
import sys
import traceback


def named(what: str, spec: str, base: type) -> type:
    """Return the subclass of `base` that `spec` names; modules beside the user come first.

    Raises ValueError, which begins with `what`, when there is no such thing.
    """
    module_name, _, name = spec.partition(":")
    if not (module_name and name):
        raise ValueError(f"{what}: expected module:Class, got {spec!r}")
    here = os.getcwd()
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        reason = "".join(traceback.format_exception_only(error)).strip()
        raise ValueError(f"{what}: cannot import {module_name}: {reason} "
                         f"(looked in {here} first)") from None
    thing = getattr(module, name, None)
    if thing is None:
        raise ValueError(f"{what}: {module_name} has no {name}")
    if not (isinstance(thing, type) and issubclass(thing, base)):
        raise ValueError(f"{what}: expected a subclass of {base.__module__}.{base.__name__}, "
                         f"got {thing!r}")
    return thing
