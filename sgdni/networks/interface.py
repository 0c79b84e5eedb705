"""An interface: what stands at the boundary between two modules.

That is an SG model, with a rule for the context that it is given; and, where the module above is
not to wait for its input either, a model of that.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np

from sgdni._util.arrays import Arrays
from sgdni._util.checks import check_labels, check_same_shape
from sgdni.synthetic import SyntheticGradient, SyntheticInput

#: A function of the minibatch (x, y) that returns c, fresh each time, or None for no context.
Context = Callable[[Arrays, Arrays], np.ndarray | None]


def no_context(x: np.ndarray, y: np.ndarray) -> None:
    """Nothing besides h is known to the SG model (DNI)."""


@cache  # so that interfaces of one width share a function, and a network makes c only once
def one_hot(n_classes: int) -> Context:
    """Return the context of cDNI: labels y (B,) as rows (B, classes) in the dtype of x.

    Jaderberg et al. 2016. The context refuses labels out of range with a ValueError.
    """
    def context(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        check_labels("labels for the context", y, (len(x),), n_classes)
        c = np.zeros((len(y), n_classes), x.dtype)
        c[np.arange(len(y)), y] = 1
        return c
    return context


@cache
def values(n: int) -> Context:
    """Return the context of a regression: its targets y (B, n), in the dtype of x.

    The context refuses y of another shape with a ValueError.
    """
    def context(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        check_same_shape("values for the context", y, (len(x), n))
        return y.astype(x.dtype)
    return context


#: Contexts of a width, by what a model calls them (`SyntheticGradient.context_kind`).
CONTEXTS: dict[str, Callable[[int], Context]] = {"labels": one_hot, "values": values}


class Interface:
    """Owns the SG model M_i at a boundary, and says what context it is given.

    And the model I_i of what passes there upwards, where there is one.

    Parameters
    ----------
    model : SyntheticGradient
    context : function (x, y) -> c, optional
        By default what the model asks for: labels or values, as its `context_kind` says, where
        its `n_context` is above 0, else nothing.
    inputs : SyntheticInput, optional
    """

    def __init__(self, model: SyntheticGradient, context: Context | None = None,
                 inputs: SyntheticInput | None = None) -> None:
        if context is None:
            context = (CONTEXTS[model.context_kind](model.n_context) if model.n_context
                       else no_context)
        self.model, self.context, self.inputs = model, context, inputs

    def predict(self, h: np.ndarray, c: np.ndarray | None) -> np.ndarray:
        """Return delta^_i = M_i(h_i, c), per example; valid until the next call."""
        return self.model.predict(h, c)

    def learn_locally(self, h: np.ndarray, c: np.ndarray | None) -> None:
        """Let M_i learn what it can without a target, right after `predict` with the same h, c."""
        self.model.learn_locally(h, c)

    def fit(self, h: np.ndarray, c: np.ndarray | None, target: np.ndarray) -> None:
        """Move M_i towards `target`, a constant: no gradient flows through it."""
        self.model.fit(h, c, target)

    def state(self) -> dict[str, np.ndarray]:
        """Every array that learning changes, live, for checkpoints."""
        inputs = {} if self.inputs is None else self.inputs.state()
        return {**{f"model.{name}": array for name, array in self.model.state().items()},
                **{f"inputs.{name}": array for name, array in inputs.items()}}
