"""The methods that can be trained and compared, by name. A new contender is one more entry."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sgdni.data import Dataset
from sgdni.losses import SoftmaxCrossEntropy
from sgdni.mlp import build_mlp
from sgdni.network import Network
from sgdni.settings import Settings
from sgdni.synthetic import LinearSG
from sgdni.training import Asynchronous, Backprop, Decoupled, ModelParallel, Schedule, Trainer


@dataclass(frozen=True)
class Method:
    """How a network learns.

    decoupled : by synthetic gradients, else by backpropagation.
    conditioned : SG models see the labels (cDNI).
    least_squares : SG models are fitted in closed form, else by Adam.
    update_probability : each module learns from a minibatch with this probability.
    """

    summary: str
    decoupled: bool = True
    conditioned: bool = True
    least_squares: bool = False
    update_probability: float = 1.0


METHODS: dict[str, Method] = {
    "backprop": Method("ordinary backpropagation", decoupled=False),
    "dni": Method("synthetic gradients from activations alone, Adam-fitted", conditioned=False),
    "cdni": Method("synthetic gradients that also see the labels, Adam-fitted"),
    "cdni-ls": Method("the same, fitted by least squares", least_squares=True),
    "cdni-stochastic": Method(
        "least squares, each module learning from a minibatch with p = 0.2",
        least_squares=True, update_probability=0.2,
    ),
}


def lookup(name: str) -> Method:
    """Return the method of that name. Raises ValueError naming the known ones."""
    if name not in METHODS:
        raise ValueError(f"method: expected one of {', '.join(METHODS)}, got {name}")
    return METHODS[name]


def build_network(name: str, settings: Settings, n_in: int, n_classes: int,
                  rng: np.random.Generator) -> Network:
    """Return the network that `name` trains: the same weights for every method, given `rng`."""
    method = lookup(name)
    dtype = np.dtype(settings.dtype)
    modules = build_mlp(
        n_in, settings.hidden, n_classes, rng, settings.make_optimizer, cuts=settings.interfaces,
        activation=settings.activation, batch_norm=settings.batch_norm, dtype=dtype,
    )
    if not method.decoupled:
        return Network(modules, SoftmaxCrossEntropy())
    n_context = n_classes if method.conditioned else 0
    make_fit = (
        settings.make_least_squares_fit if method.least_squares else settings.make_gradient_fit
    )
    synthetic = [
        LinearSG(settings.hidden[cut - 1], n_context, make_fit(), dtype)
        for cut in settings.interfaces
    ]
    return Network(modules, SoftmaxCrossEntropy(), synthetic, n_context)


def build_trainer(name: str, settings: Settings, data: Dataset) -> Trainer:
    """Return a trainer for the method of that name, ready for its first epoch.

    Weights, minibatch order and stochastic updates draw from three generators made from
    ``settings.seed``, so that methods with the same seed start from the same weights and see the
    same minibatches in the same order.
    """
    method = lookup(name)
    weights, order, updates = (
        np.random.default_rng(s) for s in np.random.SeedSequence(settings.seed).spawn(3)
    )
    network = build_network(name, settings, data.n_features, data.n_classes, weights)
    return Trainer(
        _make_schedule(method, settings, network, updates), data,
        batch_size=settings.batch_size, rng=order, dtype=np.dtype(settings.dtype),
    )


def _make_schedule(method: Method, settings: Settings, network: Network,
                   rng: np.random.Generator) -> Schedule:
    parallel = {"workers": settings.engine, "latency": settings.latency}
    sequential = settings.engine == "sequential"
    if not method.decoupled:
        return Backprop(network) if sequential else ModelParallel(network, **parallel)
    options = {
        "fit_every": settings.fit_every, "update_probability": method.update_probability,
        "rng": rng if method.update_probability < 1 else None,
    }
    if sequential:
        return Decoupled(network, **options)
    return Asynchronous(network, depth=settings.depth, deterministic=settings.deterministic,
                        **parallel, **options)
