"""``sgdni benchmark --speed``: is DNI faster, where, and from which latency on?"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import replace
from pathlib import Path

from tqdm import tqdm

from sgdni._util.checks import check_range
from sgdni.cli import options
from sgdni.data import Dataset
from sgdni.experiments.accuracy.results import write
from sgdni.experiments.speed import pictures
from sgdni.experiments.speed.run import compare_speed, turns
from sgdni.experiments.speed.text import document, render
from sgdni.runs.cuts import balance, cores
from sgdni.runs.settings import Settings

# Tried by hand on training images set aside: of the rates 0.01, 0.03, 0.05 and 0.1 both backprop
# and DNI reach 97% with this one as soon as with any other.
SETTINGS = {"hidden": (256, 256, 256, 256), "lr": 0.05, "ridge": 1e-2}
EPOCHS, REPEATS, LATENCY = 5, 5, 0.005
NOT_HERE = ("methods", "peers", "blas_threads", "engine", "deterministic", "queue_size")


def run(args: argparse.Namespace, data: Dataset, target: float, *, epochs: int, repeats: int
        ) -> None:
    """Compare speeds as the parsed arguments ask for."""
    if sys.platform != "linux":
        raise ValueError("--speed: compares modules in forked processes, which need Linux")
    given = options.given_settings(args)
    latency = given.pop("latency", LATENCY)
    check_range("--latency", latency, 0, 1, open_low=True)
    settings = Settings(**{**SETTINGS, **given})
    out = args.out or Path("results") / time.strftime("speed-%Y%m%d-%H%M%S")
    out.mkdir(parents=True, exist_ok=True)
    earlier = None
    if (out / "results.json").exists():
        earlier = json.loads((out / "results.json").read_text())
        kept = ", ".join(earlier.get("finished", [])) or "nothing yet"
        print(f"going on in {out}, finished: {kept}")
        if settings.cuts is None:
            settings = replace(settings, cuts=tuple(earlier["settings"]["cuts"]))
    if settings.cuts is None:
        workers = max(2, min(cores(), len(settings.hidden) + 1))
        settings = balance("cdni-ls", settings, data, workers)
        print(f"cuts after layer {', '.join(map(str, settings.cuts))}: balanced by measured cost")
    if cores() == 1:
        print("one core only: workers share it, so nothing can be faster in parallel here")
    work = {"cores": cores(), "epochs": epochs, "repeats": repeats}
    try:
        with tqdm(total=turns(data, settings, **work), unit="turn", disable=None,
                  leave=False) as bar:
            def on_turn(name: str) -> None:
                bar.set_description(name, refresh=False)
                bar.update()

            def on_part(results: dict) -> None:
                bar.write(f"so far in {write(results, out)}")

            results = compare_speed(data, settings, latency=latency, target=target,
                                    earlier=earlier, on_turn=on_turn, on_part=on_part, **work)
    finally:
        if not any(out.iterdir()):
            out.rmdir()
    report = out / "README.md"  # where code is hosted, a folder shows this file
    report.write_text(document(results), encoding="utf-8")
    written = [out / "results.json", report, *pictures.draw_all(results, out)]
    print(render(results))
    print("\nWritten: " + "  ".join(str(path) for path in written))
