"""Decoupled neural interfaces with synthetic gradients, in pure NumPy.

The names below are those that people use. Read the package from the bottom up; nothing imports
from a room that stands below it in this list:

    _util           checks of arrays, files, memory, threads of BLAS
    plotting        colours that every figure uses
    layers          forward and backward, by hand
    losses, optimizers
    synthetic       SG models M_i and how they are fitted
    networks        modules, the interfaces between them, networks, builders
    gradcheck       finite differences against everything written by hand
    data            data sets: known ones, loading, download
    schedules       who does what when, in one thread: the algorithms
    parallel        the same with a worker for each module
    analysis        what training did: quality of SGs, end points, implied losses, similarity
    training        the epoch loop, evaluation, checkpoints
    timeline        who waits for whom: costs, schedules played through, Gantt charts
    runs            settings, methods by name, cuts by measured cost
    experiments     comparisons, each repeated with one command
    cli             the command line
"""

from sgdni._util.version import __version__
from sgdni.data import Dataset, load
from sgdni.gradcheck import check_layer, check_synthetic
from sgdni.layers import LSTM, RNN, BatchNorm, Dense, Layer, ReLU, Sigmoid, Tanh
from sgdni.losses import MeanSquaredError, SoftmaxCrossEntropy
from sgdni.networks import Interface, Module, Network, build_mlp
from sgdni.optimizers import SGD, Adam
from sgdni.parallel import Asynchronous, ModelParallel
from sgdni.runs.methods import build_trainer
from sgdni.runs.settings import Settings
from sgdni.schedules import Backprop, Decoupled, Schedule, StepResult
from sgdni.synthetic import (
    GradientFit,
    HiddenHead,
    LeastSquaresFit,
    LinearHead,
    LinearSG,
    LocalErrorSG,
    SyntheticGradient,
)
from sgdni.training import Trainer

__all__ = [
    "LSTM", "RNN", "SGD", "Adam", "Asynchronous", "Backprop", "BatchNorm", "Dataset", "Decoupled",
    "Dense", "GradientFit", "HiddenHead", "Interface", "Layer", "LeastSquaresFit", "LinearHead",
    "LinearSG", "LocalErrorSG", "MeanSquaredError", "ModelParallel", "Module", "Network", "ReLU",
    "Schedule", "Settings", "Sigmoid", "SoftmaxCrossEntropy", "StepResult", "SyntheticGradient",
    "Tanh", "Trainer", "__version__", "build_mlp", "build_trainer", "check_layer",
    "check_synthetic", "load",
]
