"""Synthetic-gradient models and how they are fitted; they know nothing of modules."""

from sgdni.synthetic.base import SyntheticGradient
from sgdni.synthetic.convolutional import ConvSG
from sgdni.synthetic.fitting import Fit, FitError, GradientFit, LeastSquaresFit
from sgdni.synthetic.heads import Head, HiddenHead, LinearHead
from sgdni.synthetic.images import ChannelMeans, PerPixel
from sgdni.synthetic.inputs import ReluInput, SyntheticInput
from sgdni.synthetic.linear import LinearSG
from sgdni.synthetic.local_error import LocalErrorSG
from sgdni.synthetic.nothing import ZeroSG
from sgdni.synthetic.traces import TraceFit

__all__ = [
    "ChannelMeans", "ConvSG", "Fit", "FitError", "GradientFit", "Head", "HiddenHead",
    "LeastSquaresFit", "LinearHead", "LinearSG", "LocalErrorSG", "PerPixel", "ReluInput",
    "SyntheticGradient", "SyntheticInput", "TraceFit", "ZeroSG",
]
