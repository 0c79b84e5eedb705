"""Count the matrix products of one training step: the arithmetic behind every speed claim.

A hidden layer costs backpropagation three products of the same size: forward, weight gradient and
input gradient (the lowest layer needs no input gradient). SG models come on top, each with what it
says that it costs. So in one thread a DNI step is dearer than a backprop step, by the ratio of
`operations`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sgdni._util.products import Product, operations
from sgdni.networks import Network

__all__ = ["Product", "of_step", "operations"]


def of_step(network: Network, batch_size: int, *, decoupled: bool = False,
            fit_every: int = 1) -> list[Product]:
    """Return the products of one step of Backprop, or of Decoupled, on this network."""
    found: list[Product] = []

    def add(owner: str, products: Sequence[Product], share: float = 1.0) -> None:
        found.extend(replace(p, name=f"{owner} {p.name}", per_step=share * p.per_step)
                     for p in products)

    seldom = 1 / fit_every if decoupled else 1.0
    for i, module in enumerate(network.modules):
        for j, layer in enumerate(module.layers):
            owner, products = f"module {i + 1} layer {j + 1}", layer.products(batch_size)
            add(owner, products["forward"])
            add(owner, products["params"])
            if j > 0:
                add(owner, products["input"])
            elif i > 0:  # a module's lowest layer makes the target; nobody is below the lowest
                wanted = not decoupled or network.interfaces[i - 1].model.wants_targets
                add(owner, products["input"], seldom * wanted)
    if decoupled:
        for i, interface in enumerate(network.interfaces, start=1):
            products = interface.model.products(batch_size)
            add(f"M_{i}", products["predict"])
            add(f"M_{i}", products["fit"], seldom)
    return found
