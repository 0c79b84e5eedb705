"""Count the matrix products of one training step: the arithmetic behind every speed claim.

A hidden layer costs backpropagation three products of the same size: forward, weight gradient and
input gradient (the lowest layer needs no input gradient). A linear SG model adds one to predict
and two to be fitted by a gradient step, or one twice as wide and a share of a linear system by
least squares. So in one thread a DNI step is dearer than a backprop step, by the ratio of
`operations`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sgdni.layers import Dense
from sgdni.network import Network
from sgdni.synthetic import LeastSquaresFit, LinearSG


@dataclass(frozen=True)
class Product:
    """A (rows, inner) times (inner, columns) product, done `per_step` times a step on average.

    transposed : which factor is a transposed view ("", "left" or "right"), for timing it alike.
    solve : a linear system instead: a (rows, rows) matrix with `columns` right-hand sides.
    """

    name: str
    rows: int
    inner: int
    columns: int
    per_step: float = 1.0
    transposed: str = ""
    solve: bool = False

    @property
    def operations(self) -> float:
        """Multiplications and additions of one step's share of it."""
        if self.solve:
            # Cholesky factor, its inverse, and two products (synthetic/cholesky.py)
            once = 2 * self.rows**3 / 3 + 4 * self.rows**2 * self.columns
        else:
            once = 2 * self.rows * self.inner * self.columns
        return once * self.per_step


def operations(products: Sequence[Product]) -> float:
    """Return the operations of one step."""
    return sum(p.operations for p in products)


def of_step(network: Network, batch_size: int, *, decoupled: bool = False,
            fit_every: int = 1) -> list[Product]:
    """Return the products of one step of Backprop, or of Decoupled, on this network."""
    products: list[Product] = []
    for i, module in enumerate(network.modules):
        dense = [layer for layer in module.layers if isinstance(layer, Dense)]
        for j, layer in enumerate(dense):
            name = f"module {i + 1} layer {j + 1}"
            n_in, n_out, lowest_of_module = layer.n_in, layer.n_out, j == 0
            products.append(Product(f"{name} forward", batch_size, n_in, n_out))
            products.append(Product(f"{name} dW", n_in, batch_size, n_out, transposed="left"))
            if i == 0 and lowest_of_module:
                continue  # nothing below wants it
            share = 1 / fit_every if decoupled and lowest_of_module else 1.0
            products.append(
                Product(f"{name} dx", batch_size, n_out, n_in, share, transposed="right")
            )
    if decoupled:
        for i, model in enumerate(network.synthetic, start=1):
            products += _of_model(f"M_{i}", model, batch_size, 1 / fit_every)
    return products


def _of_model(name: str, model: LinearSG, batch_size: int, share: float) -> list[Product]:
    m, n = model.W.shape
    predict = Product(f"{name} predict", batch_size, m, n)
    if isinstance(model.fit_method, LeastSquaresFit):
        fit = [
            Product(f"{name} moments", m, batch_size, m + n, share, transposed="left"),
            Product(f"{name} solve", m, m, n, share / model.fit_method.solve_every, solve=True),
        ]
    else:
        fit = [
            Product(f"{name} residual", batch_size, m, n, share),
            Product(f"{name} gradient", m, batch_size, n, share, transposed="left"),
        ]
    return [predict, *fit]


class ProductsAlone:
    """The same products on arrays of the same shapes and layouts, and nothing else: the limit."""

    def __init__(self, products: Sequence[Product], rng: np.random.Generator,
                 dtype: np.dtype = np.float32) -> None:
        if any(p.solve or p.per_step != 1 for p in products):
            raise ValueError("ProductsAlone: expected plain products, one each a step")

        def draw(rows: int, columns: int, transposed: bool) -> np.ndarray:
            shape = (columns, rows) if transposed else (rows, columns)
            array = rng.standard_normal(shape).astype(dtype)
            return array.T if transposed else array

        self._triples = [
            (draw(p.rows, p.inner, p.transposed == "left"),
             draw(p.inner, p.columns, p.transposed == "right"),
             np.empty((p.rows, p.columns), dtype))
            for p in products
        ]

    def step(self) -> None:
        """Compute every product once."""
        for left, right, out in self._triples:
            np.matmul(left, right, out=out)
