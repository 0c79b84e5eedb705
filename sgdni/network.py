"""A network: modules from bottom to top, an SG model at each interface, and a loss at the end.

This is what a schedule trains. It says who is there, and leaves who does what when to
:mod:`sgdni.training`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sgdni.checks import check_labels
from sgdni.losses import Loss
from sgdni.module import Module
from sgdni.synthetic import SyntheticGradient


class Network:
    """Modules f_1 .. f_K, SG models M_1 .. M_{K-1}, and the loss on h_K.

    Parameters
    ----------
    modules : sequence of Module
        Bottom to top.
    loss : Loss
    synthetic : sequence of SyntheticGradient
        One for each interface, bottom to top; empty for a network that only backpropagation
        will train.
    n_context : int
        Number of classes when the SG models are conditioned on labels, else 0.

    Raises
    ------
    ValueError
        For no module at all, or a number of SG models other than 0 and K - 1.
    """

    def __init__(self, modules: Sequence[Module], loss: Loss,
                 synthetic: Sequence[SyntheticGradient] = (), n_context: int = 0) -> None:
        if not modules:
            raise ValueError("Network: expected at least one module")
        if synthetic and len(synthetic) != len(modules) - 1:
            raise ValueError(
                f"Network: expected {len(modules) - 1} SG models for {len(modules)} modules "
                f"(or none, for backpropagation), got {len(synthetic)}"
            )
        self.modules, self.loss, self.synthetic = list(modules), loss, list(synthetic)
        self.n_context = n_context

    def forward(self, x: np.ndarray, training: bool = False) -> np.ndarray:
        """Return h_K (B, n_K), by default in evaluation mode; valid until the next forward."""
        for module in self.modules:
            x = module.forward(x, training)
        return x

    def context(self, y: np.ndarray, dtype: np.dtype) -> np.ndarray | None:
        """Return c: one-hot labels (B, classes), or None when nothing is conditioned on them."""
        if not self.n_context:
            return None
        check_labels("labels for the context", y, len(y), self.n_context)
        c = np.zeros((len(y), self.n_context), dtype)
        c[np.arange(len(y)), y] = 1
        return c

    def state(self) -> dict[str, np.ndarray]:
        """Every array that training changes, live, named by where it lives."""
        parts = {f"module{i}": m for i, m in enumerate(self.modules, start=1)}
        parts |= {f"synthetic{i}": m for i, m in enumerate(self.synthetic, start=1)}
        return {f"{name}.{k}": v for name, part in parts.items() for k, v in part.state().items()}
