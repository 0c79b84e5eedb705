"""Deliberately wrong layers, most of them mistakes seen in real code."""

from __future__ import annotations

import copy

import numpy as np

from sgdni.layers import BatchNorm, Dense, Layer, ReLU, Sigmoid, Tanh


class TransposedW(Dense):
    def backward(self, dy):
        self.backward_params(dy)
        return dy @ self.params["W"]


class TwinSharesMemory(Dense):
    """Its twin is another object that works in the same arrays."""

    def twin(self):
        return copy.copy(self)

    def forward(self, x, training=True):
        kept = self.scratch("x", x.shape, x.dtype)
        kept[...] = x
        return super().forward(kept, training)


class TwinOfOldWeights(Dense):
    def twin(self):
        return copy.deepcopy(self)


class HoldsItsWeights(Dense):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.W = self.params["W"]

    def backward(self, dy):
        self.backward_params(dy)
        return dy @ self.W.T


class TrainsNothing(Layer):
    """Its slope stands where no optimiser looks; the gradient of x is right."""

    def __init__(self, dtype=np.float64):
        super().__init__()
        self.slope = np.full((), 0.7, dtype)

    def forward(self, x, training=True):
        return self.slope * x

    def backward(self, dy):
        return self.slope * dy


class HoldsItsGradient(Dense):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._dW = self.grads["W"]

    def backward_params(self, dy):
        super().backward_params(dy)
        self.grads["W"][...] = 0
        np.matmul(self._x.T, dy, out=self._dW)


class WAlreadyUpdated(Dense):
    """dx with other weights than the forward pass had."""

    def backward(self, dy):
        self.backward_params(dy)
        return dy @ (self.params["W"] - 0.01 * self.grads["W"]).T


class MissingBatchSum(Dense):
    """The bias gets the gradient of one example."""

    def backward_params(self, dy):
        super().backward_params(dy)
        self.grads["b"][...] = dy[-1]


class BiasAveraged(Dense):
    """The weights' gradient is summed over the batch, the bias's averaged."""

    def backward_params(self, dy):
        super().backward_params(dy)
        self.grads["b"] /= len(dy)


class NoBiasGradient(Dense):
    def backward_params(self, dy):
        np.matmul(self._x.T, dy, out=self.grads["W"])


class BiasKeyForgotten(Dense):
    def backward_params(self, dy):
        self.grads = {"W": self._x.T @ dy}


class BiasGradientShape(Dense):
    def backward_params(self, dy):
        self.grads = {"W": self._x.T @ dy, "b": dy.sum(axis=0, keepdims=True)}


class Accumulates(Dense):
    def backward_params(self, dy):
        self.grads["W"] += self._x.T @ dy
        np.sum(dy, axis=0, out=self.grads["b"])


class ParamsPathDiffers(Dense):
    """backward is right; the short cut taken by the lowest layer is not."""

    def backward(self, dy):
        super().backward_params(dy)
        return dy @ self.params["W"].T

    def backward_params(self, dy):
        super().backward_params(dy / len(dy))


class StaleCache(Dense):
    """Remembers the first minibatch for ever."""

    def forward(self, x, training=True):
        first = getattr(self, "_x", x)
        y = super().forward(x, training)
        self._x = first.copy()
        return y


class NotANumber(Dense):
    def backward_params(self, dy):
        super().backward_params(dy)
        self.grads["W"][0, 1] = np.nan


class ReplacesParameter(Dense):
    def forward(self, x, training=True):
        self.params["W"] = self.params["W"].copy()
        return super().forward(x, training)


class ReLUOnOutput(ReLU):
    """The derivative asked of the output, with >=: always true."""

    def forward(self, x, training=True):
        y = super().forward(x, training)
        self._positive = y >= 0
        return y


class AltersInput(ReLU):
    def forward(self, x, training=True):
        return np.maximum(x, 0, out=x)


class AltersCotangent(ReLU):
    def backward(self, dy):
        dy *= self._positive
        return dy


class AltersParameters(Dense):
    """Weight decay hidden in backward."""

    def backward(self, dy):
        dx = super().backward(dy)
        self.params["W"] *= 0.99
        return dx


class Noisy(ReLU):
    """Dropout: a new mask in each forward pass."""

    noise = np.random.default_rng(0)

    def forward(self, x, training=True):
        return super().forward(x, training) * (self.noise.random(x.shape) < 0.5)


class Clipped(Tanh):
    """Gradient clipping is no vector-Jacobian product."""

    def backward(self, dy):
        return super().backward(np.clip(dy, -0.5, 0.5))


class TanhOfX(Tanh):
    """1 - x^2 for 1 - y^2."""

    def forward(self, x, training=True):
        y = super().forward(x, training)
        self._x = x.copy()
        return y

    def backward(self, dy):
        return dy * (1 - self._x**2)


class TanhOverwritesOutput(Tanh):
    """Works in y's memory, though somebody above still needs y."""

    def backward(self, dy):
        self._y *= self._y
        np.subtract(1, self._y, out=self._y)
        return dy * self._y


class SigmoidMissingFactor(Sigmoid):
    def backward(self, dy):
        return dy * self._y


class SinglePrecision(Sigmoid):
    def forward(self, x, training=True):
        return super().forward(x, training).astype(np.float32)


class BatchNormPart(BatchNorm):
    """The right backward in parts, for subclasses to leave one out."""

    mean = x_hat = gamma = inverse_std = True

    def backward(self, dy):
        super().backward(dy)
        dx = dy.copy()
        if self.mean:
            dx -= dy.mean(axis=0)
        if self.x_hat:
            x_hat = self._centred * self._inverse_std
            dx -= x_hat * (dy * x_hat).mean(axis=0)
        if self.gamma:
            dx *= self.params["gamma"]
        if self.inverse_std:
            dx *= self._inverse_std
        return dx


class BatchNormNoMean(BatchNormPart):
    mean = False


class BatchNormNoXHat(BatchNormPart):
    x_hat = False


class BatchNormNoGamma(BatchNormPart):
    gamma = False


class BatchNormNoStd(BatchNormPart):
    inverse_std = False


class BatchNormGammaOfY(BatchNorm):
    """The gradient of gamma taken with y, gamma and beta included, for x_hat."""

    def forward(self, x, training=True):
        self._out = super().forward(x, training)
        return self._out

    def backward(self, dy):
        dx = super().backward(dy)
        np.sum(dy * self._out, axis=0, out=self.grads["gamma"])
        return dx


class SoftmaxLayer(Layer):
    """y = softmax(x); right."""

    def forward(self, x, training=True):
        e = np.exp(x - x.max(axis=1, keepdims=True))
        self._y = e / e.sum(axis=1, keepdims=True)
        return self._y.copy()

    def backward(self, dy):
        return self._y * (dy - np.sum(dy * self._y, axis=1, keepdims=True))


class SoftmaxLayerMean(SoftmaxLayer):
    """The mean of dy where its mean weighted by y belongs."""

    def backward(self, dy):
        return self._y * (dy - dy.mean(axis=1, keepdims=True))
