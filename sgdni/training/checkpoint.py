"""Save a run and go on with it later exactly: training resumed equals training uninterrupted.

A checkpoint is a zip of plain arrays (``.npz``) and one JSON text with the settings, the random
generators' states and the history. Nothing in it is pickled, so opening one runs no code.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from pathlib import Path

import numpy as np

from sgdni._util.files import whole
from sgdni.training.history import EpochRecord
from sgdni.training.trainer import Trainer

FORMAT = "sgdni checkpoint 2"
META = "meta.json"


class CheckpointError(ValueError):
    """A file that is no checkpoint, is damaged, or belongs to another network."""


def save(path: str | Path, trainer: Trainer, settings: dict) -> None:
    """Write the trainer's whole state to `path`, all or nothing.

    The file is written beside `path` under another name and renamed when complete, so an
    interruption leaves the former checkpoint as it was. `settings` is any JSON-ready dict; it
    comes back from `read_settings`.
    """
    meta = {
        "format": FORMAT,
        "settings": settings,
        "generators": _states(trainer),
        "history": [record.to_dict() for record in trainer.history],
    }
    # Some generators keep arrays in their state.
    text = np.frombuffer(json.dumps(meta, default=np.ndarray.tolist).encode(), np.uint8)
    with whole(Path(path)) as temporary, temporary.open("wb") as file:
        np.savez(file, **{META: text}, **trainer.schedule.state())


def restore(path: str | Path, trainer: Trainer) -> None:
    """Put a saved state into a trainer built with the same settings.

    Raises
    ------
    CheckpointError
        For a damaged or foreign file, or one from another network (naming what differs). The
        trainer is left as it was.
    """
    arrays, meta = _read(path)
    live = trainer.schedule.state()
    problems = [
        f"{name}: expected {a.shape} {a.dtype}, got {arrays[name].shape} {arrays[name].dtype}"
        for name, a in live.items()
        if name in arrays and (arrays[name].shape, arrays[name].dtype) != (a.shape, a.dtype)
    ]
    problems += [f"{name} is missing" for name in live if name not in arrays]
    problems += [f"{name} is unknown" for name in arrays if name not in live]
    mine, saved = ({name: state.get("bit_generator") for name, state in states.items()}
                   for states in (_states(trainer), meta["generators"]))
    if mine != saved:
        problems.append(f"random generators: expected {mine}, got {saved}")
    if problems:
        more = f" and {len(problems) - 3} more" if len(problems) > 3 else ""
        raise CheckpointError(f"{path}: made with other settings: {'; '.join(problems[:3])}{more}")
    before = _states(trainer)
    try:
        _put_back(trainer, meta["generators"])
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        _put_back(trainer, before)
        raise CheckpointError(f"{path}: damaged, the states of its random generators") from error
    for name, array in live.items():
        array[...] = arrays[name]
    trainer.history[:] = meta["history"]


def _states(trainer: Trainer) -> dict[str, dict]:
    return {name: g.bit_generator.state for name, g in trainer.generators.items()}


def _put_back(trainer: Trainer, states: dict[str, dict]) -> None:
    for name, generator in trainer.generators.items():
        generator.bit_generator.state = states[name]


def read_settings(path: str | Path) -> dict:
    """Return the settings a checkpoint was saved with. Raises CheckpointError."""
    return _read(path)[1]["settings"]


def _read(path: str | Path) -> tuple[dict[str, np.ndarray], dict]:
    if not Path(path).is_file():
        what = "is not a file" if Path(path).exists() else "no such file"
        raise CheckpointError(f"{path}: {what}")
    try:
        # np.load checks each member's CRC as it is read, so damage anywhere shows here.
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        meta = json.loads(arrays.pop(META).tobytes())
        if meta["format"] != FORMAT:
            raise CheckpointError(f"{path}: expected {FORMAT!r}, got {meta['format']!r}")
        meta["history"] = [EpochRecord.from_dict(record) for record in meta["history"]]
        if not isinstance(meta["settings"], dict) or not isinstance(meta["generators"], dict):
            raise ValueError("incomplete")
    except CheckpointError:
        raise
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, ValueError, TypeError,
            AttributeError, OSError, IndexError) as error:
        raise CheckpointError(
            f"{path}: not a checkpoint of sgdni, or a damaged one; nothing was restored"
        ) from error
    return arrays, meta
