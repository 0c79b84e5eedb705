"""Deliberately wrong losses, fits and SG models."""

from __future__ import annotations

import numpy as np

from sgdni.losses import MeanSquaredError, SoftmaxCrossEntropy
from sgdni.synthetic import GradientFit, LinearSG


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
