"""Any SG model at an interface where h is an image: for every pixel, or for the channels' means.

Two ways to give a model (B, n) what is (B, H, W, n). Convolutions use the same weights everywhere;
so does a model that is asked about one pixel after another. Or it is asked once, about what is left
of an image when each of its channels is averaged.
"""

from __future__ import annotations

import numpy as np

from sgdni._util.arrays import flat_rows
from sgdni._util.checks import check_images, check_same_shape
from sgdni._util.products import Product
from sgdni.synthetic.base import SyntheticGradient


class _OfImages(SyntheticGradient):
    """A model (of rows) that is given something of images, and its state.

    Parameters
    ----------
    model : SyntheticGradient
        Of width C.
    places : int
        H W, for counting products.
    """

    def __init__(self, model: SyntheticGradient, places: int) -> None:
        self.model, self.places = model, places
        self.wants_targets, self.n_context = model.wants_targets, model.n_context
        self.context_kind = model.context_kind

    def state(self) -> dict[str, np.ndarray]:
        return self.model.state()


class PerPixel(_OfImages):
    """Every pixel is an example of its own: delta^[x, y] = M(h[x, y], c), with one M for all.

    With a linear M this is the papers' model for convolutional networks (Jaderberg et al. 2016,
    with the labels as maps of one-hot channels) with kernels of 1 x 1.
    """

    def predict(self, h: np.ndarray, c: np.ndarray | None) -> np.ndarray:
        return self.model.predict(*self._rows(h, c)).reshape(h.shape)

    def learn_locally(self, h: np.ndarray, c: np.ndarray | None) -> None:
        self.model.learn_locally(*self._rows(h, c))

    def fit(self, h: np.ndarray, c: np.ndarray | None, target: np.ndarray) -> None:
        check_same_shape("synthetic gradient's target", target, h.shape)
        self.model.fit(*self._rows(h, c), flat_rows(target))

    def gradients(self, h: np.ndarray, c: np.ndarray | None, target: np.ndarray
                  ) -> dict[str, tuple[np.ndarray, np.ndarray]] | None:
        return self.model.gradients(*self._rows(h, c), flat_rows(target))

    def products(self, batch_size: int) -> dict[str, list[Product]]:
        return self.model.products(batch_size * self.places)

    def _rows(self, h: np.ndarray, c: np.ndarray | None) -> tuple[np.ndarray, np.ndarray | None]:
        check_images("synthetic gradient's h", h)
        if c is not None:
            c = np.repeat(c, h.shape[1] * h.shape[2], axis=0)
        return flat_rows(h), c


class ChannelMeans(_OfImages):
    """The model sees m = the mean of each channel, and a pixel has its share of the gradient there.

    delta^[x, y] = M(m, c) / (H W), by the chain rule; the target for M is the gradient summed over
    the pixels, of which it can't tell one from another.
    """

    def predict(self, h: np.ndarray, c: np.ndarray | None) -> np.ndarray:
        share = self.model.predict(self._means(h), c) / (h.shape[1] * h.shape[2])
        return np.broadcast_to(share[:, None, None], h.shape)

    def learn_locally(self, h: np.ndarray, c: np.ndarray | None) -> None:
        self.model.learn_locally(self._means(h), c)

    def fit(self, h: np.ndarray, c: np.ndarray | None, target: np.ndarray) -> None:
        check_same_shape("synthetic gradient's target", target, h.shape)
        self.model.fit(self._means(h), c, target.sum(axis=(1, 2)))

    def gradients(self, h: np.ndarray, c: np.ndarray | None, target: np.ndarray
                  ) -> dict[str, tuple[np.ndarray, np.ndarray]] | None:
        return None  # of the error of the means, not of sum(||M(h, c) - target||^2) / 2

    def products(self, batch_size: int) -> dict[str, list[Product]]:
        return self.model.products(batch_size)

    def _means(self, h: np.ndarray) -> np.ndarray:
        check_images("synthetic gradient's h", h)
        return h.mean(axis=(1, 2))
