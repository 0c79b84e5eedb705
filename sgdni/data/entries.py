"""What a known data set is: where its files lie, and how they are read and verified.

There are two kinds of `Entry`: an `EmbeddedEntry` is a small npz file that comes with the library,
an `IdxEntry` is four IDX files that are downloaded once. An entry of your own works wherever the
name of a known data set does.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import platformdirs

from sgdni.data.dataset import Dataset
from sgdni.data.idx import DataError, IdxFile

ARRAYS = ("x_train", "y_train", "x_test", "y_test")


class Entry:
    """Base class; each kind says what is below, and how the files in a folder are read.

    Attributes
    ----------
    name, n_classes, target_accuracy, image_shape
        As in `Dataset`.
    folders : tuple of Path
        Where the files are looked for, in this order.
    shapes : mapping of array name to shape
        As stored.
    remedy : str
        What to do when the files are missing or damaged, as an order within a sentence.
    """

    image_shape: tuple[int, int, int] | None = None

    def find(self) -> Path | None:
        """Return the first folder that holds all the files, or None."""
        return next((folder for folder in self.folders if not self._missing(folder)), None)

    def load(self) -> Dataset:
        """Read the data set and verify every byte; DataError if it is missing or damaged."""
        folder = self.find()
        if folder is None:
            searched = "".join(f"\n  {folder} (lacks {', '.join(self._missing(folder))})"
                               for folder in self.folders)
            raise DataError(f"data set {self.name!r} was not found. Searched:{searched}\n"
                            f"To have it here, {self.remedy}.")
        try:
            arrays = self._read(folder)
        except DataError as error:
            raise DataError(f"{error}. To replace it, {self.remedy}.") from None
        return Dataset(self.name, **arrays, n_classes=self.n_classes,
                       target_accuracy=self.target_accuracy, image_shape=self.image_shape)

    def paths(self) -> list[Path]:
        """Return the files that `load` reads, those of them that are there."""
        raise NotImplementedError

    def _missing(self, folder: Path) -> list[str]:
        """Return the names of the files that a folder lacks."""
        raise NotImplementedError

    def _read(self, folder: Path) -> dict[str, np.ndarray]:
        """Return the four arrays, verified. Raises DataError that begins with the path."""
        raise NotImplementedError


@dataclass(frozen=True)
class EmbeddedEntry(Entry):
    """A data set in one npz file of four uint8 arrays: images (N, n_0), labels (N,).

    Attributes
    ----------
    file : str
        Name of the npz file.
    sha256 : str
        What `hash_arrays` must give.
    """

    name: str
    file: str
    shapes: Mapping[str, tuple[int, ...]]
    sha256: str
    n_classes: int
    target_accuracy: float | None
    folders: tuple[Path, ...]
    image_shape: tuple[int, int, int] | None = None

    remedy = "reinstall sgdni"

    def paths(self) -> list[Path]:
        folder = self.find()
        return [] if folder is None else [folder / self.file]

    def _missing(self, folder: Path) -> list[str]:
        return [] if (folder / self.file).is_file() else [self.file]

    def _read(self, folder: Path) -> dict[str, np.ndarray]:
        path = folder / self.file
        try:
            # Opened here, for np.load leaves what it opens open when it can't read it.
            with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in ARRAYS}
        except Exception as error:  # a damaged zip file fails in many ways
            raise DataError(f"{path}: expected an npz file with {', '.join(ARRAYS)}, found one "
                            f"that cannot be read ({error})") from None
        for name, array in arrays.items():
            if array.shape != self.shapes[name] or array.dtype != np.uint8:
                raise DataError(f"{path}: expected {name} of shape {self.shapes[name]} and type "
                                f"uint8, found {array.shape} and {array.dtype}")
        found = hash_arrays(arrays)
        if found != self.sha256:
            raise DataError(f"{path}: expected SHA-256 {self.sha256}, found {found}")
        return arrays


@dataclass(frozen=True)
class IdxEntry(Entry):
    """A data set in four IDX files of bytes, downloaded from a mirror.

    Attributes
    ----------
    files : mapping of array name to IdxFile
        Images have shape (N, height, width) and are read as rows of pixels.
    mirrors : tuple of str
        Addresses of folders that hold all the files, each compressed, with ``.gz`` to its name.
    """

    name: str
    files: Mapping[str, IdxFile]
    n_classes: int
    target_accuracy: float | None
    mirrors: tuple[str, ...]
    image_shape: tuple[int, int, int] | None = None

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {array: file.shape for array, file in self.files.items()}

    @property
    def folders(self) -> tuple[Path, ...]:
        """``$SGDNI_DATA/<name>`` if that variable is set, then ``<name>`` in the user's cache.

        Downloads go to the first.
        """
        roots = os.environ.get("SGDNI_DATA"), platformdirs.user_cache_dir("sgdni", appauthor=False)
        return tuple(Path(root).expanduser() / self.name for root in roots if root)

    @property
    def remedy(self) -> str:
        return (f"run `sgdni data download {self.name}` or set SGDNI_DATA to the folder that holds "
                f"{self.name}/")

    def paths(self) -> list[Path]:
        folder = self.find()
        return [] if folder is None else [file.find(folder) for file in self.files.values()]

    def _missing(self, folder: Path) -> list[str]:
        return [file.name for file in self.files.values() if file.find(folder) is None]

    def _read(self, folder: Path) -> dict[str, np.ndarray]:
        arrays = {}
        for array, file in self.files.items():
            path = file.find(folder)
            try:
                values = file.read(path)
            except DataError as error:
                raise DataError(f"{path}: {error}") from None
            arrays[array] = values if values.ndim == 1 else values.reshape(len(values), -1)
        return arrays


def hash_arrays(arrays: Mapping[str, np.ndarray]) -> str:
    """Return the SHA-256 of the bytes of x_train, y_train, x_test and y_test, in this order."""
    digest = hashlib.sha256()
    for name in ARRAYS:
        digest.update(np.ascontiguousarray(arrays[name]).data)
    return digest.hexdigest()
