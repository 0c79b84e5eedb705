"""Options that `train` and `benchmark` share, and the Settings they make."""

from __future__ import annotations

import argparse
import os
from dataclasses import fields
from pathlib import Path

from sgdni.data import Dataset
from sgdni.runs.cuts import default_cuts
from sgdni.runs.methods import check_used
from sgdni.runs.settings import Settings


class CheckFailed(Exception):
    """A record's findings do not all hold: the command did its work, and ends with 1."""


_DEFAULT = {field.name: field.default for field in fields(Settings)}


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Add one option for each field of Settings.

    Options that were not given leave no trace in the namespace, so `settings` can tell them from
    those that were.
    """
    net = parser.add_argument_group("network")
    _add(net, "hidden", "widths of the hidden layers", nargs="+", metavar="N")
    _add(net, "cuts", "hidden layers after which an interface stands (default: after each; with "
         "workers, as many as balance their measured costs)", type=int, nargs="+", metavar="I")
    _add(net, "activation", "relu, tanh or sigmoid")
    _add(net, "batch_norm", "normalise before each nonlinearity; synthetic gradients through relu "
         "need it")
    _add(net, "dtype", "float32 or float64")
    learning = parser.add_argument_group("learning")
    _add(learning, "optimizer", "sgd or adam, for every module")
    _add(learning, "lr", "learning rate of the modules")
    _add(learning, "momentum", "of sgd")
    _add(learning, "weight_decay", "L2 penalty")
    _add(learning, "batch_size", "images in a minibatch", metavar="B")
    _add(learning, "seed", "of weights, order of minibatches, stochastic updates")
    sg = parser.add_argument_group("synthetic gradients")
    _add(sg, "fit_every", "fit the SG models on every k-th step", metavar="K")
    _add(sg, "sg_lr", "learning rate of Adam-fitted SG models")
    _add(sg, "forgetting_factor", "of least squares")
    _add(sg, "ridge", "ridge of least squares, relative")
    _add(sg, "solve_every", "fits between two least-squares solutions", metavar="K")
    _add(sg, "head", "linear or hidden: the local head of local-error and local-loss")
    _add(sg, "head_units", "of a hidden one", metavar="N")
    _add(sg, "rho", "of local-error: 0 follows the targets alone, a large one the head")
    _add(sg, "sg", "an SG model of your own instead of the method's: a SyntheticGradient class "
         "in a module beside you", metavar="MODULE:CLASS")
    engine = parser.add_argument_group("engine")
    _add(engine, "engine", "sequential; or threads, processes or mpi: one for each module (the "
         "last is started as: mpiexec -n MODULES sgdni train --engine mpi ...)")
    _add(engine, "queue_size", "most minibatches on the way between two modules", metavar="N")
    _add(engine, "latency", "simulated seconds of each message between modules, on one machine",
         metavar="S")
    _add(engine, "bandwidth", "simulated bytes a second that each link carries: 125e6 is 1 Gbit/s "
         "(default: no limit)", type=float, metavar="BYTES")
    _add(engine, "deterministic", "apply targets at fixed steps, so that parallel runs repeat")


def _add(group, name: str, text: str, **kind) -> None:
    """Add one option, a switch or of the type of its default value."""
    default = _DEFAULT[name]
    if isinstance(default, bool):
        kind["action"], shown = argparse.BooleanOptionalAction, ["yes" if default else "no"]
    elif default is not None:
        shown = default if isinstance(default, tuple) else [default]
        kind["type"] = type(shown[0])
    if default is not None:
        text = f"{text} (default: {' '.join(map(str, shown))})"
    group.add_argument(flag(name), default=argparse.SUPPRESS, help=text, **kind)


def given_settings(args: argparse.Namespace) -> dict:
    """Return the settings that were given on the command line, as Settings takes them."""
    return {name: tuple(value) if isinstance(value, list) else value
            for name, value in vars(args).items() if name in _DEFAULT}


def settings(args: argparse.Namespace, method: str | None = None) -> Settings:
    """Return the Settings of a command line, for one method where only one is trained.

    Raises ValueError for values out of range, and for options that the method makes no use of.
    """
    given = given_settings(args)
    found = Settings(**given)
    if method is not None:
        check_used(method, found, given)
    return found


def cut(settings: Settings, method: str, data: Dataset) -> Settings:
    """Return settings with cuts for workers, saying so where they were not given."""
    with_cuts = default_cuts(method, settings, data)
    if with_cuts != settings:
        layers = ", ".join(map(str, with_cuts.cuts))
        print(f"interfaces after hidden layers: {layers} (by measured cost; --cuts sets others)")
    return with_cuts


def check_writable(path: Path) -> None:
    """Refuse a file that could not be written, before the work that would go into it is done."""
    folder = path.absolute().parent
    if path.is_dir():
        raise ValueError(f"{path}: is a folder, expected a file name")
    if not folder.is_dir():
        raise ValueError(f"{path}: the folder {folder} does not exist")
    if not os.access(folder, os.W_OK):
        raise ValueError(f"{path}: the folder {folder} is not writable")


def flag(name: str) -> str:
    """Return the option's spelling: ``batch_size`` is ``--batch-size``."""
    return "--" + name.replace("_", "-")
