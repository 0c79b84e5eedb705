"""The ranks of an MPI program: finding them, and making one run out of them.

``mpiexec -n 4 PROGRAM`` starts PROGRAM four times; each copy is a *rank*, numbered from 0. MPI is
imported here and nowhere else, when first asked for.
"""

from __future__ import annotations

import io
import os
import select
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Mapping
from contextlib import ExitStack, redirect_stderr, redirect_stdout
from typing import Any

from sgdni.parallel.workers.orphans import end_with_parent, end_with_pipe

GRACE_SECONDS = 2.0  # how long a rank that failed waits for the others to say the same
START_SECONDS = 60.0  # how long ranks wait for others that never start MPI
# MPICH waits by asking over and over, which takes the core from a rank that computes. We ask
# ourselves, with sleeps between that double up to a bound. Measured, 4 ranks on 2 cores, median
# seconds for an epoch of backprop (cdni-ls) on mnist-5k: 1.48 (0.27) without sleeps, 0.63 (0.24)
# with this bound, 0.80 (0.38) with 1e-3, 3.50 (0.80) with 1e-2.
SHORTEST_SLEEP, LONGEST_SLEEP = 1e-5, 1e-4
_SIZE_VARIABLES = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE")  # set by MPICH's, Open MPI's mpiexec


def under_mpiexec() -> bool:
    """Whether mpiexec has started this process as one of several. Imports nothing."""
    return any(int(os.environ.get(name, 1)) > 1 for name in _SIZE_VARIABLES)


def world() -> Any:
    """Return MPI's communicator of all ranks. Raises ImportError saying what to install."""
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:  # RuntimeError: mpi4py without an MPI library
        raise ImportError(
            f"engine mpi needs mpi4py and an MPI library: pip install 'sgdni[mpi]' ({error})"
        ) from error
    if MPI.Query_thread() < MPI.THREAD_MULTIPLE:
        raise ImportError("engine mpi needs an MPI library that several threads can call "
                          "(MPI_THREAD_MULTIPLE)")
    return MPI.COMM_WORLD


def check_ranks(count: int, each: str) -> None:
    """Refuse any other number of ranks than `count`, one for each so-and-so. Raises ValueError."""
    if world().size != count:
        raise ValueError(
            f"engine mpi: expected {count} ranks, one for each {each}, got {world().size}; "
            f"start it as: mpiexec -n {count} sgdni train --engine mpi ..."
        )


def check_alike(options: Mapping[str, object]) -> None:
    """Refuse ranks that were started with other options than rank 0: in all ranks, by name.

    Raises ValueError.
    """
    comm = world()
    wait_until(comm.Ibarrier().Test)
    first, *others = comm.allgather({name: repr(value) for name, value in options.items()})
    for rank, mine in enumerate(others, start=1):
        for name in {**first, **mine}:
            here, there = (seen.get(name, "not given") for seen in (mine, first))
            if here != there:
                raise ValueError(f"engine mpi: {name}: {here} in {rank_name(rank)}, {there} in "
                                 f"{rank_name(0)}; expected the same in all ranks")


def wait_until(ready: Callable[[], bool], check: Callable[[], None] = lambda: None,
               at_most: float = float("inf")) -> bool:
    """Ask until ``ready()``, or for `at_most` seconds, leaving the core to others in between.

    `check` is called before each sleep, and may raise. Returns whether it was ready in time.
    """
    end, seconds = time.perf_counter() + at_most, SHORTEST_SLEEP
    while not ready():
        check()
        if time.perf_counter() > end:
            return False
        time.sleep(seconds)
        seconds = min(2 * seconds, LONGEST_SLEEP)
    return True


def rank_name(rank: int) -> str:
    return f"rank {rank} (module {rank + 1})"


def as_one(action: Callable[[], int]) -> int:
    """Call ``action()`` in every rank, so that all of them behave like one program.

    Rank 0 alone prints. When any rank fails (an exception, or a status other than 0), its error
    is printed once and all ranks end with its status. A rank that dies without a word is named
    on stderr (Linux), which mpiexec does not do; mpiexec then ends the others.

    For programs that mpiexec starts: call it first of all, before MPI is used.
    """
    with ExitStack() as stack:
        tell = _watched(stack) if sys.platform == "linux" and under_mpiexec() else len
        comm = world()
        tell(rank_name(comm.rank))
        failed, request = comm.Idup()
        wait_until(request.Test)
        held = io.StringIO()
        if comm.rank:
            stack.enter_context(redirect_stdout(io.StringIO()))
            stack.enter_context(redirect_stderr(held))
        try:
            status = action()
        except SystemExit as end:  # of a command line that cannot be read
            status = end.code if isinstance(end.code, int) else int(end.code is not None)
        except BaseException:
            traceback.print_exc()
            status = 1
        all_failed = bool(status) and wait_until(failed.Ibarrier().Test, at_most=GRACE_SECONDS)
        if comm.rank and not all_failed:  # else rank 0 has said it
            for line in held.getvalue().splitlines():
                print(f"{rank_name(comm.rank)}: {line}", file=sys.__stderr__)
    if status and not all_failed:
        sys.stdout.flush()
        sys.stderr.flush()
        comm.Abort(status)
    return status


def _watched(stack: ExitStack) -> Callable[[str], None]:
    """Fork; go on in the child, and return a function that tells the parent its name.

    The parent stays behind to say how the child died. The proxy of MPICH's mpiexec acts on the
    end of a connection, which the parent holds open until it has spoken: then the proxy kills all
    ranks at once, without naming the one that died first. A child that leaves `stack` has
    reported its errors itself.
    """
    proxy = os.getppid()
    words, told = os.pipe()
    life, living = os.pipe()  # nothing is written here: it ends when the parent does
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    interrupt = signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the child's to handle
    with warnings.catch_warnings():  # on forking beside BLAS's idle threads
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        signal.signal(signal.SIGINT, interrupt)
        os.close(words)
        os.close(living)
        rank = os.environ.get("PMI_RANK", "?")
        end_with_pipe(life, f"sgdni: rank {rank}: the process that watches over it died")
        stack.callback(os.close, told)
        stack.callback(os.write, told, b"done")
        return lambda name: os.write(told, f"{name}\n".encode())
    signal.signal(signal.SIGTERM, lambda *_: os.kill(child, signal.SIGTERM))
    os.close(told)
    os.close(life)
    end_with_parent(proxy)  # else the ranks of a proxy that is killed would live for ever
    if not select.select([words], [], [], START_SECONDS)[0]:
        print(f"sgdni: a rank has not started MPI in {START_SECONDS:g} s; expected the same "
              f"command in all ranks", file=sys.stderr, flush=True)
        os.kill(child, signal.SIGKILL)
        os._exit(1)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    *names, last = os.read(words, 1000).decode().split("\n")
    if last != "done":
        how = (f"killed by {signal.Signals(-status).name}" if status < 0
               else f"exit code {status}")
        name = names[0] if names else "a rank that had not started MPI"
        print(f"sgdni: {name} died on {os.uname().nodename} ({how})", file=sys.stderr, flush=True)
        status = status or 1
    os._exit(status if status >= 0 else 128 - status)
