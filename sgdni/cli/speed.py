"""``sgdni benchmark --speed``: is DNI faster, where, and from which latency on?"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace

import numpy as np

from sgdni._util.checks import check_range
from sgdni._util.files import whole
from sgdni.cli import options
from sgdni.data import Dataset
from sgdni.experiments.record import folder_for, read, write
from sgdni.experiments.speed import pictures
from sgdni.experiments.speed.contenders import Links, Plan
from sgdni.experiments.speed.run import compare_speed, kept
from sgdni.experiments.speed.tables import document, render
from sgdni.experiments.tables import number
from sgdni.runs.cuts import balance, cores
from sgdni.runs.settings import Settings

# By network, with the rate that benchmarks/choose_rates.py chose for backprop, on training images
# set aside.
SETTINGS = {"mlp": {"hidden": (256, 256, 256, 256), "lr": 0.05, "ridge": 1e-2},
            "cnn": {"network": "cnn", "lr": 0.1, "ridge": 1e-2}}
EPOCHS, REPEATS, LATENCY = 5, 5, 0.005
QUICK = {"epochs": 2, "repeats": 2}
NOT_HERE = ("methods", "peers", "blas_threads", "engine", "deterministic", "queue_size")


def run(args: argparse.Namespace, data: Dataset, **race) -> None:
    """Compare speeds as the parsed arguments ask for; `race` has target, epochs and repeats."""
    if sys.platform != "linux":
        raise ValueError("--speed: compares modules in forked processes, which need Linux")
    given = options.given_settings(args)
    # These are of the links that the race is run over, besides this machine without any.
    links = Links(given.pop("latency", LATENCY), given.pop("bandwidth", None))
    check_range("--latency", links.latency, 0, 1, open_low=True)
    if links.bandwidth is not None:
        check_range("--bandwidth", links.bandwidth, 0, np.inf, open_low=True, open_high=True)
    settings = Settings(**{**SETTINGS.get(given.get("network"), SETTINGS["mlp"]), **given})
    if settings.network != "mlp" and not args.quick:
        raise ValueError("--speed: sweep and map are of dense layers; with --network "
                         f"{settings.network} add --quick, for the race alone")
    with folder_for(args.out, "speed", ("README.md", *pictures.NAMES),
                    options.inputs(args.data, settings.sg)) as out:
        there = out / "results.json"
        earlier = kept(read(there), there) if there.exists() else None
        if earlier:
            print(f"going on in {out}, finished: {', '.join(earlier['finished']) or 'nothing yet'}")
        if settings.cuts is None and earlier:
            settings = replace(settings, cuts=tuple(earlier["settings"]["cuts"]))
        if settings.cuts is None:
            settings = balance("cdni-ls", settings, data)
            print(f"cuts after layer {', '.join(map(str, settings.cuts))}: balanced by measured "
                  f"cost")
        if cores() == 1:
            print("one core only: workers share it, so nothing can be faster in parallel here")
        plan = Plan(data, settings, cores(), links, race_only=args.quick, **race)
        results = compare_speed(
            plan, earlier, on_part=lambda results: print(f"so far in {write(results, out)}"))
        # Where code is hosted, a folder shows this file.
        with whole(out / "README.md") as temporary:
            temporary.write_text(document(results), encoding="utf-8")
        written = [out / "results.json", out / "README.md", *pictures.draw_all(results, out)]
    print(render(results))
    for name, value in results["findings"].items():
        print(f"{name}: {number(value, '{:.2f}')}")
    print("\nWritten: " + "  ".join(map(str, written)))
