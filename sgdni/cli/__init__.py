"""The command line: sgdni data, train, benchmark, experiment. One file a command."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Sequence
from typing import TextIO

from sgdni._util.version import __version__
from sgdni.cli import benchmark, data, experiment, options, train
from sgdni.parallel.workers import WorkerDied
from sgdni.parallel.workers.ranks import as_one, under_mpiexec
from sgdni.schedules import DivergenceError
from sgdni.synthetic import FitError

COMMANDS = (data, train, benchmark, experiment)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns 0, or 1 for a run that diverged or lost a worker and for a check that failed, 2 for a
    user's error, 130 for Ctrl-C.
    """
    argv = list(sys.argv[1:] if argv is None else argv)
    for stream in ("stdout", "stderr"):
        if getattr(sys, stream) is None:  # closed by whoever started us
            setattr(sys, stream, open(os.devnull, "w"))
    try:
        if argv[:1] == ["train"] and under_mpiexec():
            return as_one(lambda: _command(argv))
        return _command(argv)
    except ImportError as error:  # of MPI
        return _end(2, f"error: {error}")
    except KeyboardInterrupt:  # where the command cannot catch it: at its end
        return _end(130, "interrupted")


def parser() -> argparse.ArgumentParser:
    """Return what reads the command line."""
    made = argparse.ArgumentParser(
        prog="sgdni",
        description="Decoupled neural interfaces with synthetic gradients, in pure NumPy.",
        epilog="Start with: sgdni benchmark",
    )
    made.add_argument("--version", action="version", version=f"sgdni {__version__}")
    subparsers = made.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add_parser(subparsers)
    return made


def _command(argv: Sequence[str]) -> int:
    try:
        try:
            args = parser().parse_args(argv)
            args.run(args)
        finally:
            sys.stdout.flush()  # what fails now would fail at the exit, with a traceback
    except (DivergenceError, FitError, WorkerDied, options.CheckFailed) as error:
        return _end(1, f"{error}{_place(error)}")
    except BrokenPipeError:  # the reader of our output has left, as `head` does
        _settle(sys.stdout)
        return 1
    except (FileExistsError, NotADirectoryError) as error:  # from the mkdir of a folder
        return _end(2, f"error: {error.filename}: a file stands where a folder is wanted")
    except (ValueError, OSError, ImportError) as error:
        _settle(sys.stdout)
        return _end(2, f"error: {error}{_place(error)}")
    except (MemoryError, OverflowError) as error:  # of numbers that are larger than anybody's
        return _end(2, f"error: too large: {error or 'not enough memory'}{_place(error)}")
    except KeyboardInterrupt as error:
        return _end(130, f"interrupted{_place(error)}")
    return 0


def _end(code: int, text: str) -> int:
    with contextlib.suppress(OSError):  # nobody listens
        print(f"sgdni: {text}", file=sys.stderr)
    _settle(sys.stderr)
    return code


def _settle(stream: TextIO) -> None:
    """Forget what cannot be printed, which would be tried again at the exit."""
    try:
        stream.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _place(error: BaseException) -> str:
    """Return where in a team of ranks the error came from, if it did."""
    return "".join(f" ({note})" for note in getattr(error, "__notes__", [])[:1])
