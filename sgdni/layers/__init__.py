"""Layers with hand-written forward and backward passes; they know nothing of what is above."""

from sgdni.layers.activations import ReLU, Sigmoid, Tanh
from sgdni.layers.base import Layer
from sgdni.layers.batchnorm import BatchNorm
from sgdni.layers.dense import Dense
from sgdni.layers.lstm import LSTM
from sgdni.layers.rnn import RNN

__all__ = ["LSTM", "RNN", "BatchNorm", "Dense", "Layer", "ReLU", "Sigmoid", "Tanh"]
