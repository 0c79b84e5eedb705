"""A network: modules from bottom to top, an interface between any two of them, a loss at the end.

This is what a schedule trains. It says who is there, and leaves who does what when to the schedule.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sgdni._util.arrays import Arrays
from sgdni.losses import Loss
from sgdni.networks.interface import Interface
from sgdni.networks.module import Module


class Network:
    """Modules f_1 .. f_K, interfaces 1 .. K - 1 between them, and the loss on h_K.

    Parameters
    ----------
    modules : sequence of Module
        Bottom to top.
    loss : Loss
    interfaces : sequence of Interface
        Bottom to top; empty for a network that only backpropagation will train.

    Raises
    ------
    ValueError
        For no module at all, or a number of interfaces other than 0 and K - 1.
    """

    def __init__(self, modules: Sequence[Module], loss: Loss,
                 interfaces: Sequence[Interface] = ()) -> None:
        if not modules:
            raise ValueError("Network: expected at least one module")
        if interfaces and len(interfaces) != len(modules) - 1:
            raise ValueError(
                f"Network: expected {len(modules) - 1} interfaces for {len(modules)} modules "
                f"(or none, for backpropagation), got {len(interfaces)}"
            )
        self.modules, self.loss, self.interfaces = list(modules), loss, list(interfaces)

    def forward(self, x: np.ndarray, training: bool = False) -> np.ndarray:
        """Return h_K, by default in evaluation mode; valid until the next forward."""
        for module in self.modules:
            x = module.forward(x, training)
        return x

    def context(self, x: Arrays, y: Arrays) -> list[np.ndarray | None]:
        """Return c for each interface, bottom to top; made once where they share a function."""
        made = {context: context(x, y) for context in {i.context for i in self.interfaces}}
        return [made[interface.context] for interface in self.interfaces]

    def state(self) -> dict[str, np.ndarray]:
        """Every array that training changes, live, named by where it lives."""
        parts: dict[str, Module | Interface] = {
            f"module{i}": m for i, m in enumerate(self.modules, start=1)}
        parts |= {f"interface{i}": m for i, m in enumerate(self.interfaces, start=1)}
        return {f"{name}.{k}": v for name, part in parts.items() for k, v in part.state().items()}
