"""What a synthetic-gradient model is: M_i(h_i, c), a guess at the true gradient delta_i.

A schedule asks a model for a prediction and, when the module above has run, hands it a target. To
write one of your own, subclass `SyntheticGradient`: `predict` and `fit` are enough to train with
``sgdni train --sg mymodule:MyModel`` in one process; `state` makes its checkpoints whole and brings
what it has learned back from others (engines processes and mpi); `gradients` has its derivatives
checked (``pytest tests/gradcheck --sg mymodule:MyModel``); `products` counts its cost. A model that
can learn something before any target comes says how in `learn_locally`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

from sgdni._util.products import Product

#: Model, h, c and target.
Example = tuple["SyntheticGradient", np.ndarray, np.ndarray | None, np.ndarray]


class SyntheticGradient:
    """delta^_i = M_i(h_i, c): h and delta^ (B, ...) of one shape, c (B, n_context) or None.

    Attributes
    ----------
    wants_targets : bool
        Whether it learns from targets at all; nobody makes them for a model that does not.
    n_context : int
        Width of the context that the model wants: the number of classes for labels (cDNI), 0 for
        none. An Interface gives it what it asks for.
    context_kind : str
        What the context holds: "labels" (one-hot), or "values", the targets of a regression.
    """

    n_context: int = 0
    wants_targets: bool = True
    context_kind: str = "labels"

    @classmethod
    def at_interface(cls, n: int, n_classes: int, rng: np.random.Generator,
                     dtype: DTypeLike = np.float32) -> SyntheticGradient:
        """Return a new model for an interface of width n; as it stands, ``cls(n, n_classes)``.

        `rng` is for a random start, which most models do without. Where h is an image, n counts
        all its numbers, and h comes as (B, H, W, C). Raises ValueError for a class that is made
        otherwise.
        """
        try:
            return cls(n, n_classes, dtype=dtype)  # type: ignore[call-arg]  # which subclasses take
        except TypeError as error:
            raise ValueError(f"{cls.__name__}: cannot be made for an interface, as {cls.__name__}("
                             f"n, n_classes, dtype=...): {error}; a class method at_interface "
                             f"says how it is made") from error

    @classmethod
    def example(cls, rng: np.random.Generator) -> Example:
        """Return (model, h, c, target) in float64 for a gradient check."""
        model = cls.at_interface(4, 3, rng, np.float64)
        c = np.eye(3)[rng.integers(0, 3, 7)] if model.n_context else None
        return model, rng.standard_normal((7, 4)), c, rng.standard_normal((7, 4))

    def predict(self, h: np.ndarray, c: np.ndarray | None) -> np.ndarray:
        """Return delta^, per example; valid until the next call. Nothing is learned by it."""
        raise NotImplementedError

    def learn_locally(self, h: np.ndarray, c: np.ndarray | None) -> None:
        """Learn what h and c say without a target; most models, as this one, nothing.

        Called once for each minibatch that the module learns from, right after `predict` with the
        same h and c, whose delta^ is still in use. Whoever only looks at predictions leaves it
        out. Neither argument is altered.
        """

    def fit(self, h: np.ndarray, c: np.ndarray | None, target: np.ndarray) -> None:
        """Move M towards `target`, a constant: no gradient flows through it. Neither is altered."""
        raise NotImplementedError

    def gradients(self, h: np.ndarray, c: np.ndarray | None, target: np.ndarray
                  ) -> dict[str, tuple[np.ndarray, np.ndarray]] | None:
        """Return {name: (parameter, derivative)} for a model fitted by gradient steps.

        The derivatives are those of sum(||M(h, c) - target||^2) / 2 over the batch. None says that
        the model follows no gradient.
        """
        return None

    def products(self, batch_size: int) -> dict[str, list[Product]]:
        """Return the matrix products of one "predict" and of one "fit", on average.

        "predict" includes those of `learn_locally`, which goes with it.
        """
        return {"predict": [], "fit": []}

    def state(self) -> dict[str, np.ndarray]:
        """Every array that learning changes, live: for checkpoints, and for other processes."""
        return {}
