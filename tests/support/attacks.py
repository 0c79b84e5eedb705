"""Long attacks from outside on a training run, with a tally of how they ended (Linux).

    python tests/support/attacks.py kills 300       a parent is killed: is a process of its left?
    python tests/support/attacks.py interrupts 200  Ctrl-C: one line, 130, a whole checkpoint?
    python tests/support/attacks.py ranks 60        mpiexec, a proxy, a watcher or a rank is killed

Each at a random moment between the start and beyond the end. Ends with 1 if one went wrong.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
SGDNI = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}); "
         "from sgdni_command import main; sys.exit(main())"]
TRAIN = ["train", "--hidden", "64", "64", "64", "--lr", "0.05"]
KILLS = (signal.SIGKILL, signal.SIGTERM, signal.SIGHUP)
GONE_SECONDS = {"kills": 2.0, "interrupts": 2.0, "ranks": 10.0}


def _deaf_to_nothing() -> None:
    """Of what a background job or nohup ignores, which children would inherit."""
    for how in (signal.SIGINT, signal.SIGHUP):
        signal.signal(how, signal.SIG_DFL)


def started(words: list[str], mark: str, errors: Path) -> subprocess.Popen:
    """Start a program whose processes, and theirs, carry `mark` in their environment."""
    with errors.open("wb") as file:
        return subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=file,
                                start_new_session=True,
                                preexec_fn=_deaf_to_nothing,
                                env={**os.environ, "ATTACK": mark, "OPENBLAS_NUM_THREADS": "1"})


def alive(mark: str) -> dict[int, tuple[int, str]]:
    """Return {process: (its parent, its command line)} of those that carry `mark`."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if f"ATTACK={mark}\0".encode() not in (folder / "environ").read_bytes():
                continue
            state, parent = (folder / "stat").read_text().rsplit(")", 1)[1].split()[:2]
            words = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if state != "Z":
            found[int(folder.name)] = int(parent), words
    return found


def all_gone(mark: str, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while alive(mark):
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def send(process: int, how: signal.Signals) -> None:
    try:
        os.kill(process, how)
    except ProcessLookupError:
        pass


def kill_a_parent(rng: random.Random, mark: str, folder: Path, seconds: float) -> tuple[str, bool]:
    words = [*SGDNI, *TRAIN, "--engine", "processes", "--epochs", "1000"]
    run, how = started(words, mark, folder / "errors"), rng.choice(KILLS)
    time.sleep(rng.uniform(0, seconds))
    over = run.poll() is not None
    send(run.pid, how)
    run.wait()
    return f"{how.name}{', over before' if over else ''}", all_gone(mark, GONE_SECONDS["kills"])


def interrupt(rng: random.Random, mark: str, folder: Path, seconds: float) -> tuple[str, bool]:
    engine, path = rng.choice(("sequential", "threads", "processes")), folder / "run.npz"
    words = [*SGDNI, *TRAIN, "--engine", engine, "--epochs", "2", "--checkpoint", str(path)]
    run = started(words, mark, folder / "errors")
    time.sleep(rng.uniform(0, seconds))
    over = run.poll() is not None
    send(run.pid, signal.SIGINT)
    try:
        code = run.wait(GONE_SECONDS["interrupts"])
    except subprocess.TimeoutExpired:
        return f"{engine}, took too long", False
    told = (folder / "errors").read_text().splitlines()
    if any("init_import_site" in line for line in told):
        return "before Python itself was up", True
    fine = all_gone(mark, GONE_SECONDS["interrupts"]) and (
        code == 0 or (code, told[-1:]) == (130, ["sgdni: interrupted"])) and not any(
        "Traceback" in line for line in told)
    kind = "over before" if over else "ended by itself" if code == 0 else "interrupted"
    if path.exists():  # whole, or there would be an error
        again = subprocess.run([*SGDNI, "train", "--epochs", "3", "--resume", str(path)],
                               capture_output=True, text=True)
        told += again.stderr.splitlines() * bool(again.returncode)
        fine, kind = fine and again.returncode == 0, f"{kind}, checkpoint"
    return (f"{engine}, {kind}", True) if fine else (f"{engine}: exit code {code}, {told}", False)


def kill_a_rank(rng: random.Random, mark: str, folder: Path, seconds: float) -> tuple[str, bool]:
    mpiexec = shutil.which("mpiexec", path=f"{Path(sys.executable).parent}:{os.defpath}")
    words = [mpiexec, "-n", "4", *SGDNI, *TRAIN, "--engine", "mpi", "--epochs", "1"]
    run = started(words, mark, folder / "errors")
    time.sleep(rng.uniform(0, seconds))
    here = alive(mark)
    ranks = {pid: parent for pid, (parent, line) in here.items() if "sgdni_command" in line
             and "mpiexec" not in line and "hydra" not in line}
    who = {"mpiexec": [run.pid],
           "proxy": [pid for pid, (_, line) in here.items() if "hydra_pmi" in line],
           "watcher": [pid for pid, parent in ranks.items() if parent not in ranks],
           "rank": [pid for pid, parent in ranks.items() if parent in ranks]}
    name, how = rng.choice([name for name in who if who[name]]), rng.choice(KILLS[:2])
    over = run.poll() is not None
    send(rng.choice(who[name]), how)
    fine = all_gone(mark, GONE_SECONDS["ranks"])
    return f"{name}, {how.name}{', over before' if over else ''}", fine


ATTACKS = {"kills": kill_a_parent, "interrupts": interrupt, "ranks": kill_a_rank}


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("attack", choices=ATTACKS)
    arguments.add_argument("tries", type=int)
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--seconds", type=float, default=4.0, help="latest moment (default: 4)")
    asked = arguments.parse_args()
    rng, tally, wrong = random.Random(asked.seed), Counter(), 0
    for k in range(asked.tries):
        mark = f"{os.getpid()}-{k}"
        with tempfile.TemporaryDirectory() as folder:
            how, fine = ATTACKS[asked.attack](rng, mark, Path(folder), asked.seconds)
            if not fine:
                print(f"try {k}: {how}", *(line for _, line in alive(mark).values()),
                      (Path(folder) / "errors").read_text()[-2000:], sep="\n", flush=True)
            for left in alive(mark):
                send(left, signal.SIGKILL)
        tally[how if fine else "WRONG"] += 1
        wrong += not fine
    for how, count in sorted(tally.items()):
        print(f"{count:5}  {how}")
    print(f"{asked.tries} tries, {wrong} wrong")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
