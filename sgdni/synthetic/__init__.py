"""Synthetic-gradient models and how they are fitted; they know nothing of layers or modules."""

from sgdni.synthetic.base import SyntheticGradient
from sgdni.synthetic.fitting import Fit, FitError, GradientFit, LeastSquaresFit
from sgdni.synthetic.linear import LinearSG

__all__ = ["Fit", "FitError", "GradientFit", "LeastSquaresFit", "LinearSG", "SyntheticGradient"]
