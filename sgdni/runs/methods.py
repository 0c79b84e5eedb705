"""The methods that can be trained and compared, by name. A new contender is one more entry."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from sgdni._util.users import find_class
from sgdni.data import Dataset
from sgdni.losses import SoftmaxCrossEntropy
from sgdni.networks import Interface, Network, build_cnn, build_mlp
from sgdni.networks.cnn import image_shapes
from sgdni.optimizers import Adam
from sgdni.parallel import Asynchronous, DataParallel, Delayed, ModelParallel
from sgdni.runs.settings import Settings
from sgdni.schedules import Backprop, Decoupled, Schedule
from sgdni.synthetic import (
    ChannelMeans,
    ConvSG,
    Fit,
    LinearSG,
    LocalErrorSG,
    PerPixel,
    SyntheticGradient,
    ZeroSG,
)
from sgdni.training import Trainer

#: Of h at the interface, one example: (n,), or (height, width, channels) of an image.
Shape = tuple[int, ...]
MakeSG = Callable[[Settings, Shape, int, np.random.Generator], SyntheticGradient]


@dataclass(frozen=True)
class Method:
    """How a network learns.

    make_sg : makes the SG model of an interface; None for backpropagation.
    uses : settings that it makes use of, of those that not every method does.
    update_probability : each module learns from a minibatch with this probability.
    """

    summary: str
    make_sg: MakeSG | None = None
    uses: tuple[str, ...] = ()
    update_probability: float = 1.0

    @property
    def decoupled(self) -> bool:
        return self.make_sg is not None


def by_adam(s: Settings, shape: Shape, n_context: int) -> SyntheticGradient:
    """Return the papers' model: linear, and of images for every pixel or a convolution."""
    *image, n = shape
    if image and s.sg_kernel > 1:
        return ConvSG(n, n_context, size=s.sg_kernel, optimizer=Adam(s.sg_lr), dtype=s.dtype)
    return _linear(shape, n_context, s.make_gradient_fit(), s)


def by_least_squares(s: Settings, shape: Shape, n_classes: int, rng: np.random.Generator
                     ) -> SyntheticGradient:
    return _linear(shape, n_classes, s.make_least_squares_fit(), s)


def _linear(shape: Shape, n_context: int, fit: Fit, s: Settings) -> SyntheticGradient:
    *image, n = shape
    model = LinearSG(n, n_context, fit, s.dtype)
    return PerPixel(model, math.prod(image)) if image else model


def local_error(s: Settings, rho: float, shape: Shape, n_classes: int, rng: np.random.Generator
                ) -> SyntheticGradient:
    """Return a local head's error signal, of all numbers of h or of an image's channels' means."""
    *image, n = shape
    if image and s.read_out == "means":
        return ChannelMeans(LocalErrorSG(s.make_head(n, n_classes, rng), rho), math.prod(image))
    return LocalErrorSG(s.make_head(math.prod(shape), n_classes, rng), rho)


QUEUES = ("queue_size", "deterministic")
TARGETS = ("fit_every", *QUEUES)
BY_ADAM = ("sg_lr", "sg_kernel", *TARGETS)
BY_LEAST_SQUARES = ("forgetting_factor", "ridge", "solve_every", *TARGETS)
HEAD = ("head", "head_units", "read_out")

METHODS: dict[str, Method] = {
    "backprop": Method("ordinary backpropagation"),
    "dni": Method("synthetic gradients from activations alone, Adam-fitted",
                  lambda s, shape, n_classes, rng: by_adam(s, shape, 0), BY_ADAM),
    "cdni": Method("synthetic gradients that also see the labels, Adam-fitted",
                   lambda s, shape, n_classes, rng: by_adam(s, shape, n_classes), BY_ADAM),
    "cdni-ls": Method("the same, fitted by least squares", by_least_squares, BY_LEAST_SQUARES),
    "cdni-stochastic": Method("least squares, each module learning from a minibatch with p = 0.2",
                              by_least_squares, BY_LEAST_SQUARES, 0.2),
    "local-error": Method("synthetic gradients made of a local head's error signal",
                          lambda s, *at: local_error(s, s.rho, *at),
                          ("rho", *HEAD, *TARGETS)),
    "local-loss": Method("the head's own gradient instead, no synthetic one",
                         lambda s, *at: local_error(s, np.inf, *at), (*HEAD, *QUEUES)),
    "top-only": Method("nothing below the top module learns: the control",
                       lambda s, shape, n_classes, rng: ZeroSG(), QUEUES),
}

#: What needs workers of an engine: backpropagation in forms that rival synthetic gradients.
PARALLEL_METHODS: dict[str, Method] = {
    "data-parallel": Method("backpropagation on shares of each minibatch, in as many processes "
                            "or ranks as there would be modules"),
    "delayed": Method("backpropagation whose true gradients are applied when they arrive",
                      uses=QUEUES),
}


def lookup(name: str) -> Method:
    """Return the method of that name. Raises ValueError naming the known ones."""
    known = METHODS | PARALLEL_METHODS
    if name not in known:
        raise ValueError(f"method: expected one of {', '.join(known)}, got {name}")
    return known[name]


