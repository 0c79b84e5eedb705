"""Deliberately wrong layers, losses and fits, most of them mistakes seen in real code.

Each entry of WRONG names what the gradient check must blame: the variables whose derivatives
disagree with finite differences, or words of the sentence about another broken promise.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from cases import Case, batch, elementwise, layer_case, recurrent_case

from sgdni.gradcheck import check_loss, check_synthetic
from sgdni.layers import LSTM, RNN, BatchNorm, Dense, Layer, ReLU, Sigmoid, Tanh
from sgdni.losses import MeanSquaredError, SoftmaxCrossEntropy
from sgdni.optimizers import SGD
from sgdni.synthetic import GradientFit, LinearSG


@dataclass(frozen=True)
class Wrong:
    case: Case
    variables: frozenset[str]  # exactly these fail
    violation: str | None  # and a sentence has these words; None: there is no such sentence


class TransposedW(Dense):
    def backward(self, dy):
        self.backward_params(dy)
        return dy @ self.params["W"]


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


class FinalStateForgotten(LSTM):
    """Only the outputs' gradients go back, as if nothing followed the window."""

    def backward_params(self, dy):
        return super().backward_params((dy[0], 0 * dy[1]))


class ResetNotInBackward(LSTM):
    """A gradient flows back into the episode before."""

    def _back_through_time(self, d_outputs, d_final):
        self._starts = None
        return super()._back_through_time(d_outputs, d_final)


class CellNotCarried(LSTM):
    """Forward through the whole window, the gradient of the cell through one step only."""

    def _back_through_time(self, d_outputs, d_final):
        self._gates[:-1, 1] = 0  # f
        return super()._back_through_time(d_outputs, d_final)


class ForgetGateOfNewCell(LSTM):
    """d_f with cell_t where cell_{t-1} belongs."""

    def _back_through_time(self, d_outputs, d_final):
        self._cell_before = np.arctanh(self._tanh_cell)
        return super()._back_through_time(d_outputs, d_final)


class TanhOfCell(LSTM):
    """The derivative of tanh(cell) taken as 1 - cell^2."""

    def _back_through_time(self, d_outputs, d_final):
        self._tanh_cell = np.arctanh(self._tanh_cell)
        return super()._back_through_time(d_outputs, d_final)


class TruncatedToOneStep(RNN):
    """Each step's gradient, but nothing of what it does to later ones."""

    def _back_through_time(self, d_outputs, d_final):
        d_a = d_outputs.copy()
        d_a[-1] += d_final
        d_a *= 1 - self._outputs**2
        return d_a, d_a[0] @ self.params["A"].T * ~self._starts[0][:, None]


class StateAfterStep(RNN):
    """dA with h_t where h_{t-1} belongs."""

    def backward_params(self, dy):
        self._h_before = self._outputs
        return super().backward_params(dy)


class StateShortCutDiffers(RNN):
    """backward is right; the state's gradient that comes without the window's is not."""

    def backward(self, dy):
        dx, d_state = super().backward(dy)
        return dx, 2 * d_state

    def backward_params(self, dy):
        return None, super().backward_params(dy)[1] / 2


class DeltaOverBatch(SoftmaxCrossEntropy):
    def __call__(self, h, y):
        losses, delta = super().__call__(h, y)
        return losses, delta / len(h)


class AllOverBatch(SoftmaxCrossEntropy):
    """Loss and gradient fit each other, but depend on the batch size."""

    def __call__(self, h, y):
        losses, delta = super().__call__(h, y)
        return losses / len(h), delta / len(h)


class NoOneHot(SoftmaxCrossEntropy):
    def __call__(self, h, y):
        losses, delta = super().__call__(h, y)
        delta[np.arange(len(h)), y] += 1
        return losses, delta


class FactorTwo(MeanSquaredError):
    """The gradient of half the loss."""

    def __call__(self, h, y):
        losses, delta = super().__call__(h, y)
        return losses, delta / 2


class LossAltersTarget(MeanSquaredError):
    def __call__(self, h, y):
        losses, delta = super().__call__(h, y)
        y -= h
        return losses, delta


class FitAwayFromTarget(GradientFit):
    def gradient(self, F, target):
        return -super().gradient(F, target)


class FitOnMean(GradientFit):
    """Averaged here and once more by the optimiser's scale."""

    def gradient(self, F, target):
        return super().gradient(F, target) / len(F)


class FitWithoutBias(GradientFit):
    def gradient(self, F, target):
        gradient = super().gradient(F, target)
        gradient[-1] = 0
        return gradient


class IgnoresContext(LinearSG):
    def predict(self, h, c):
        return super().predict(h, np.zeros_like(c))


class LearnsInSecret(LinearSG):
    """What it learns by itself is in no state."""

    gain = 1.0

    def predict(self, h, c):
        return self.gain * super().predict(h, c)

    def learn_locally(self, h, c):
        self.gain += 0.1


class LearnsOverPrediction(LinearSG):
    """predict returned this buffer, and the module is about to learn from it."""

    def learn_locally(self, h, c):
        self._delta += 1


