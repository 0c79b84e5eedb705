"""A matrix product, counted: the unit in which layers and SG models say what they cost."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


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


def operations(products: Iterable[Product]) -> float:
    """Return the operations of one step."""
    return sum(p.operations for p in products)
