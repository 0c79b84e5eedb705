"""Layers with hand-written forward and backward passes; they know nothing of what is above."""

from sgdni.layers.activations import ReLU, Sigmoid, Tanh
from sgdni.layers.base import Layer
from sgdni.layers.batchnorm import BatchNorm
from sgdni.layers.conv2d import Conv2D
from sgdni.layers.dense import Dense
from sgdni.layers.lstm import LSTM
from sgdni.layers.pooling import AvgPool2D, MaxPool2D
from sgdni.layers.rnn import RNN
from sgdni.layers.shape import Flatten, Unflatten

__all__ = ["LSTM", "RNN", "AvgPool2D", "BatchNorm", "Conv2D", "Dense", "Flatten", "Layer",
           "MaxPool2D", "ReLU", "Sigmoid", "Tanh", "Unflatten"]
