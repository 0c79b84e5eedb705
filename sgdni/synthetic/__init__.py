"""Synthetic-gradient models and how they are fitted; they know nothing of modules."""

from sgdni.synthetic.base import SyntheticGradient
from sgdni.synthetic.convolutional import ConvSG
from sgdni.synthetic.feedback import (
    DirectFeedbackSG,
    FeedbackAlignmentSG,
    KickbackSG,
    SignSymmetricSG,
)
from sgdni.synthetic.fitting import Fit, FitError, GradientFit, LeastSquaresFit
from sgdni.synthetic.heads import Head, HiddenHead, LinearHead
from sgdni.synthetic.images import ChannelMeans, PerPixel
from sgdni.synthetic.inputs import ReluInput, SyntheticInput
from sgdni.synthetic.linear import LinearSG
from sgdni.synthetic.local_error import LocalErrorSG
from sgdni.synthetic.nothing import ZeroSG
from sgdni.synthetic.traces import TraceFit

__all__ = [
    "ChannelMeans", "ConvSG", "DirectFeedbackSG", "FeedbackAlignmentSG", "Fit", "FitError",
    "GradientFit", "Head", "HiddenHead", "KickbackSG", "LeastSquaresFit", "LinearHead", "LinearSG",
    "LocalErrorSG", "PerPixel", "ReluInput", "SignSymmetricSG", "SyntheticGradient",
    "SyntheticInput", "TraceFit", "ZeroSG",
]
