"""The known data sets. One is never given in place of another: what is not found is an error."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType

from sgdni.data.dataset import Dataset
from sgdni.data.entries import EmbeddedEntry, Entry, IdxEntry
from sgdni.data.idx import DataError, IdxFile
from sgdni.data.sums import SumsEntry

_PACKAGE = Path(__file__).resolve().parents[1]

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
    image_shape=(28, 28, 1),
)

MNIST = IdxEntry(
    name="mnist",
    files=MappingProxyType({
        "x_train": IdxFile("train-images-idx3-ubyte", (60_000, 28, 28),
                           "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
        "y_train": IdxFile("train-labels-idx1-ubyte", (60_000,),
                           "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
        "x_test": IdxFile("t10k-images-idx3-ubyte", (10_000, 28, 28),
                          "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
        "y_test": IdxFile("t10k-labels-idx1-ubyte", (10_000,),
                          "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
    }),
    n_classes=10,
    target_accuracy=0.97,
    mirrors=(
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
    ),
    image_shape=(28, 28, 1),
)

CATALOGUE: tuple[Entry, ...] = (
    MNIST_5K, MNIST, SumsEntry("mnist-5k-sum", MNIST_5K, 20_000, 5_000, 0.75),
    SumsEntry("mnist-sum", MNIST, 60_000, 10_000, 0.90),
)


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
    """Load a data set by name, every byte of it verified; images are uint8 (see `scale_pixels`).

    Parameters
    ----------
    name : str or Entry
        ``"mnist-5k"`` (comes with sgdni), ``"mnist"`` (downloaded), or an entry of your own.

    Raises
    ------
    DataError
        If the name is unknown, or the data set is not found or is damaged; says where it was looked
        for, or what was expected and found, and what to do.
    """
    return lookup(name).load()
