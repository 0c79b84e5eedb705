"""Data sets: what they are (`Dataset`), which ones are known, and how they get here (`load`).

    >>> from sgdni.data import load
    >>> data = load("mnist-5k")
    >>> data.x_train.shape, data.x_train.dtype
    ((4000, 784), dtype('uint8'))

`mnist-5k` comes with the library; `mnist` is fetched once with ``sgdni data download mnist`` (in
Python: `sgdni.data.download.download`, imported only by those who need it).
"""

from sgdni.data.catalogue import CATALOGUE, load, lookup
from sgdni.data.dataset import Dataset
from sgdni.data.examples import Examples
from sgdni.data.idx import DataError
from sgdni.data.pixels import scale_pixels

__all__ = ["CATALOGUE", "DataError", "Dataset", "Examples", "load", "lookup", "scale_pixels"]
