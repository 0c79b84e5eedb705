"""The list of what is deliberately wrong, and what the gradient check must say of it.

Each entry of WRONG names what it must blame: the variables whose derivatives disagree with finite
differences, or words of the sentence about another broken promise.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import wrong_layers as layers
import wrong_models as models
import wrong_recurrent as recurrent
from cases import Case, batch, elementwise, layer_case, recurrent_case

from sgdni.gradcheck import check_loss, check_synthetic
from sgdni.optimizers import SGD
from sgdni.synthetic import Fit, GradientFit, LinearSG


@dataclass(frozen=True)
class Wrong:
    case: Case
    variables: frozenset[str]  # exactly these fail
    violation: str | None  # and a sentence has these words; None: there is no such sentence


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
    elif not issubclass(kind, LinearSG | Fit):
        raise ValueError(f"{kind.__name__}: no way to build a case for {check!r}")
    else:
        model, fit = (kind, GradientFit) if issubclass(kind, LinearSG) else (LinearSG, kind)
        case = Case("", check_synthetic, lambda rng: (
            model(4, 3, fit(SGD(0.1)), np.float64), batch(rng, 4),
            np.eye(3)[rng.integers(0, 3, 7)], batch(rng, 4),
        ))
    case = replace(case, name=kind.__name__)
    return Wrong(case, frozenset(variables.split()), violation)


WRONG = [
    wrong(layers.TransposedW, "dense", "x"),
    wrong(layers.WAlreadyUpdated, "dense", "x", "not linear"),
    wrong(layers.MissingBatchSum, "dense", "b"),
    wrong(layers.BiasAveraged, "dense", "b"),
    wrong(layers.NoBiasGradient, "dense", "b"),
    wrong(layers.BiasKeyForgotten, "dense", "", "b: no gradient"),
    wrong(layers.BiasGradientShape, "dense", "", "gradient of b: expected float64 of shape (4,)"),
    wrong(layers.Accumulates, "dense", "", "W: backward twice gives two gradients"),
    wrong(layers.ParamsPathDiffers, "dense", "", "b: backward without the input's gradient"),
    wrong(layers.StaleCache, "dense", "W"),
    wrong(layers.NotANumber, "dense", "W", "gradient of W: expected finite values"),
    wrong(layers.TwinSharesMemory, "dense", "", "do not keep their forward passes apart"),
    wrong(layers.TwinOfOldWeights, "dense", "", "a twin has other parameters than its original"),
    wrong(layers.HoldsItsWeights, "dense", "", "other arrays in params and grads are not used"),
    wrong(layers.TrainsNothing, "elementwise", "", "slope: an array outside of params"),
    wrong(layers.HoldsItsGradient, "dense", "", "other arrays in params and grads are not used"),
    wrong(layers.ReplacesParameter, "dense", "", "forward replaced W"),
    wrong(layers.AltersParameters, "dense", "", "backward altered W"),
    wrong(layers.ReLUOnOutput, "elementwise", "x"),
    wrong(layers.AltersInput, "elementwise", "", "forward altered x"),
    wrong(layers.AltersCotangent, "elementwise", "", "backward altered the cotangent"),
    wrong(layers.Noisy, "elementwise", "", "forward is not deterministic"),
    wrong(layers.Clipped, "elementwise", "x", "x: backward is not linear"),
    wrong(layers.TanhOfX, "elementwise", "x"),
    wrong(layers.TanhOverwritesOutput, "elementwise", "", "backward altered the output of forward"),
    wrong(layers.SigmoidMissingFactor, "elementwise", "x"),
    wrong(layers.SinglePrecision, "elementwise", "", "returned: expected float64 of shape (7, 4)"),
    wrong(layers.BatchNormNoMean, "norm", "x"),
    wrong(layers.BatchNormNoXHat, "norm", "x"),
    wrong(layers.BatchNormNoGamma, "norm", "x"),
    wrong(layers.BatchNormNoStd, "norm", "x"),
    wrong(layers.BatchNormGammaOfY, "norm", "gamma"),
    wrong(layers.SoftmaxLayerMean, "elementwise", "x"),
    wrong(recurrent.FinalStateForgotten, "window", "x0 x1 U A b"),
    wrong(recurrent.ResetNotInBackward, "window", "x0 x1 U A b"),
    wrong(recurrent.CellNotCarried, "window", "x0 x1 U A b"),
    wrong(recurrent.ForgetGateOfNewCell, "window", "x0 x1 U A b"),
    wrong(recurrent.TanhOfCell, "window", "x0 x1 U A b"),
    wrong(recurrent.TruncatedToOneStep, "window", "x0 x1 U A b"),
    wrong(recurrent.StateAfterStep, "window", "A"),
    wrong(recurrent.StateShortCutDiffers, "window", "",
          "x1: backward without the input's gradient"),
    wrong(models.DeltaOverBatch, "labels", "h", "delta: depend on the rest of the batch"),
    wrong(models.AllOverBatch, "labels", "", "losses: depend on the rest of the batch"),
    wrong(models.NoOneHot, "labels", "h"),
    wrong(models.FactorTwo, "targets", "h"),
    wrong(models.LossAltersTarget, "targets", "", "the loss altered y"),
    wrong(models.FitAwayFromTarget, "synthetic", "A C b", "no nearer to the target"),
    wrong(models.FitOnMean, "synthetic", "A C b"),
    wrong(models.FitWithoutBias, "synthetic", "b"),
    wrong(models.IgnoresContext, "synthetic", "A C b", "predict ignores the context"),
    wrong(models.LearnsInSecret, "synthetic", "",
          "state lacks something that learn_locally changes"),
    wrong(models.LearnsOverPrediction, "synthetic", "", "learn_locally altered the prediction"),
    wrong(models.LearnsIntoItsInput, "synthetic", "", "learn_locally altered h"),
]