#: Settings that have an effect only beside some values of another one.
NEEDS = {"momentum": ("optimizer", ["sgd"]), "head_units": ("head", ["hidden"]),
         "queue_size": ("engine", ["threads", "processes", "mpi"]),
         "sg_kernel": ("network", ["cnn"]), "read_out": ("network", ["cnn"])}


def check_used(names: Sequence[str], settings: Settings, given: Iterable[str]) -> None:
    """Refuse settings that were given and have no effect on any of these methods.

    The model of `settings.sg`, if there is one, is one more. Raises ValueError, naming the methods
    that do use them.
    """
    every = METHODS | PARALLEL_METHODS
    uses = {name: lookup(name).uses for name in names}
    if settings.sg is not None:
        uses[settings.sg] = TARGETS
    for setting in given:
        users = [other for other, method in every.items() if setting in method.uses]
        if users and not any(setting in of for of in uses.values()):
            raise ValueError(f"{setting}: {', '.join(uses)} makes no use of it; methods that do: "
                             f"{', '.join(users)}")
        needed, values = NEEDS.get(setting, (None, ()))
        if needed and getattr(settings, needed) not in values:
            raise ValueError(f"{setting}: needs {needed} {' or '.join(values)}, "
                             f"got {getattr(settings, needed)}")


def build_network(name: str, settings: Settings, n_in: int, n_classes: int,
                  rng: np.random.Generator, image: Shape | None = None) -> Network:
    """Return the network that `name` trains: the same weights for every method, given `rng`.

    Raises ValueError for a decoupled method without an interface, and for a convolutional network
    when what comes in is not an `image` (height, width, channels).
    """
    method = lookup(name)
    if method.decoupled and not settings.interfaces:
        raise ValueError(f"cuts: {name} needs an interface to learn at, got none; without one it "
                         "would be backprop by another name")
    options = {"cuts": settings.interfaces, "activation": settings.activation,
               "batch_norm": settings.batch_norm, "dtype": settings.dtype}
    if settings.network == "cnn":
        if image is None:
            raise ValueError("network cnn: expected a data set of images, which says so in its "
                             "image_shape")
        shapes = image_shapes(image, settings.hidden)
        modules = build_cnn(image, settings.hidden, n_classes, rng, settings.make_optimizer,
                            **options)
    else:
        shapes = [(n,) for n in settings.hidden]
        modules = build_mlp(n_in, settings.hidden, n_classes, rng, settings.make_optimizer,
                            **options)
    if settings.sg is not None and not method.decoupled:
        raise ValueError(f"sg: {name} has no SG models; methods that do: "
                         f"{', '.join(k for k, m in METHODS.items() if m.decoupled)}")
    if not method.decoupled:
        return Network(modules, SoftmaxCrossEntropy())
    own = None if settings.sg is None else find_class("sg", settings.sg, SyntheticGradient)
    places = [shapes[cut - 1] for cut in settings.interfaces]
    models = [method.make_sg(settings, shape, n_classes, rng) if own is None else
              own.at_interface(math.prod(shape), n_classes, rng, np.dtype(settings.dtype))
              for shape in places]
    return Network(modules, SoftmaxCrossEntropy(), [Interface(model) for model in models])


def build_trainer(name: str, settings: Settings, data: Dataset) -> Trainer:
    """Return a trainer for the method of that name, ready for its first epoch.

    Weights, minibatch order and stochastic updates draw from three generators made from
    ``settings.seed``, so that methods with the same seed start from the same weights and see the
    same minibatches in the same order.
    """
    weights, order, updates = map(np.random.default_rng,
                                  np.random.SeedSequence(settings.seed).spawn(3))
    network = build_network(name, settings, data.n_features, data.n_classes, weights,
                            data.image_shape)
    return Trainer(_make_schedule(name, settings, network, updates), data,
                   batch_size=settings.batch_size, rng=order, dtype=np.dtype(settings.dtype))


def _make_schedule(name: str, settings: Settings, network: Network,
                   rng: np.random.Generator) -> Schedule:
    method, sequential = lookup(name), settings.engine == "sequential"
    links = {"latency": settings.latency, "bandwidth": settings.bandwidth or np.inf}
    if name == "data-parallel":
        if settings.engine not in ("processes", "mpi"):
            raise ValueError(f"{name}: needs engine processes or mpi, got {settings.engine}")
        return DataParallel(network, replicas=len(network.modules), workers=settings.engine,
                            **links)
    parallel = {"workers": settings.engine, **links}
    queue = {"queue_size": settings.queue_size, "deterministic": settings.deterministic}
    if name == "delayed":
        if sequential:
            raise ValueError(f"{name}: needs engine threads, processes or mpi, got sequential")
        return Delayed(network, **parallel, **queue)
    if not method.decoupled:
        return Backprop(network) if sequential else ModelParallel(network, **parallel)
    options = {
        "fit_every": settings.fit_every, "update_probability": method.update_probability,
        "rng": rng if method.update_probability < 1 else None,
    }
    if sequential:
        return Decoupled(network, **options)
    return Asynchronous(network, **queue, **parallel, **options)
