"""Options that `train` and `benchmark` share, and the Settings they make."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from sgdni._util.files import Named
from sgdni._util.users import file_of
from sgdni.data import Dataset
from sgdni.data.catalogue import lookup
from sgdni.runs.cuts import default_cuts
from sgdni.runs.methods import check_used
from sgdni.runs.settings import Settings


class CheckFailed(Exception):
    """A record's findings do not all hold: the command did its work, and ends with 1."""


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Add one option for each field of Settings: a switch, or of the type of its default value.

    Options that were not given leave no trace in the namespace, so `settings` can tell them from
    those that were.
    """
    groups = {}
    for field in fields(Settings):
        title, text, default = field.metadata["group"], field.metadata["text"], field.default
        kind = dict(field.metadata["option"])
        if isinstance(default, bool):
            kind["action"], shown = argparse.BooleanOptionalAction, ["yes" if default else "no"]
        elif default is not None:
            shown = default if isinstance(default, tuple) else [default]
            kind["type"] = type(shown[0])
        if default is not None:
            text = f"{text} (default: {' '.join(map(str, shown))})"
        if title not in groups:
            groups[title] = parser.add_argument_group(title)
        groups[title].add_argument(flag(field.name), default=argparse.SUPPRESS, help=text, **kind)


def given_settings(args: argparse.Namespace) -> dict:
    """Return the settings that were given on the command line, as Settings takes them."""
    given = {field.name: getattr(args, field.name) for field in fields(Settings)
             if hasattr(args, field.name)}
    return {name: tuple(v) if isinstance(v, list) else v for name, v in given.items()}


def settings(args: argparse.Namespace, methods: Sequence[str]) -> Settings:
    """Return the Settings of a command line, for these methods and a model of the user's own.

    Raises ValueError for values out of range, and for options that nobody makes use of.
    """
    given = given_settings(args)
    found = Settings(**given)
    check_used(methods, found, given)
    return found


def cut(settings: Settings, method: str, data: Dataset) -> Settings:
    """Return settings with cuts for workers, saying so where they were not given."""
    with_cuts = default_cuts(method, settings, data)
    if with_cuts != settings:
        layers = ", ".join(map(str, with_cuts.cuts))
        print(f"interfaces after hidden layers: {layers} (by measured cost; --cuts sets others)")
    return with_cuts


def path(text: str) -> Path:
    """Return a path as typed; an empty one, as of a variable that is not set, is no path."""
    if not text:
        raise argparse.ArgumentTypeError("expected a name, got ''")
    return Path(text)


def inputs(data: str, sg: str | None) -> Named:
    """Return the files that a run reads, with what they are: of its data, and of your SG model."""
    read = [(f"a file of the data set {data}:", path) for path in lookup(data).paths()]
    mine = None if sg is None else file_of("--sg", sg)
    return read if mine is None else [*read, (f"the module of --sg {sg}:", mine)]


def flag(name: str) -> str:
    """Return the option's spelling: ``batch_size`` is ``--batch-size``."""
    return "--" + name.replace("_", "-")
