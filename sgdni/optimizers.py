"""Optimisers: rules that turn a gradient into a change of the parameters, in place.

One optimiser serves one set of parameters (a module's, or an SG model's); `bind` allocates its
state for them. All of that state is in `state`, as arrays, so a checkpoint can copy it out and in.
"""

from __future__ import annotations

import numpy as np

from sgdni.checks import check_range


class Optimizer:
    """Base class. `lr` is the learning rate; it may be changed between steps.

    Parameters
    ----------
    lr : float > 0
    weight_decay : float >= 0
        Adds ``weight_decay * theta`` to the gradient of theta (an L2 penalty).
    """

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
        self._work = {name: np.empty_like(p) for name, p in params.items()}
        self._allocate()

    def step(self, grads: dict[str, np.ndarray], scale: float = 1.0) -> None:
        """Change every parameter once, from its gradient times `scale` (1 / B for a mean)."""
        if self.params is None:
            raise ValueError(f"{type(self).__name__}: bind it to parameters before the first step")
        self._begin()
        for name, p in self.params.items():
            g = np.multiply(grads[name], scale, out=self._work[name])
            if self.weight_decay:
                g += self.weight_decay * p
            self._change(name, p, g)

    def _allocate(self) -> None:
        """Fill `state` with zeros shaped like the parameters."""

    def _begin(self) -> None:
        """Run once at the start of each step."""

    def _change(self, name: str, p: np.ndarray, g: np.ndarray) -> None:
        """Change p in place from its scaled gradient g, which may be overwritten."""
        raise NotImplementedError


class SGD(Optimizer):
    """Stochastic gradient descent: v <- momentum v + g; theta <- theta - lr v.

    Parameters
    ----------
    momentum : float in [0, 1)
        0 is plain gradient descent.
    """

    def __init__(self, lr: float, momentum: float = 0.0, weight_decay: float = 0.0) -> None:
        super().__init__(lr, weight_decay)
        check_range("momentum", momentum, 0, 1, open_high=True)
        self.momentum = momentum

    def _allocate(self) -> None:
        if self.momentum:
            self.state = {f"v.{name}": np.zeros_like(p) for name, p in self.params.items()}

    def _change(self, name: str, p: np.ndarray, g: np.ndarray) -> None:
        if self.momentum:
            v = self.state[f"v.{name}"]
            v *= self.momentum
            v += g
            np.multiply(v, self.lr, out=g)
        else:
            g *= self.lr
        p -= g


class Adam(Optimizer):
    """Adam (Kingma, Ba 2015): steps by the running mean of g over the root of that of g^2.

    Parameters
    ----------
    beta1, beta2 : float in [0, 1)
        Forgetting factors of the two running means.
    eps : float
        Added to the root, as in the paper's algorithm 1.
    """

    def __init__(self, lr: float, beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8,
                 weight_decay: float = 0.0) -> None:
        super().__init__(lr, weight_decay)
        check_range("beta1", beta1, 0, 1, open_high=True)
        check_range("beta2", beta2, 0, 1, open_high=True)
        check_range("eps", eps, 0, np.inf, open_low=True, open_high=True)
        self.beta1, self.beta2, self.eps = beta1, beta2, eps

    def _allocate(self) -> None:
        self.state = {"steps": np.zeros((), np.int64)}
        for name, p in self.params.items():
            self.state[f"m.{name}"] = np.zeros_like(p)
            self.state[f"v.{name}"] = np.zeros_like(p)
        self._root = {name: np.empty_like(p) for name, p in self.params.items()}

    def _begin(self) -> None:
        self.state["steps"] += 1
        t = int(self.state["steps"])
        # Dividing m by 1 - beta1^t and v by 1 - beta2^t, folded into the step size and eps.
        root = np.sqrt(1 - self.beta2**t)
        self._rate = float(self.lr * root / (1 - self.beta1**t))
        self._eps = float(self.eps * root)

    def _change(self, name: str, p: np.ndarray, g: np.ndarray) -> None:
        m, v, root = self.state[f"m.{name}"], self.state[f"v.{name}"], self._root[name]
        # m <- beta1 m + (1 - beta1) g  and  v <- beta2 v + (1 - beta2) g^2
        np.multiply(g, 1 - self.beta1, out=root)
        m *= self.beta1
        m += root
        g *= g
        g *= 1 - self.beta2
        v *= self.beta2
        v += g
        np.sqrt(v, out=root)
        root += self._eps
        np.divide(m, root, out=g)
        g *= self._rate
        p -= g
