"""``sgdni benchmark``: backpropagation against SG-DNI, side by side."""

from __future__ import annotations

import argparse
from dataclasses import replace
from functools import partial

import numpy as np

from sgdni._util.checks import check_count
from sgdni.cli import options, speed
from sgdni.data import Dataset, load
from sgdni.experiments.accuracy import peers, pictures
from sgdni.experiments.accuracy.compare import compare
from sgdni.experiments.accuracy.results import render, summarise
from sgdni.experiments.contenders import Contender
from sgdni.experiments.record import folder_for, write
from sgdni.runs.methods import METHODS, lookup

EPOCHS, REPEATS = 15, 3


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the ``benchmark`` command."""
    parser = subparsers.add_parser(
        "benchmark",
        help="train by backpropagation and by synthetic gradients, side by side",
        description="Train the same network by several methods, taking turns epoch by epoch from "
        "the same weights on the same minibatches; print a table, draw accuracy and SG error, and "
        "write results.json.",
        epilog="methods: " + "; ".join(f"{k}: {m.summary}" for k, m in METHODS.items()),
        argument_default=argparse.SUPPRESS,
    )
    parser.add_argument("--data", default="mnist-5k", metavar="NAME",
                        help="data set (default: mnist-5k; see `sgdni data`)")
    parser.add_argument("--speed", action="store_true", default=False,
                        help="compare speed instead: synthetic gradients against backprop on the "
                        "cores of this machine, with links of a latency between them, and the "
                        "break-even map (default settings: four hidden layers, 5 epochs, "
                        "5 repeats; about half an hour on the full MNIST; broken off, "
                        "it goes on with the same --out)")
    parser.add_argument("--quick", action="store_true", default=False,
                        help=f"with --speed: whole trainings only, {speed.QUICK['epochs']} epochs, "
                        f"{speed.QUICK['repeats']} repeats; a few minutes")
    parser.add_argument("--methods", nargs="+", metavar="NAME",
                        help=f"contenders (default: all of {' '.join(METHODS)})")
    parser.add_argument("--peers", action="store_true",
                        help="add PyTorch eager and scikit-learn's MLPClassifier where installed")
    parser.add_argument("--epochs", type=int, metavar="N",
                        help=f"(default: {EPOCHS}; with --speed {speed.EPOCHS})")
    parser.add_argument("--repeats", type=int, metavar="N",
                        help=f"seeds: S, S + 1, ... (default: {REPEATS}; with --speed "
                        f"{speed.REPEATS})")
    parser.add_argument("--target", type=float, default=None, metavar="A",
                        help="test accuracy in (0, 1] whose time is reported (default: the data "
                        "set's own)")
    parser.add_argument("--blas-threads", type=int, metavar="N",
                        help="threads for the matrix products, for everyone (default: 1)")
    parser.add_argument("--validate", type=int, default=None, metavar="N",
                        help="set N training images aside and test on those: for choosing "
                        "settings without looking at the test set")
    parser.add_argument("--out", type=options.path, default=None, metavar="DIR",
                        help="where pictures and results.json go (default: a new folder under "
                        "results/)")
    options.add_settings(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Compare as the parsed arguments ask for."""
    mine = [name for name in speed.NOT_HERE if hasattr(args, name)]
    if args.speed and mine:
        raise ValueError(f"--speed: has contenders of its own; leave out "
                         f"{', '.join(map(options.flag, mine))}")
    if args.quick and not args.speed:
        raise ValueError("--quick: needs --speed")
    usual = {"epochs": EPOCHS, "repeats": REPEATS}
    if args.speed:
        usual = speed.QUICK if args.quick else {"epochs": speed.EPOCHS, "repeats": speed.REPEATS}
    epochs, repeats = (getattr(args, name, usual[name]) for name in ("epochs", "repeats"))
    check_count("--epochs", epochs)
    check_count("--repeats", repeats)
    if args.target is not None and not 0 < args.target <= 1:
        raise ValueError(f"--target: expected a share in (0, 1], got {args.target}")
    data = load(args.data)
    if args.validate is not None:
        check_count("--validate", args.validate, 1, len(data.x_train) - 1)
        data = data.validation_split(args.validate, np.random.default_rng(0))
    target = data.target_accuracy if args.target is None else args.target
    compare_them = speed.run if args.speed else _compare_methods
    compare_them(args, data, target=target, epochs=epochs, repeats=repeats)


def _compare_methods(args: argparse.Namespace, data: Dataset, *, target: float, epochs: int,
                     repeats: int) -> None:
    methods, threads = getattr(args, "methods", list(METHODS)), getattr(args, "blas_threads", 1)
    check_count("--blas-threads", threads)
    for name in methods:
        lookup(name)
    settings = options.settings(args, methods)
    if settings.engine == "mpi":
        raise ValueError("--engine: mpi is for sgdni train; the benchmark compares sequential, "
                         "threads or processes in one process")
    settings = options.cut(settings, "cdni-ls", data)
    if settings.engine != "sequential" and threads != 1:
        raise ValueError("--blas-threads: parallel modules use one each")
    settings, mine = replace(settings, sg=None), settings.sg
    contenders = [Contender(name, blas_threads=threads) for name in methods]
    if mine is not None:  # beside the methods, not in the place of their models
        contenders.append(Contender(mine, "cdni-ls", blas_threads=threads, changes={"sg": mine}))
    if getattr(args, "peers", False):
        found, missing = peers.available(threads)
        contenders += found
        for name in missing:
            print(f"{name} is not installed: left out (pip install 'sgdni[peers]')")
    with folder_for(args.out, "benchmark", pictures.NAMES,
                    options.inputs(args.data, mine)) as out:
        results_of = partial(summarise, data=data, settings=settings, epochs=epochs, target=target)
        # Written after every repeat, so an interruption keeps the finished ones.
        runs = compare(contenders, data, settings, epochs=epochs, repeats=repeats,
                       on_repeat=lambda runs: print(f"so far in {write(results_of(runs), out)}"))
        results = results_of(runs)
        written = [write(results, out), *pictures.draw_all(results, out)]
    print(render(results))
    print("\nWritten: " + "  ".join(map(str, written)))