class LearnsIntoItsInput(LinearSG):
    def learn_locally(self, h, c):
        h -= h.mean(axis=0)


def wrong(kind: type, check: str, variables: str = "", violation: str | None = None) -> Wrong:
    """Return an entry; `check` says how to build the case."""
    if check == "dense":
        case = layer_case("", lambda rng: kind(4, 4, rng, dtype=np.float64))
    elif check == "norm":
        case = layer_case("", lambda rng: kind(4, dtype=np.float64))
    elif check == "elementwise":
        case = layer_case("", elementwise(kind))
    elif check == "window":
        case = recurrent_case("", kind, starts=True)
    elif check == "labels":
        case = Case("", check_loss, lambda rng: (kind(), batch(rng, 4), rng.integers(0, 4, 7)))
    elif check == "targets":
        case = Case("", check_loss, lambda rng: (kind(), batch(rng, 3), batch(rng, 3)))
    else:
        model, fit = (kind, GradientFit) if issubclass(kind, LinearSG) else (LinearSG, kind)
        case = Case("", check_synthetic, lambda rng: (
            model(4, 3, fit(SGD(0.1)), np.float64), batch(rng, 4),
            np.eye(3)[rng.integers(0, 3, 7)], batch(rng, 4),
        ))
    case = replace(case, name=kind.__name__)
    return Wrong(case, frozenset(variables.split()), violation)


WRONG = [
    wrong(TransposedW, "dense", "x"),
    wrong(WAlreadyUpdated, "dense", "x", "not linear"),
    wrong(MissingBatchSum, "dense", "b"),
    wrong(BiasAveraged, "dense", "b"),
    wrong(NoBiasGradient, "dense", "b"),
    wrong(BiasKeyForgotten, "dense", "", "b: no gradient"),
    wrong(BiasGradientShape, "dense", "", "b: expected a gradient of shape (4,)"),
    wrong(Accumulates, "dense", "", "W: backward twice gives two gradients"),
    wrong(ParamsPathDiffers, "dense", "", "b: backward without the input's gradient"),
    wrong(StaleCache, "dense", "W"),
    wrong(NotANumber, "dense", "W", "W: the gradient is not finite"),
    wrong(ReplacesParameter, "dense", "", "forward replaced W"),
    wrong(AltersParameters, "dense", "", "backward altered W"),
    wrong(ReLUOnOutput, "elementwise", "x"),
    wrong(AltersInput, "elementwise", "", "forward altered x"),
    wrong(AltersCotangent, "elementwise", "", "backward altered the cotangent"),
    wrong(Noisy, "elementwise", "", "forward is not deterministic"),
    wrong(Clipped, "elementwise", "x", "x: backward is not linear"),
    wrong(TanhOfX, "elementwise", "x"),
    wrong(TanhOverwritesOutput, "elementwise", "", "backward altered the output of forward"),
    wrong(SigmoidMissingFactor, "elementwise", "x"),
    wrong(SinglePrecision, "elementwise", "", "expected a float64 array of 7 rows"),
    wrong(BatchNormNoMean, "norm", "x"),
    wrong(BatchNormNoXHat, "norm", "x"),
    wrong(BatchNormNoGamma, "norm", "x"),
    wrong(BatchNormNoStd, "norm", "x"),
    wrong(BatchNormGammaOfY, "norm", "gamma"),
    wrong(SoftmaxLayerMean, "elementwise", "x"),
    wrong(FinalStateForgotten, "window", "x0 x1 U A b"),
    wrong(ResetNotInBackward, "window", "x0 x1 U A b"),
    wrong(CellNotCarried, "window", "x0 x1 U A b"),
    wrong(ForgetGateOfNewCell, "window", "x0 x1 U A b"),
    wrong(TanhOfCell, "window", "x0 x1 U A b"),
    wrong(TruncatedToOneStep, "window", "x0 x1 U A b"),
    wrong(StateAfterStep, "window", "A"),
    wrong(StateShortCutDiffers, "window", "", "x1: backward without the input's gradient"),
    wrong(DeltaOverBatch, "labels", "h", "delta: depend on the rest of the batch"),
    wrong(AllOverBatch, "labels", "", "losses: depend on the rest of the batch"),
    wrong(NoOneHot, "labels", "h"),
    wrong(FactorTwo, "targets", "h"),
    wrong(LossAltersTarget, "targets", "", "the loss altered y"),
    wrong(FitAwayFromTarget, "synthetic", "A C b", "no nearer to the target"),
    wrong(FitOnMean, "synthetic", "A C b"),
    wrong(FitWithoutBias, "synthetic", "b"),
    wrong(IgnoresContext, "synthetic", "A C b", "predict ignores the context"),
    wrong(LearnsInSecret, "synthetic", "", "state lacks something that learn_locally changes"),
    wrong(LearnsOverPrediction, "synthetic", "", "learn_locally altered the prediction"),
    wrong(LearnsIntoItsInput, "synthetic", "", "learn_locally altered h"),
]
