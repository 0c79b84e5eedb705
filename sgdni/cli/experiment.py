"""``sgdni experiment``: repeat one experiment, and hold it against a record."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from tqdm import tqdm

from sgdni._util.blas import blas_threads
from sgdni._util.checks import check_count
from sgdni.cli import options
from sgdni.cli.options import CheckFailed, flag
from sgdni.experiments.catalogue import EXPERIMENTS
from sgdni.experiments.frame import Experiment, Finding, Held, compare, picture, run
from sgdni.experiments.record import folder_for, read, record_file
from sgdni.experiments.tables import count

MOST_PRINTED = 40  # findings


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the ``experiment`` command, with a command of its own for each experiment."""
    parser = subparsers.add_parser(
        "experiment", help="repeat an experiment: rows, findings, a picture",
        description="Repeat an experiment. Start with: sgdni experiment list",
    )
    commands = parser.add_subparsers(dest="experiment", metavar="NAME", required=True)
    commands.add_parser("list", help="say what there is").set_defaults(run=_list)
    for experiment in EXPERIMENTS.values():
        _add(commands, experiment)


def _add(commands: argparse._SubParsersAction, experiment: Experiment) -> None:
    parser = commands.add_parser(experiment.name, help=experiment.summary,
                                 description=f"{experiment.summary[:1].upper()}{experiment.summary[1:]}.")
    small = ", ".join(f"{flag(k)} {v}" for k, v in experiment.quick.items())
    parser.add_argument("--quick", action="store_true",
                        help=f"less than a minute: --seeds 1, {small}")
    parser.add_argument("--seeds", type=int, metavar="N",
                        help=f"seeds 0 .. N - 1 (default: {experiment.seeds})")
    parser.add_argument("--out", type=options.path, metavar="DIR",
                        help="where results.json and the picture go (default: a new folder under "
                        "results/); seeds that are there are kept, and count")
    parser.add_argument("--check", type=options.path, metavar="RECORD",
                        help="a results.json, or its folder: say which of its findings still hold")
    group = parser.add_argument_group("settings")
    for name, value in experiment.full.items():
        if isinstance(value, bool):
            kind = {"action": argparse.BooleanOptionalAction}
        elif isinstance(value, tuple | list):
            kind = {"type": type(value[0]), "nargs": "+", "metavar": "V"}
            value = " ".join(map(str, value))
        else:
            kind = {"type": type(value), "metavar": "V"}
        group.add_argument(flag(name), default=None, help=f"(default: {value})", **kind)
    parser.set_defaults(run=_run)


def _list(args: argparse.Namespace) -> None:
    width = max(map(len, EXPERIMENTS))
    for name, experiment in EXPERIMENTS.items():
        print(f"{name:{width}}  {experiment.summary}")


def _run(args: argparse.Namespace) -> None:
    """Run as the parsed arguments ask for. Raises CheckFailed when a finding does not hold."""
    experiment = EXPERIMENTS[args.experiment]
    settings = experiment.full | (experiment.quick if args.quick else {})
    settings |= {name: getattr(args, name) for name in settings
                 if getattr(args, name) is not None}
    seeds = args.seeds
    if seeds is None:
        seeds = 1 if args.quick else experiment.seeds
    check_count("--seeds", seeds)
    record = _record(experiment, args.check) if args.check else None
    read = [("the record of --check", record_file(args.check))] if args.check else []
    with (folder_for(args.out, experiment.name, [f"{experiment.name}.png"], read) as folder,
          blas_threads(1),
          tqdm(total=100, disable=None, leave=False,
               bar_format="{l_bar}{bar}| {elapsed}<{remaining}") as bar):
        results = run(experiment, settings, seeds, folder,
                      on_progress=lambda share: bar.update(100 * share - bar.n))
    there = sorted({row["seed"] for row in results["rows"]})
    if len(there) > seeds:
        print(f"{folder} holds {len(there)} seeds, {' '.join(map(str, there))}: findings are over "
              f"all of them, not over the {seeds} asked for")
    print(results["finding"])
    findings = list(results["findings"].items())
    for name, value in findings[:MOST_PRINTED]:
        print(f"  {name}: {_spell(value)}")
    if (more := len(findings) - MOST_PRINTED) > 0:
        print(f"  and {count(more, 'more finding')} in results.json")
    print(f"Written: {folder / 'results.json'}")
    broken = _report(compare(experiment, results, record), results, record) if record else None
    try:
        print(f"Written: {picture(experiment, results, folder)}")
    except Exception:
        print(f"the picture failed; {folder / 'results.json'} is complete", file=sys.stderr)
        raise
    if broken:
        raise CheckFailed(broken)


def _record(experiment: Experiment, path: Path) -> dict:
    record = read(path)
    compare(experiment, {"findings": {}}, record)  # refuses another's before the work
    if not isinstance(record.get("settings"), dict):
        raise ValueError(f"{path}: not a results.json (expected settings)")
    return record


def _report(held: list[Held], results: dict, record: dict) -> str | None:
    """Print how the findings compare, and return what to complain of, if there is anything."""
    settings = results["settings"]
    for name, value in record["settings"].items():
        if settings.get(name) != value:
            print(f"other than in the record: {flag(name)} {settings.get(name)} (there {value})")
    for one in held:
        expected = "-" if np.isnan(one.low) else f"{one.low:.4g} to {one.high:.4g}"
        print(f"  {'holds' if one.holds else 'CHANGED':8} {one.name}: {_spell(one.now)}, recorded "
              f"{_spell(one.recorded)}, expected {expected}")
    for name, value in results["findings"].items():
        if name not in record["findings"]:
            print(f"  {'new':8} {name}: {_spell(value)}, not in the record")
    broken = [one.name for one in held if not one.holds]
    if broken:
        return (f"--check: {len(broken)} of {len(held)} findings do not hold: "
                f"{', '.join(broken)}")
    print(f"all {len(held)} findings hold")
    return None


def _spell(value: Finding) -> str:
    if isinstance(value, list):
        return " ".join(map(_spell, value))
    return "-" if value is None else f"{value:.4g}"
