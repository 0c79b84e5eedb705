"""Find a thing in a file of the user's own, named as "module:Name"."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from pathlib import Path
from typing import Any


def find(what: str, spec: str) -> Any:
    """Return what `spec` names; modules in the current folder come first.

    Raises ValueError, beginning with `what`, when there is no such thing.
    """
    module_name, _, name = spec.partition(":")
    if not (module_name and name):
        raise ValueError(f"{what}: expected module:Name, got {spec!r}")
    here = os.getcwd()
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        reason = "".join(traceback.format_exception_only(error)).strip()
        raise ValueError(f"{what} {spec}: cannot import {module_name}: {reason} "
                         f"(looked in {here} first)") from None
    if not hasattr(module, name):
        raise ValueError(f"{what} {spec}: {module_name} has no {name}")
    return getattr(module, name)


def file_of(what: str, spec: str) -> Path | None:
    """Return the file that `spec` is found in, if any. Raises ValueError as `find` does."""
    find(what, spec)
    file = getattr(sys.modules[spec.partition(":")[0]], "__file__", None)
    return None if file is None else Path(file)


def find_class(what: str, spec: str, base: type) -> type:
    """Return the subclass of `base` that `spec` names. Raises ValueError as `find` does."""
    thing = find(what, spec)
    if not (isinstance(thing, type) and issubclass(thing, base)):
        raise ValueError(f"{what} {spec}: expected a subclass of sgdni.{base.__name__}, "
                         f"got {thing!r}")
    return thing
