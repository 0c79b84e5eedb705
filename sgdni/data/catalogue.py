"""The known data sets, and where they are looked for.

There are two kinds of entry. An `EmbeddedEntry` is a small npz file that comes with the library; an
`IdxEntry` is four IDX files that are downloaded once. Both can be found and loaded:

- ``entry.find()`` returns the path where the data set lies, or None;
- ``entry.load()`` returns it as a `Dataset`, every byte verified, or says what is wrong.

One data set is never given in place of another: what is not found is an error. An entry of your own
works wherever the name of a known data set does.
"""

from __future__ import annotations

import hashlib
import os
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
import platformdirs

from sgdni.data.dataset import Dataset
from sgdni.data.idx import DataError, read_idx
from sgdni.data.sums import SumsEntry

ARRAYS = ("x_train", "y_train", "x_test", "y_test")
_PACKAGE = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class EmbeddedEntry:
    """A data set in one npz file of four uint8 arrays named as in `ARRAYS`.

    Attributes
    ----------
    name, n_classes, target_accuracy
        As in `Dataset`.
    file : str
        Name of the npz file.
    shapes : mapping of array name to shape
        Images (N, n_0), labels (N,).
    sha256 : str
        What `hash_arrays` must give.
    folders : tuple of Path
        Where the file is looked for, in this order.
    """

    name: str
    file: str
    shapes: Mapping[str, tuple[int, ...]]
    sha256: str
    n_classes: int
    target_accuracy: float | None
    folders: tuple[Path, ...]

    def find(self) -> Path | None:
        """Return the path of the npz file, or None where there is none."""
        candidates = (folder / self.file for folder in self.folders)
        return next((path for path in candidates if path.is_file()), None)

    def load(self) -> Dataset:
        """Read and verify the data set; DataError if it is missing or damaged."""
        path = self.find()
        if path is None:
            searched = "".join(f"\n  {folder / self.file}" for folder in self.folders)
            raise DataError(
                f"data set {self.name!r}, which comes with sgdni, was not found. Searched:"
                f"{searched}\nReinstall sgdni."
            )
        remedy = "Reinstall sgdni or restore the file."
        try:
            with np.load(path, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in ARRAYS}
        # A damaged zip file can fail in any of these ways, depending on where the damage is.
        except (
            OSError, ValueError, KeyError, EOFError, NotImplementedError, RuntimeError,
            zipfile.BadZipFile, zlib.error,
        ) as error:  # fmt: skip
            raise DataError(
                f"{path}: expected an npz file with {', '.join(ARRAYS)}, "
                f"found one that cannot be read ({error}). {remedy}"
            ) from error
        for name, array in arrays.items():
            expected = f"{name} of shape {self.shapes[name]} and type uint8"
            if array.shape != self.shapes[name] or array.dtype != np.uint8:
                raise DataError(
                    f"{path}: expected {expected}, found {array.shape} and {array.dtype}. {remedy}"
                )
        found = hash_arrays(arrays)
        if found != self.sha256:
            raise DataError(f"{path}: expected SHA-256 {self.sha256}, found {found}. {remedy}")
        return Dataset(
            self.name, **arrays, n_classes=self.n_classes, target_accuracy=self.target_accuracy
        )


@dataclass(frozen=True)
class IdxFile:
    """One IDX file: its name without ``.gz``, its shape, the SHA-256 of its unpacked bytes."""

    name: str
    shape: tuple[int, ...]
    sha256: str

    def find(self, folder: Path) -> Path | None:
        """Return the path of the file in a folder, compressed or else plain, or None."""
        # Downloads are compressed: found first, a fresh one supersedes a damaged plain file.
        candidates = (folder / f"{self.name}.gz", folder / self.name)
        return next((path for path in candidates if path.is_file()), None)


