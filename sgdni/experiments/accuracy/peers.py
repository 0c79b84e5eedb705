"""Yardsticks: the same network trained by PyTorch eager and by scikit-learn's MLPClassifier.

Neither is imported unless asked for, and the package proper never needs them. PyTorch starts from
our weights, scikit-learn from its own. Both see our minibatches in our order. scikit-learn has no
batch normalisation, and so compares sizes and speed rather than the very same run.
"""

from __future__ import annotations

import importlib.util
import time
import warnings
from functools import partial

import numpy as np

from sgdni.data import Dataset, scale_pixels
from sgdni.experiments.contenders import Contender
from sgdni.layers import BatchNorm, Dense, ReLU, Sigmoid, Tanh
from sgdni.runs.methods import build_trainer
from sgdni.runs.settings import Settings
from sgdni.training import EpochRecord
from sgdni.training.batches import Minibatches


def available(blas_threads: int = 1) -> tuple[list[Contender], list[str]]:
    """Return the peers that are installed, as contenders, and the names of the others."""
    peers = {"pytorch": ("torch", TorchPeer), "scikit-learn": ("sklearn", SklearnPeer)}
    found = [Contender(name, blas_threads=blas_threads,
                       build=partial(peer, blas_threads=blas_threads))
             for name, (package, peer) in peers.items() if importlib.util.find_spec(package)]
    return found, [name for name in peers if name not in [c.name for c in found]]


class Peer:
    """Another library's training, recorded like ours.

    A subclass has `train`, an epoch that returns each step's loss and the training accuracy, and
    `scores`, the logarithms (B, classes) of the probabilities.
    """

    def __init__(self, settings: Settings, data: Dataset, blas_threads: int = 1) -> None:
        self.settings, self.data, self.blas_threads = settings, data, blas_threads
        self.dtype = np.dtype(settings.dtype)
        # Our own backprop trainer, never trained: the source of weights and minibatch order.
        twin = build_trainer("backprop", settings, data)
        self.modules = twin.schedule.network.modules
        # Of `examples`, not of `x_train`, which need not be what is trained on.
        self.batches = Minibatches(data.examples(), settings.batch_size, twin.rng, self.dtype)
        self.history: list[EpochRecord] = []

    def epoch(self) -> EpochRecord:
        started = time.perf_counter()
        losses, train_accuracy = self.train()
        seconds = time.perf_counter() - started
        y = self.data.y_test
        scores = self.scores(scale_pixels(self.data.x_test, self.dtype))
        before = self.history[-1].total_seconds if self.history else 0.0
        self.history.append(EpochRecord(
            epoch=len(self.history) + 1, steps=len(losses), train_loss=float(np.mean(losses)),
            train_accuracy=train_accuracy, test_loss=-float(scores[np.arange(len(y)), y].mean()),
            test_accuracy=float((scores.argmax(axis=1) == y).mean()),
            train_seconds=seconds, total_seconds=before + seconds,
        ))
        return self.history[-1]

    def dismiss(self) -> None:
        """Nothing waits for another epoch."""


class TorchPeer(Peer):
    """PyTorch eager, as a contender."""

    def __init__(self, settings: Settings, data: Dataset, blas_threads: int = 1) -> None:
        super().__init__(settings, data, blas_threads)
        self.model = torch_model([layer for m in self.modules for layer in m.layers])
        self.optimizer = torch_optimizer(self.model, settings)

    def train(self) -> tuple[list[float], float]:
        import torch

        torch.set_num_threads(self.blas_threads)  # its own BLAS, which our pinning misses
        losses, right = [], []
        self.model.train()
        for x, y in self.batches:
            loss, h = torch_step(self.model, self.optimizer, x, y)
            losses.append(loss)
            right.append((h.argmax(axis=1) == y).mean())
        return losses, float(np.mean(right))

    def scores(self, x: np.ndarray) -> np.ndarray:
        import torch

        self.model.eval()
        with torch.no_grad():
            return torch.log_softmax(self.model(torch.from_numpy(x)), dim=1).numpy()


def torch_model(layers: list):
    """Return a torch.nn.Sequential with the weights of these layers."""
    import torch

    plain = {ReLU: torch.nn.ReLU, Tanh: torch.nn.Tanh, Sigmoid: torch.nn.Sigmoid}
    parts = []
    for layer in layers:
        if isinstance(layer, Dense):
            part = torch.nn.Linear(layer.n_in, layer.n_out, bias="b" in layer.params)
            part.weight.data = torch.from_numpy(layer.params["W"].T.copy())
            if "b" in layer.params:
                part.bias.data = torch.from_numpy(layer.params["b"].copy())
        elif isinstance(layer, BatchNorm):
            part = torch.nn.BatchNorm1d(layer.n, eps=layer.eps, momentum=layer.momentum)
            part = part.to(torch.from_numpy(layer.params["gamma"]).dtype)
        else:
            part = plain[type(layer)]()
        parts.append(part)
    return torch.nn.Sequential(*parts)


def torch_optimizer(model, settings: Settings):
    """Return PyTorch's optimiser with our settings."""
    import torch

    if settings.optimizer == "adam":
        return torch.optim.Adam(model.parameters(), settings.lr,
                                weight_decay=settings.weight_decay)
    return torch.optim.SGD(model.parameters(), settings.lr, momentum=settings.momentum,
                           weight_decay=settings.weight_decay)


def torch_step(model, optimizer, x: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray]:
    """Train on one minibatch in PyTorch; return the mean loss and the logits."""
    import torch

    h = model(torch.from_numpy(x))
    loss = torch.nn.functional.cross_entropy(h, torch.from_numpy(y))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item(), h.detach().numpy()


class SklearnPeer(Peer):
    """scikit-learn's MLPClassifier, as a contender; one `partial_fit` is one epoch."""

    def __init__(self, settings: Settings, data: Dataset, blas_threads: int = 1) -> None:
        from sklearn.neural_network import MLPClassifier

        super().__init__(settings, data, blas_threads)
        # All minibatches of a pass in one, which scikit-learn cuts up again in this order.
        steps, size = self.batches.steps, self.batches.batch_size
        self.passes = Minibatches(data.examples(), steps * size, self.batches.rng, self.dtype)
        activation = {"relu": "relu", "tanh": "tanh", "sigmoid": "logistic"}[settings.activation]
        self.model = MLPClassifier(
            settings.hidden, activation=activation, solver=settings.optimizer,
            alpha=settings.weight_decay, batch_size=settings.batch_size, momentum=settings.momentum,
            nesterovs_momentum=False, learning_rate_init=settings.lr, random_state=settings.seed,
            shuffle=False,
        )

    def train(self) -> tuple[list[float], float]:
        [(x, y)] = self.passes
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")  # advice on convergence, of no use after one epoch
            self.model.partial_fit(x, y, classes=range(self.data.n_classes))
        return [self.model.loss_] * self.batches.steps, float("nan")

    def scores(self, x: np.ndarray) -> np.ndarray:
        p = self.model.predict_proba(x)
        return np.log(np.clip(p, np.finfo(p.dtype).tiny, None))
