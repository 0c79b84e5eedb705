"""The papers' SG model for convolutional networks: a convolution of h and of maps of the labels."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

from sgdni._util.checks import check_count, check_images, check_same_shape
from sgdni._util.products import Product
from sgdni.layers import Conv2D
from sgdni.optimizers import Adam, Optimizer
from sgdni.synthetic.base import Example, SyntheticGradient


class ConvSG(SyntheticGradient):
    """delta^ = [h, c] * W + b: one k x k convolution, zero at the start, fitted by gradient steps.

    The context is put beside h as maps: channel j is c_j everywhere (Jaderberg et al. 2016).

    Parameters
    ----------
    n : int
        Channels of h.
    n_context : int
        Number of classes, or 0 for none.
    size : int
        k, odd; the image is padded so that delta^ has its size.
    optimizer : Optimizer, by default Adam(1e-3)
        Its steps take the mean over the minibatch and all pixels.
    dtype : that of h.

    Raises
    ------
    ValueError
        For an even k, and for h, c or target of the wrong shape or dtype.
    """

    def __init__(self, n: int, n_context: int, *, size: int = 3,
                 optimizer: Optimizer | None = None, dtype: DTypeLike = np.float32) -> None:
        check_count("ConvSG size", size)
        if size % 2 == 0:
            raise ValueError(f"ConvSG size: expected an odd number, got {size}")
        self.n, self.n_context, self.dtype = n, n_context, np.dtype(dtype)
        self.layer = Conv2D(n + n_context, n, size, np.random.default_rng(0), padding=size // 2,
                            gain=0.0, dtype=dtype)
        self.optimizer = Adam(1e-3) if optimizer is None else optimizer
        self.optimizer.bind(self.layer.params)

    @classmethod
    def example(cls, rng: np.random.Generator) -> Example:
        model = cls(2, 3, dtype=np.float64)
        for array in model.layer.params.values():
            array[...] = rng.standard_normal(array.shape)
        c = np.eye(3)[rng.integers(0, 3, 2)]
        return model, rng.standard_normal((2, 4, 5, 2)), c, rng.standard_normal((2, 4, 5, 2))

    def predict(self, h: np.ndarray, c: np.ndarray | None) -> np.ndarray:
        return self.layer.forward(self._maps(h, c))

    def fit(self, h: np.ndarray, c: np.ndarray | None, target: np.ndarray) -> None:
        self.gradients(h, c, target)
        self.optimizer.step(self.layer.grads, scale=1 / (target.size // self.n))

    def gradients(self, h: np.ndarray, c: np.ndarray | None, target: np.ndarray
                  ) -> dict[str, tuple[np.ndarray, np.ndarray]] | None:
        check_same_shape("synthetic gradient's target", target, h.shape)
        check_images("synthetic gradient's target", target, self.n, self.dtype)
        self.layer.backward_params(self.predict(h, c) - target)
        return {name: (p, self.layer.grads[name]) for name, p in self.layer.params.items()}

    def products(self, batch_size: int) -> dict[str, list[Product]]:
        made = self.layer.products(batch_size)
        return {"predict": made["forward"], "fit": made["forward"] + made["params"]}

    def _maps(self, h: np.ndarray, c: np.ndarray | None) -> np.ndarray:
        check_images("synthetic gradient's h", h, self.n, self.dtype)
        if (c is None) != (self.n_context == 0):
            raise ValueError("synthetic gradient's context: expected "
                             f"{f'(B, {self.n_context})' if self.n_context else 'None'}, got "
                             f"{'None' if c is None else c.shape}")
        if c is None:
            return h
        check_same_shape("synthetic gradient's context", c, (len(h), self.n_context))
        return np.concatenate([h, np.broadcast_to(c[:, None, None], (*h.shape[:3], c.shape[1]))],
                              axis=-1)

    def state(self) -> dict[str, np.ndarray]:
        return {**{f"params.{k}": p for k, p in self.layer.params.items()},
                **{f"optimizer.{k}": a for k, a in self.optimizer.state.items()}}
