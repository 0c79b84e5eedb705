"""Optimisers: rules that turn a gradient into a change of the parameters, in place.

One optimiser serves one set of parameters (a module's, or an SG model's); `bind` allocates its
state for them. All of that state is in `state`, as arrays, so a checkpoint can copy it out and in.
"""

from __future__ import annotations

import numpy as np

from sgdni._util.checks import check_range


class Optimizer:
    """Base class. `lr` is the learning rate; it may be changed between steps (and is no part
    of `state`: whoever changes it sets it again after a checkpoint).

    Parameters
    ----------
    lr : float > 0
    weight_decay : float >= 0
        Adds ``weight_decay * theta`` to the gradient of theta (an L2 penalty).
    """

    #: What is remembered of each parameter, an array of zeros of its shape for each kind.
    kinds: tuple[str, ...] = ()

    def __init__(self, lr: float, weight_decay: float = 0.0) -> None:
        check_range("learning rate", lr, 0, np.inf, open_low=True, open_high=True)
        check_range("weight decay", weight_decay, 0, np.inf, open_high=True)
        self.lr, self.weight_decay = lr, weight_decay
        self.params: dict[str, np.ndarray] | None = None
        self.state: dict[str, np.ndarray] = {}

    def bind(self, params: dict[str, np.ndarray]) -> None:
        """Allocate state for these parameters. ValueError when bound already: it is not shared."""
        if self.params is not None:
            raise ValueError(f"{type(self).__name__}: already bound; give each module its own")
        self.params = params
        self.state = {
            f"{kind}.{name}": np.zeros_like(p)
            for kind in self.kinds for name, p in params.items()
        }
        self._slots = {
            name: [p, *(self.state[f"{kind}.{name}"] for kind in self.kinds)]
            for name, p in params.items()
        }

    def step(self, grads: dict[str, np.ndarray], scale: float = 1.0) -> None:
        """Change every parameter once, from its gradient times `scale` (1 / B for a mean).

        `grads` may hold more than the parameters bound. Its arrays serve as work space: their
        values are gone afterwards. That saves memory traffic, which is what an optimiser's time
        goes into.
        """
        if self.params is None:
            raise ValueError(f"{type(self).__name__}: bind it to parameters before the first step")
        self.begin()
        for name, slots in self._slots.items():
            p, *memory = slots
            self.change(p, grads[name], scale, *memory)

    def begin(self) -> None:
        """Start a step: for whoever calls `change` for parts of the parameters himself."""

    def change(self, p: np.ndarray, g: np.ndarray, scale: float, *memory: np.ndarray) -> None:
        """Change p and what is remembered of it in place, entry by entry, from scale * g."""
        if self.weight_decay:
            g += (self.weight_decay / scale) * p
        self._change(p, g, scale, *memory)

    def _change(self, p: np.ndarray, g: np.ndarray, scale: float, *state: np.ndarray) -> None:
        """Change p and its state in place from the gradient scale * g; g may be overwritten."""
        raise NotImplementedError


class SGD(Optimizer):
    """Stochastic gradient descent: v <- momentum v + lr g; theta <- theta - v.

    With a constant rate this is the form that has lr outside of v. When the rate is changed, the
    steps still in v keep the rate that they were made with.

    Parameters
    ----------
    momentum : float in [0, 1)
        0 is plain gradient descent.
    """

    def __init__(self, lr: float, momentum: float = 0.0, weight_decay: float = 0.0) -> None:
        super().__init__(lr, weight_decay)
        check_range("momentum", momentum, 0, 1, open_high=True)
        self.momentum = momentum
        self.kinds = ("v",) if momentum else ()

    def _change(self, p: np.ndarray, g: np.ndarray, scale: float, *state: np.ndarray) -> None:
        g *= self.lr * scale
        if self.momentum:
            [v] = state
            v *= self.momentum
            v += g
            g = v
        p -= g


class Adam(Optimizer):
    """Adam (Kingma, Ba 2015): steps by the running mean of g over the root of that of g^2.

    lr m^ / (sqrt(v^) + eps), with m^ and v^ the bias-corrected running means.

    Parameters
    ----------
    beta1, beta2 : float in [0, 1)
        Forgetting factors of the two running means.
    eps : float
        Added to the root, as in the paper's algorithm 1.
    """

    kinds = ("m", "v")

    def __init__(self, lr: float, beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8,
                 weight_decay: float = 0.0) -> None:
        super().__init__(lr, weight_decay)
        check_range("beta1", beta1, 0, 1, open_high=True)
        check_range("beta2", beta2, 0, 1, open_high=True)
        check_range("eps", eps, 0, np.inf, open_low=True, open_high=True)
        self.beta1, self.beta2, self.eps = beta1, beta2, eps

    def bind(self, params: dict[str, np.ndarray]) -> None:
        super().bind(params)
        self.state["steps"] = np.zeros((), np.int64)

    def begin(self) -> None:
        self.state["steps"] += 1
        t = int(self.state["steps"])
        # The state holds plain forgotten sums. Their factors (1 - beta) and the paper's division
        # by 1 - beta^t, which make means of them, are folded into the rate and eps.
        root = np.sqrt((1 - self.beta2**t) / (1 - self.beta2))
        self._rate = float(self.lr * root * (1 - self.beta1) / (1 - self.beta1**t))
        self._eps = float(self.eps * root)

    def _change(self, p: np.ndarray, g: np.ndarray, scale: float, *state: np.ndarray) -> None:
        m, v = state
        # m <- beta1 m + g  and  v <- beta2 v + g^2
        g *= scale
        m *= self.beta1
        m += g
        g *= g
        v *= self.beta2
        v += g
        change = np.sqrt(v, out=g)
        change += self._eps
        np.divide(m, change, out=change)
        change *= self._rate
        p -= change
