"""Modules, the interfaces between them, and the networks they make."""

from sgdni.networks.blocks import ACTIVATIONS, hidden_block
from sgdni.networks.cnn import build_cnn
from sgdni.networks.interface import Interface, no_context, one_hot
from sgdni.networks.mlp import build_mlp
from sgdni.networks.module import Module
from sgdni.networks.network import Network

__all__ = ["ACTIVATIONS", "Interface", "Module", "Network", "build_cnn", "build_mlp",
           "hidden_block", "no_context", "one_hot"]
