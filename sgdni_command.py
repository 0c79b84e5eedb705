"""The ``sgdni`` command, from before its imports, which take a second, to its very end.

It stands beside the package, for importing the package is most of them. Ctrl-C ends the imports at
once: raised in them, it may come out as another error of whatever is being imported.
"""

import os
import signal
import sys


def main() -> int:
    """Run the command line, and return its exit code."""
    deaf = signal.getsignal(signal.SIGINT) == signal.SIG_IGN  # as background jobs of a shell are
    if not deaf:
        signal.signal(signal.SIGINT, _end)
    try:
        from sgdni.cli import main as run
    except ValueError as error:  # matplotlib's, of a MPLBACKEND that it does not know
        print(f"sgdni: error: {error}", file=sys.stderr)
        return 2
    if not deaf:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return run()
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # all is said and done


def _end(*_: object) -> None:
    os.write(2, b"sgdni: interrupted\n")
    os._exit(130)
