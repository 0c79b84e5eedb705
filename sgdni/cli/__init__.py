"""The command line: sgdni data, train, benchmark, experiment. One file a command."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from sgdni._util.version import __version__
from sgdni.cli import benchmark, data, experiment, options, train
from sgdni.parallel.workers.ranks import as_one, under_mpiexec
from sgdni.schedules import DivergenceError
from sgdni.synthetic import FitError

COMMANDS = (data, train, benchmark, experiment)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns 0, or 1 for a diverged run or a check that failed, 2 for a user's error, 130 for Ctrl-C.
    """
    argv = sys.argv[1:] if argv is None else argv
    if not (argv[:1] == ["train"] and under_mpiexec()):
        return _command(argv)
    try:
        return as_one(lambda: _command(argv))
    except ImportError as error:
        return _end(2, f"error: {error}")


def _command(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="sgdni",
        description="Decoupled neural interfaces with synthetic gradients, in pure NumPy.",
        epilog="Start with: sgdni benchmark",
    )
    parser.add_argument("--version", action="version", version=f"sgdni {__version__}")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add_parser(subparsers)
    return _run(parser.parse_args(argv))


def _run(args: argparse.Namespace) -> int:
    try:
        args.run(args)
    except (DivergenceError, FitError, options.CheckFailed) as error:
        return _end(1, f"{error}{_place(error)}")
    except BrokenPipeError:  # the reader of our output has left, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (FileExistsError, NotADirectoryError) as error:  # from the mkdir of a folder
        return _end(2, f"error: {error.filename}: a file stands where a folder is wanted")
    except (ValueError, OSError, ImportError) as error:
        return _end(2, f"error: {error}{_place(error)}")
    except KeyboardInterrupt as error:
        return _end(130, f"interrupted{_place(error)}")
    return 0


def _end(code: int, text: str) -> int:
    print(f"sgdni: {text}", file=sys.stderr)
    return code


def _place(error: BaseException) -> str:
    """Return where in a team of ranks the error came from, if it did."""
    return "".join(f" ({note})" for note in getattr(error, "__notes__", [])[:1])
