"""Everything that defines a run besides the method and the data, in one frozen record."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from functools import partial
from typing import Any

import numpy as np

from sgdni._util.checks import check_count, check_range
from sgdni.networks import ACTIVATIONS
from sgdni.optimizers import SGD, Adam, Optimizer
from sgdni.synthetic import GradientFit, Head, HiddenHead, LeastSquaresFit, LinearHead


def _of(group: str, default: object, text: str, **option: object) -> Any:
    """Return a field: what it is, and its group and form among the options of the command line."""
    return field(default=default, metadata={"group": group, "text": text, "option": option})


#: Hidden layers by default.
HIDDEN = {"mlp": (256, 256, 256), "cnn": (16, 32)}

_net, _learning, _sg, _engine = (
    partial(_of, group) for group in ("network", "learning", "synthetic gradients", "engine"))


@dataclass(frozen=True)
class Settings:
    """Sizes, hyperparameters and seed of a run. JSON-ready through `to_dict`.

    What each one is stands beside it, and in ``sgdni train --help``.

    Raises
    ------
    ValueError
        For a value out of range, naming it.
    """

    network: str = _net("mlp", "mlp, of dense layers, or cnn, of convolutions")
    hidden: tuple[int, ...] | None = _net(
        None, "widths of the hidden layers, or their channels (default: 256 256 256; cnn: 16 32)",
        type=int, nargs="+", metavar="N")
    cuts: tuple[int, ...] | None = _net(
        None, "hidden layers after which an interface stands (default: after each; with workers, "
        "as many as balance their measured costs)", type=int, nargs="+", metavar="I")
    activation: str = _net("relu", "relu, tanh or sigmoid")
    batch_norm: bool = _net(True, "normalise before each nonlinearity; synthetic gradients through "
                            "relu need it")
    dtype: str = _net("float32", "float32 or float64")
    optimizer: str = _learning("sgd", "sgd or adam, for every module")
    lr: float = _learning(0.1, "learning rate of the modules")
    momentum: float = _learning(0.9, "of sgd")
    weight_decay: float = _learning(0.0, "L2 penalty")
    batch_size: int = _learning(128, "images in a minibatch", metavar="B")
    seed: int = _learning(0, "of weights, order of minibatches, stochastic updates")
    fit_every: int = _sg(1, "fit the SG models on every k-th step", metavar="K")
    sg_lr: float = _sg(1e-3, "learning rate of Adam-fitted SG models")
    forgetting_factor: float = _sg(0.98, "of least squares")
    ridge: float = _sg(1e-3, "ridge of least squares, relative")
    solve_every: int = _sg(8, "fits between two least-squares solutions", metavar="K")
    head: str = _sg("linear", "linear or hidden: the local head of local-error and local-loss")
    head_units: int = _sg(64, "of a hidden one", metavar="N")
    rho: float = _sg(1.0, "of local-error: 0 follows the targets alone, a large one the head "
                     "(local-loss is the limit of an infinite one)")
    read_out: str = _sg("flat", "flat or means: what a head, of local-error and local-loss, sees "
                        "of images: all pixels, or the mean of each channel")
    sg_kernel: int = _sg(1, "width of the kernels of SG models for images, odd; above 1 for "
                         "Adam-fitted ones only", metavar="K")
    sg: str | None = _sg(None, "an SG model of your own instead of the method's: a "
                         "SyntheticGradient class in a module beside you", metavar="MODULE:CLASS")
    engine: str = _engine("sequential", "sequential; or threads, processes or mpi: one for each "
                          "module (the last is started as: mpiexec -n MODULES sgdni train --engine "
                          "mpi ...)")
    queue_size: int = _engine(4, "most minibatches on the way between two modules", metavar="N")
    latency: float = _engine(0.0, "simulated seconds of each message between modules, on one "
                             "machine", metavar="S")
    bandwidth: float | None = _engine(None, "simulated bytes a second that each link carries: "
                                      "125e6 is 1 Gbit/s (default: no limit)", type=float,
                                      metavar="BYTES")
    deterministic: bool = _engine(False, "apply targets at fixed steps, so that parallel runs "
                                  "repeat")

    def __post_init__(self) -> None:
        for name, known in (("network", list(HIDDEN)), ("activation", list(ACTIVATIONS)),
                            ("optimizer", ["sgd", "adam"]), ("dtype", ["float32", "float64"]),
                            ("head", ["linear", "hidden"]), ("read_out", ["flat", "means"]),
                            ("engine", ["sequential", "threads", "processes", "mpi"])):
            if getattr(self, name) not in known:
                raise ValueError(f"{name}: expected one of {', '.join(known)}, "
                                 f"got {getattr(self, name)}")
        if self.hidden is None:
            object.__setattr__(self, "hidden", HIDDEN[self.network])
        for width in self.hidden:
            check_count("width of a hidden layer", width)
        cuts = self.interfaces
        if list(cuts) != sorted(set(cuts) & set(range(1, len(self.hidden) + 1))):
            raise ValueError(f"cuts: expected increasing numbers in 1..{len(self.hidden)} (hidden "
                             f"layers), got {list(self.cuts)}")
        for name, low in (("batch_size", 2), ("fit_every", 1), ("head_units", 1),
                          ("queue_size", 1), ("seed", 0)):
            check_count(name, getattr(self, name), low)
        check_count("sg_kernel", self.sg_kernel)
        if self.sg_kernel % 2 == 0:
            raise ValueError(f"sg_kernel: expected an odd number, got {self.sg_kernel}")
        self.make_optimizer()
        self.make_gradient_fit()
        self.make_least_squares_fit()
        check_range("rho", self.rho, 0, np.inf, open_high=True)
        check_range("latency", self.latency, 0, np.inf, open_high=True)
        if self.bandwidth is not None:
            check_range("bandwidth", self.bandwidth, 0, np.inf, open_low=True, open_high=True)
        for name in ("latency", "bandwidth", "deterministic"):
            if self.engine == "sequential" and getattr(self, name):
                raise ValueError(f"{name}: needs engine threads, processes or mpi, "
                                 f"got {self.engine}")

    @property
    def interfaces(self) -> tuple[int, ...]:
        """The hidden layers after which an interface stands, counted from 1."""
        return tuple(range(1, len(self.hidden) + 1)) if self.cuts is None else self.cuts

    def make_optimizer(self) -> Optimizer:
        """Return a fresh optimiser for one module."""
        if self.optimizer == "adam":
            return Adam(self.lr, weight_decay=self.weight_decay)
        return SGD(self.lr, self.momentum, self.weight_decay)

    def make_gradient_fit(self) -> GradientFit:
        """Return a fresh fit for one SG model: gradient steps by Adam."""
        return GradientFit(Adam(self.sg_lr))

    def make_least_squares_fit(self) -> LeastSquaresFit:
        """Return a fresh fit for one SG model: least squares."""
        return LeastSquaresFit(self.forgetting_factor, self.ridge, self.solve_every)

    def make_head(self, n: int, n_classes: int, rng: np.random.Generator) -> Head:
        """Return a fresh local head for one SG model at an interface of width n."""
        if self.head == "hidden":
            return HiddenHead(n, n_classes, rng, m=self.head_units, dtype=self.dtype)
        return LinearHead(n, n_classes, rng, dtype=self.dtype)

    def to_dict(self) -> dict:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict) -> Settings:
        """Rebuild from `to_dict`, possibly after a trip through JSON; defaults for what lacks.

        Raises ValueError as Settings does, and for what is unknown or of another kind.
        """
        known = {one.name for one in fields(cls)}
        if not values.keys() <= known:
            raise ValueError(f"settings: unknown {sorted(values.keys() - known)}")
        for one in fields(cls):
            value = values.get(one.name, one.default)
            if not any(_is(value, kind) for kind in one.type.split(" | ")):
                raise ValueError(f"settings: {one.name}: expected {one.type}, got {value!r}")
        lists = {k: tuple(v) for k, v in values.items() if isinstance(v, list)}
        return cls(**{**values, **lists})


def _is(value: object, kind: str) -> bool:
    """Whether a value, as JSON may have it, is of a field's kind."""
    if kind == "tuple[int, ...]":
        return isinstance(value, list | tuple) and all(_is(part, "int") for part in value)
    if kind in ("int", "float"):
        return isinstance(value, int if kind == "int" else int | float) and (
            not isinstance(value, bool))
    return isinstance(value, {"str": str, "bool": bool, "None": type(None)}[kind])
