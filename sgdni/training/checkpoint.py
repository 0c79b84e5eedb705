"""Save a run and go on with it later exactly: training resumed equals training uninterrupted.

A checkpoint is an archive of the schedule's arrays; its manifest has the settings, the random
generators' states and the history, too. All of it is read and checked before anything is changed.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np

from sgdni.training import archive
from sgdni.training.history import EpochRecord
from sgdni.training.trainer import Trainer

FORMAT = "sgdni checkpoint 3"


class CheckpointError(ValueError):
    """A file that is no checkpoint, is damaged, or belongs to another network."""


def save(path: str | Path, trainer: Trainer, settings: dict) -> None:
    """Write the trainer's whole state to `path`, all or nothing.

    The file is written beside `path` under another name and renamed when complete, so an
    interruption leaves the former checkpoint as it was. `settings` is any JSON-ready dict; it
    comes back from `read_settings`.
    """
    about = {
        "format": FORMAT,
        "settings": settings,
        "generators": _states(trainer),
        "history": [record.to_dict() for record in trainer.history],
    }
    archive.write(Path(path), about, trainer.schedule.state())


def restore(path: str | Path, trainer: Trainer) -> None:
    """Put a saved state into a trainer built with the same settings.

    Raises
    ------
    CheckpointError
        For a damaged or foreign file, or one from another network (naming what differs). The
        trainer is left as it was.
    """
    about = _about(path)
    live, mine = trainer.schedule.state(), _states(trainer)
    kinds, saved = ({name: state["bit_generator"] for name, state in states.items()}
                    for states in (mine, about["generators"]))
    try:
        _, arrays = archive.read(Path(path), live)
    except archive.Mismatch as problem:
        raise CheckpointError(f"{path}: made with other settings: {problem}") from None
    except Exception as error:
        raise _damaged(path) from error
    if kinds != saved:
        raise CheckpointError(f"{path}: made with other settings: random generators: expected "
                              f"{kinds}, got {saved}")
    for name, generator in trainer.generators.items():
        if not _is_state(about["generators"][name], generator):
            raise CheckpointError(f"{path}: damaged, the states of its random generators")
    for name, generator in trainer.generators.items():
        generator.bit_generator.state = about["generators"][name]
    for name, array in live.items():
        array[...] = arrays[name]
    trainer.history[:] = about["history"]


def read_settings(path: str | Path) -> dict:
    """Return the settings a checkpoint was saved with. Raises CheckpointError."""
    return _about(path)["settings"]


def _about(path: str | Path) -> dict:
    """Return what the manifest says, each part of it of the right form. Raises CheckpointError."""
    if not Path(path).is_file():
        what = "is not a file" if Path(path).exists() else "no such file"
        raise CheckpointError(f"{path}: {what}")
    try:
        about = archive.read_about(Path(path))
        if about["format"] != FORMAT:
            raise CheckpointError(f"{path}: expected {FORMAT!r}, got {about['format']!r}")
        settings, states = about["settings"], about["generators"]
        history = [EpochRecord.from_dict(record) for record in about["history"]]
        kinds = [state["bit_generator"] for state in states.values()]
        sound = isinstance(settings, dict) and all(isinstance(kind, str) for kind in kinds)
    except CheckpointError:
        raise
    except Exception as error:  # a damaged zip file fails in many ways
        raise _damaged(path) from error
    if not sound:
        raise _damaged(path)
    return {"settings": settings, "generators": states, "history": history}


def _damaged(path: str | Path) -> CheckpointError:
    return CheckpointError(
        f"{path}: not a checkpoint of sgdni, or a damaged one; nothing was restored")


def _states(trainer: Trainer) -> dict[str, dict]:
    return {name: g.bit_generator.state for name, g in trainer.generators.items()}


def _is_state(state: Any, generator: np.random.Generator) -> bool:
    """Whether a generator takes this state, all of it: tried on another one of its kind."""
    other = copy.deepcopy(generator.bit_generator)
    try:
        other.state = state
        return _plain(other.state) == _plain(state)
    except Exception:  # each kind has its own
        return False


def _plain(state: Any) -> Any:
    return json.loads(json.dumps(state, default=np.ndarray.tolist))
