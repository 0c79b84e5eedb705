"""The record of a comparison, results.json: what it starts with, where it goes, how it is written.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from sgdni._util.files import Named, check_apart, check_writable, whole
from sgdni.data import Dataset
from sgdni.experiments.machine import describe
from sgdni.runs.settings import Settings


def beginning(data: Dataset, settings: Settings) -> dict:
    """Return what every record says first, as JSON has it: machine, data and settings."""
    first = {
        "machine": describe(),
        "data": {"name": data.name, "train": len(data.x_train), "test": len(data.x_test)},
        "settings": settings.to_dict(),
    }
    return as_written(first)


@contextmanager
def folder_for(out: Path | None, kind: str, names: Iterable[str] = (),
               inputs: Named = ()) -> Iterator[Path]:
    """Make a folder for results, a new one unless `out` is given, and drop it if it stays empty.

    Made before the work, to learn early that it cannot be. One that was there is left alone.

    Parameters
    ----------
    names : what is written beside results.json
    inputs : files that are read, with what they are

    Raises
    ------
    ValueError
        For files that cannot be written, or would take the place of an input, of each other, or,
        in a folder without a results.json, of something else.
    """
    folder = out or Path("results") / time.strftime(f"{kind}-%Y%m%d-%H%M%S")
    ours = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        paths = [folder / name for name in ("results.json", *names)]
        for path in paths:
            check_writable(path)
            if path.exists() and not paths[0].exists():
                raise ValueError(f"{path}: exists, and stands beside no results.json; choose "
                                 f"another folder")
        check_apart([("--out:", path) for path in paths], inputs)
        yield folder
    finally:
        if ours and not any(folder.iterdir()):
            folder.rmdir()


def write(results: dict, folder: Path) -> Path:
    """Write ``results.json`` into `folder`, all or nothing, and return its path."""
    path = folder / "results.json"
    with whole(path) as temporary:
        temporary.write_text(json.dumps(as_written(results), indent=1) + "\n")
    return path


def record_file(path: Path) -> Path:
    """Return the path of a results.json: itself, or the one in a folder."""
    return path / "results.json" if path.is_dir() else path


def read(path: Path) -> dict:
    """Return what a results.json, or the one in a folder, holds. Raises ValueError, naming it."""
    path = record_file(path)
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: not a results.json ({error})") from None
    if not isinstance(found, dict):
        raise ValueError(f"{path}: not a results.json (expected an object)")
    return found


def check_same(first: dict, earlier: dict, where: Path | str) -> None:
    """Refuse earlier results that start otherwise: to go on there would mix two comparisons."""
    for name, value in as_written(first).items():
        if earlier.get(name) != value:
            raise ValueError(f"{where}: made with other {name}; choose another folder")


def as_written(value):
    """Return `value` as whoever reads its record finds it: None for NaN and infinity, lists for
    tuples, plain numbers for NumPy's."""
    return json.loads(json.dumps(_finite(value), allow_nan=False))


def _finite(value):
    """Return `value` with NaN and infinity, which JSON does not know, as None."""
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not np.isfinite(value) else value
