"""``sgdni train``: one method, a live progress line, checkpoints and resuming."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
from tqdm import tqdm

from sgdni._util.blas import blas_threads
from sgdni._util.checks import check_count
from sgdni._util.files import check_apart, check_writable, whole
from sgdni._util.version import __version__
from sgdni.cli import options
from sgdni.data import load
from sgdni.parallel.workers import WorkerDied
from sgdni.parallel.workers.ranks import check_alike, under_mpiexec, world
from sgdni.runs.methods import METHODS, PARALLEL_METHODS, build_trainer
from sgdni.runs.settings import Settings
from sgdni.schedules import StepResult
from sgdni.training import EpochRecord, Trainer
from sgdni.training.checkpoint import CheckpointError, read_settings, restore, save

DEFAULTS = {"method": "cdni-ls", "data": "mnist-5k", "blas_threads": 1}


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the ``train`` command."""
    parser = subparsers.add_parser(
        "train",
        help="train one network by one method",
        description="Train one network by one method; one line an epoch.",
        epilog="methods: " + "; ".join(f"{k}: {m.summary}"
                                          for k, m in (METHODS | PARALLEL_METHODS).items()),
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        argument_default=argparse.SUPPRESS,
    )
    parser.add_argument("--method", choices=METHODS | PARALLEL_METHODS,
                        help="how to learn (default: cdni-ls)")
    parser.add_argument("--data", metavar="NAME", help="data set (default: mnist-5k)")
    parser.add_argument("--epochs", type=int, default=10, metavar="N",
                        help="train until this many epochs are done")
    parser.add_argument("--checkpoint", type=options.path, metavar="FILE",
                        help="save here after every epoch (default: where --resume read)")
    parser.add_argument("--resume", type=options.path, metavar="FILE",
                        help="go on from this checkpoint, with the method, data and settings it "
                        "was made with")
    parser.add_argument("--history", type=options.path, metavar="FILE",
                        help="write the records of all epochs here as JSON")
    parser.add_argument("--blas-threads", type=int, metavar="N",
                        help="threads for the matrix products (default: 1)")
    options.add_settings(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Train as the parsed arguments ask for."""
    ranks = under_mpiexec()
    if ranks:
        given = {options.flag(name): value for name, value in vars(args).items() if name != "run"}
        check_alike({**given, "version of sgdni": __version__, "of NumPy": np.__version__})
    check_count("--epochs", args.epochs)
    resume = getattr(args, "resume", None)
    checkpoint, history = getattr(args, "checkpoint", resume), getattr(args, "history", None)
    if ranks and world().rank:  # rank 0 alone writes
        checkpoint = history = None
    outputs = [(option, path) for option, path in (("--checkpoint", checkpoint),
                                                   ("--history", history)) if path is not None]
    for _, path in outputs:
        check_writable(path)
    if checkpoint is not None and checkpoint != resume and checkpoint.exists():
        raise ValueError(f"{checkpoint}: exists; go on from it with --resume, or name another file")
    job = _resumed_job(resume, args) if resume else _new_job(args)
    engine = job["settings"]["engine"]
    if ranks and engine != "mpi":
        raise ValueError(
            f"{resume}: made with engine {engine}; go on with it without mpiexec" if resume else
            f"--engine: got {engine} under mpiexec; start it without, or with --engine mpi")
    own = [("--resume", resume)] if resume and checkpoint != resume else []
    check_apart(outputs, [*own, *options.inputs(job["data"], job["settings"]["sg"])])
    data = load(job["data"])
    if not resume:
        settings = options.cut(Settings.from_dict(job["settings"]), job["method"], data)
        job["settings"] = settings.to_dict()
    trainer = build_trainer(job["method"], Settings.from_dict(job["settings"]), data)
    if resume:
        restore(resume, trainer)
        if ranks:
            check_alike({f"{resume}": job, "its epochs": len(trainer.history)})
        print(f"{resume}: {len(trainer.history)} epochs done")
        if len(trainer.history) >= args.epochs:
            print(f"nothing left to do: --epochs {args.epochs} counts the epochs done, too")
    who = job["settings"]["sg"] or job["method"]
    print(f"{who} on {job['data']}, {trainer.steps_per_epoch} steps an epoch")
    stateless = [type(i.model).__name__ for i in trainer.schedule.network.interfaces
                 if i.model.wants_targets and not i.model.state()]
    if checkpoint is not None and stateless:
        print(f"{stateless[0]} has no state(): what it learns will be missing from {checkpoint}",
              file=sys.stderr)
    saved = len(trainer.history)
    try:
        with blas_threads(job["blas_threads"]):
            while len(trainer.history) < args.epochs:
                print(_line(_epoch(trainer, args.epochs)))
                if checkpoint is not None:
                    save(checkpoint, trainer, job)
                    saved = len(trainer.history)
        trainer.dismiss()  # here, for an interrupt of whoever collects garbage is lost
    except (KeyboardInterrupt, WorkerDied):
        if checkpoint is not None and saved:
            print(f"\n{checkpoint} holds {saved} epochs; go on with --resume {checkpoint}",
                  file=sys.stderr)
        raise
    finally:
        if history is not None:
            records = [record.to_dict() for record in trainer.history]
            with whole(history) as temporary:
                temporary.write_text(json.dumps({**job, "history": records}, indent=1) + "\n")


def _new_job(args: argparse.Namespace) -> dict:
    chosen = {name: getattr(args, name, default) for name, default in DEFAULTS.items()}
    check_count("--blas-threads", chosen["blas_threads"])
    return {**chosen, "settings": options.settings(
        args, [] if hasattr(args, "sg") else [chosen["method"]]).to_dict()}


def _resumed_job(path: Path, args: argparse.Namespace) -> dict:
    """Return the checkpoint's job, refusing options that would be read and ignored."""
    clash = [name for name in (*DEFAULTS, *options.given_settings(args)) if hasattr(args, name)]
    if clash:
        raise ValueError(f"--resume keeps the checkpoint's own settings; leave out "
                         f"{', '.join(map(options.flag, clash))}")
    job = read_settings(path)
    if (job.keys() != {*DEFAULTS, "settings"} or not isinstance(job["settings"], dict)
            or any(type(job[name]) is not type(value) for name, value in DEFAULTS.items())):
        raise CheckpointError(f"{path}: not made by sgdni train; nothing was restored")
    return {**job, "settings": Settings.from_dict(job["settings"]).to_dict()}  # or not sound either


def _epoch(trainer: Trainer, epochs: int) -> EpochRecord:
    title = f"epoch {len(trainer.history) + 1}/{epochs}"
    with tqdm(total=trainer.steps_per_epoch, desc=title, unit="step", leave=False,
              disable=None) as bar:
        def show(result: StepResult) -> None:
            bar.set_postfix(loss=f"{result.loss:.3f}", refresh=False)
            bar.update()
        return trainer.epoch(show)


def _line(r: EpochRecord) -> str:
    text = (f"epoch {r.epoch:3d}  train loss {r.train_loss:.4f}  "
            f"test accuracy {100 * r.test_accuracy:.2f}%  {r.train_seconds:.2f} s")
    if r.sg_relative_error:
        text += "  SG error " + " ".join(f"{e:.2f}" for e in r.sg_relative_error)
    return text