@dataclass(frozen=True)
class IdxEntry:
    """A data set in four IDX files of bytes, downloaded from a mirror.

    Attributes
    ----------
    name, n_classes, target_accuracy
        As in `Dataset`.
    x_train, y_train, x_test, y_test : IdxFile
        The files; images have shape (N, height, width) and are read as rows of pixels.
    mirrors : tuple of str
        Addresses of folders that hold all the files, each compressed, with ``.gz`` to its name.
    """

    name: str
    x_train: IdxFile
    y_train: IdxFile
    x_test: IdxFile
    y_test: IdxFile
    n_classes: int
    target_accuracy: float | None
    mirrors: tuple[str, ...]

    @property
    def files(self) -> tuple[IdxFile, ...]:
        """The four files, in the order of `ARRAYS`."""
        return tuple(getattr(self, array) for array in ARRAYS)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of each file, by the name of its array."""
        return {array: file.shape for array, file in zip(ARRAYS, self.files, strict=True)}

    @property
    def folders(self) -> tuple[Path, ...]:
        """Where the files are looked for, in this order; downloads go to the first.

        ``$SGDNI_DATA/<name>`` if that variable is set, then ``<name>`` in the user's cache folder.
        """
        roots = [Path(platformdirs.user_cache_dir("sgdni", appauthor=False))]
        if os.environ.get("SGDNI_DATA"):
            roots.insert(0, Path(os.environ["SGDNI_DATA"]).expanduser())
        return tuple(root / self.name for root in roots)

    def find(self) -> Path | None:
        """Return the first folder that holds all four files, or None."""
        return next((folder for folder in self.folders if not self._missing(folder)), None)

    def load(self) -> Dataset:
        """Read and verify the data set; DataError if it is missing or damaged."""
        command = f"sgdni data download {self.name}"
        folder = self.find()
        if folder is None:
            searched = "".join(
                f"\n  {folder} (lacks {', '.join(self._missing(folder))})"
                for folder in self.folders
            )
            raise DataError(
                f"data set {self.name!r} was not found. Searched:{searched}\n"
                f"Run `{command}`, or set SGDNI_DATA to a folder in which "
                f"{self.name}/ holds the files."
            )
        arrays = {}
        for array, file in zip(ARRAYS, self.files, strict=True):
            values = read_idx(
                file.find(folder), file.shape, file.sha256, remedy=f"Run `{command}` to replace it."
            )
            arrays[array] = values if values.ndim == 1 else values.reshape(len(values), -1)
        return Dataset(
            self.name, **arrays, n_classes=self.n_classes, target_accuracy=self.target_accuracy
        )

    def _missing(self, folder: Path) -> list[str]:
        return [file.name for file in self.files if file.find(folder) is None]


Entry = EmbeddedEntry | IdxEntry | SumsEntry


def hash_arrays(arrays: Mapping[str, np.ndarray]) -> str:
    """Return the SHA-256 of the bytes of x_train, y_train, x_test and y_test, in this order."""
    digest = hashlib.sha256()
    for name in ARRAYS:
        digest.update(np.ascontiguousarray(arrays[name]).data)
    return digest.hexdigest()


def lookup(name: str | Entry) -> Entry:
    """Return the entry of this name (an entry passes through); DataError if there is none."""
    if isinstance(name, Entry):
        return name
    for entry in CATALOGUE:
        if entry.name == name:
            return entry
    known = ", ".join(entry.name for entry in CATALOGUE)
    raise DataError(f"expected the name of a data set ({known}), got {name!r}")


def load(name: str | Entry) -> Dataset:
    """Load a data set by name, every byte of it verified.

    Parameters
    ----------
    name : str or Entry
        ``"mnist-5k"`` (comes with sgdni), ``"mnist"`` (downloaded), or an entry of your own.

    Returns
    -------
    Dataset
        With images as uint8; see `scale_pixels`.

    Raises
    ------
    DataError
        If the name is unknown, or the data set is not found or is damaged; says where it was looked
        for, or what was expected and found, and what to do.
    """
    return lookup(name).load()


MNIST_5K = EmbeddedEntry(
    name="mnist-5k",
    file="mnist-5k.npz",
    shapes=MappingProxyType(
        {"x_train": (4000, 784), "y_train": (4000,), "x_test": (1000, 784), "y_test": (1000,)}
    ),
    sha256="6f1dec24eae41a252e3fca6a88ec181b02f7b1216ac93dfe6f7b9ad531d0aaef",
    n_classes=10,
    target_accuracy=0.93,
    # As installed from a wheel; as in a checkout, where `data` stands beside the package.
    folders=(_PACKAGE / "embedded", _PACKAGE.parent / "data"),
)

MNIST = IdxEntry(
    name="mnist",
    x_train=IdxFile(
        "train-images-idx3-ubyte",
        (60_000, 28, 28),
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    ),
    y_train=IdxFile(
        "train-labels-idx1-ubyte",
        (60_000,),
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    ),
    x_test=IdxFile(
        "t10k-images-idx3-ubyte",
        (10_000, 28, 28),
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    ),
    y_test=IdxFile(
        "t10k-labels-idx1-ubyte",
        (10_000,),
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
    n_classes=10,
    target_accuracy=0.97,
    mirrors=(
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
    ),
)

CATALOGUE: tuple[Entry, ...] = (
    MNIST_5K, MNIST, SumsEntry("mnist-5k-sum", MNIST_5K, 20_000, 5_000, 0.75),
    SumsEntry("mnist-sum", MNIST, 60_000, 10_000, 0.90),
)
