"""Everything that defines a run besides the method and the data, in one frozen record."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields

import numpy as np

from sgdni._util.checks import check_count, check_range
from sgdni.networks import ACTIVATIONS
from sgdni.optimizers import SGD, Adam, Optimizer
from sgdni.synthetic import GradientFit, Head, HiddenHead, LeastSquaresFit, LinearHead


@dataclass(frozen=True)
class Settings:
    """Sizes, hyperparameters and seed of a run. JSON-ready through `to_dict`.

    Parameters
    ----------
    hidden : widths of the hidden layers
    cuts : hidden layers after which an interface stands, or None for all of them (see
        cuts.py for cuts by measured cost)
    activation : "relu", "tanh" or "sigmoid"
    batch_norm : normalise before each nonlinearity
    optimizer, lr, momentum, weight_decay : of every module ("sgd" or "adam"; momentum for sgd)
    batch_size : B
    fit_every : SG models are fitted on every k-th step
    sg_lr : learning rate of Adam-fitted SG models
    forgetting_factor, ridge, solve_every : of least-squares SG models (see LeastSquaresFit)
    head, head_units : of the methods with local heads: "linear", or "hidden" and its units
    rho : of local-error, how far its map is shrunk towards the head's own weights (local-loss is
        the limit of an infinite one)
    sg : "module:Class", a SyntheticGradient in a file of the user's own that takes the place of
        the method's SG models
    engine : "sequential", or "threads", "processes" or "mpi" (ranks that mpiexec started): one for
        each module (all at once with synthetic gradients, in turn with backprop)
    queue_size : most minibatches on the way between two modules
    latency : simulated seconds that each message between workers is under way
    bandwidth : simulated bytes a second that each link carries, or None for as many as there are
    deterministic : targets are applied at fixed steps, so that parallel runs repeat
    seed : of weights, minibatch order and stochastic updates
    dtype : "float32" or "float64"

    Raises
    ------
    ValueError
        For a value out of range, naming it.
    """

    hidden: tuple[int, ...] = (256, 256, 256)
    cuts: tuple[int, ...] | None = None
    activation: str = "relu"
    batch_norm: bool = True
    optimizer: str = "sgd"
    lr: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 0.0
    batch_size: int = 128
    fit_every: int = 1
    sg_lr: float = 1e-3
    forgetting_factor: float = 0.98
    ridge: float = 1e-3
    solve_every: int = 8
    head: str = "linear"
    head_units: int = 64
    rho: float = 1.0
    sg: str | None = None
    engine: str = "sequential"
    queue_size: int = 4
    latency: float = 0.0
    bandwidth: float | None = None
    deterministic: bool = False
    seed: int = 0
    dtype: str = "float32"

    def __post_init__(self) -> None:
        for width in self.hidden:
            check_count("width of a hidden layer", width)
        for name, known in (("activation", list(ACTIVATIONS)), ("optimizer", ["sgd", "adam"]),
                            ("dtype", ["float32", "float64"]), ("head", ["linear", "hidden"]),
                            ("engine", ["sequential", "threads", "processes", "mpi"])):
            if getattr(self, name) not in known:
                raise ValueError(f"{name}: expected one of {', '.join(known)}, "
                                 f"got {getattr(self, name)}")
        cuts = self.interfaces
        if list(cuts) != sorted(set(cuts) & set(range(1, len(self.hidden) + 1))):
            raise ValueError(f"cuts: expected increasing numbers in 1..{len(self.hidden)} (hidden "
                             f"layers), got {list(self.cuts)}")
        for name, low in (("batch_size", 2), ("fit_every", 1), ("head_units", 1),
                          ("queue_size", 1), ("seed", 0)):
            check_count(name, getattr(self, name), low)
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
        """Rebuild from `to_dict`, possibly after a trip through JSON; defaults for what lacks."""
        known = {field.name for field in fields(cls)}
        if not values.keys() <= known:
            raise ValueError(f"settings: unknown {sorted(values.keys() - known)}")
        lists = {k: tuple(v) for k, v in values.items() if isinstance(v, list)}
        return cls(**{**values, **lists})
