"""Options that `train` and `benchmark` share, and the Settings they make."""

from __future__ import annotations

import argparse
import os
from dataclasses import fields
from pathlib import Path

from sgdni.data import Dataset
from sgdni.runs.cuts import default_cuts
from sgdni.runs.settings import Settings

_DEFAULT = {field.name: field.default for field in fields(Settings)}


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Add one option for each field of Settings.

    Options that were not given leave no trace in the namespace, so `settings` can tell them from
    those that were.
    """
    net = parser.add_argument_group("network")
    _add(net, "hidden", "widths of the hidden layers", type=int, nargs="+", metavar="N")
    _add(net, "cuts", "hidden layers after which an interface stands (default: after each; with "
         "workers, as many as balance their measured costs)",
         type=int, nargs="+", metavar="I")
    _add(net, "activation", "relu, tanh or sigmoid")
    _add_switch(net, "batch_norm", "normalise before each nonlinearity (default: yes; synthetic "
                "gradients through relu need it)")
    _add(net, "dtype", "float32 or float64")
    learning = parser.add_argument_group("learning")
    _add(learning, "optimizer", "sgd or adam, for every module")
    _add(learning, "lr", "learning rate of the modules", type=float)
    _add(learning, "momentum", "of sgd", type=float)
    _add(learning, "weight_decay", "L2 penalty", type=float)
    _add(learning, "batch_size", "images in a minibatch", type=int, metavar="B")
    _add(learning, "seed", "of weights, order of minibatches, stochastic updates", type=int)
    sg = parser.add_argument_group("synthetic gradients")
    _add(sg, "fit_every", "fit the SG models on every k-th step", type=int, metavar="K")
    _add(sg, "sg_lr", "learning rate of Adam-fitted SG models", type=float)
    _add(sg, "forgetting_factor", "of least squares", type=float)
    _add(sg, "ridge", "ridge of least squares, relative", type=float)
    _add(sg, "solve_every", "fits between two least-squares solutions", type=int, metavar="K")
    _add(sg, "head", "linear or hidden: the local head of local-error and local-loss")
    _add(sg, "head_units", "of a hidden one", type=int, metavar="N")
    _add(sg, "rho", "of local-error: 0 follows the targets alone, a large one the head",
         type=float)
    _add(sg, "sg", "an SG model of your own instead of the method's: a SyntheticGradient class "
         "in a module beside you", metavar="MODULE:CLASS")
    engine = parser.add_argument_group("engine")
    _add(engine, "engine", "sequential; or threads, processes or mpi: one for each module (the "
         "last is started as: mpiexec -n MODULES sgdni train --engine mpi ...)")
    _add(engine, "queue_size", "most minibatches on the way between two modules", type=int,
         metavar="N")
    _add(engine, "latency", "simulated seconds of each message between modules, on one machine",
         type=float, metavar="S")
    _add_switch(engine, "deterministic", "apply targets at fixed steps, so that parallel runs "
                "repeat (default: no)")


def _add_switch(group, name: str, text: str) -> None:
    group.add_argument(flag(name), action=argparse.BooleanOptionalAction,
                       default=argparse.SUPPRESS, help=text)


def given(args: argparse.Namespace) -> dict:
    """Return the settings that were given on the command line."""
    return {k: v for k, v in vars(args).items() if k in _DEFAULT}


def given_settings(args: argparse.Namespace) -> dict:
    """Return the settings that were given, as Settings takes them."""
    return {k: tuple(v) if isinstance(v, list) else v for k, v in given(args).items()}


def settings(args: argparse.Namespace) -> Settings:
    """Return the Settings of a command line. Raises ValueError for values out of range."""
    return Settings(**given_settings(args))


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


def _add(group, name: str, text: str, **kind) -> None:
    default = _DEFAULT[name]
    if default is not None:
        shown = " ".join(map(str, default)) if isinstance(default, tuple) else default
        text = f"{text} (default: {shown})"
    group.add_argument(flag(name), default=argparse.SUPPRESS, help=text, **kind)
