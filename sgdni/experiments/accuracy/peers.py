"""Yardsticks: the same network trained by PyTorch eager and by scikit-learn's MLPClassifier.

Neither is imported unless asked for, and the package proper never needs them. PyTorch starts from
our weights and sees our minibatches in our order; scikit-learn draws its own, has no batch
normalisation, and so compares sizes and speed rather than the very same run.
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
from sgdni.training.batches import minibatches


def available(blas_threads: int = 1) -> tuple[list[Contender], list[str]]:
    """Return the peers that are installed, as contenders, and the names of the others."""
    peers = {"pytorch": ("torch", TorchPeer), "scikit-learn": ("sklearn", SklearnPeer)}
    here = {name for name, (package, _) in peers.items() if importlib.util.find_spec(package)}
    return [
        Contender(name, blas_threads=blas_threads,
                  build=partial(build, blas_threads=blas_threads))
        for name, (_, build) in peers.items() if name in here
    ], [name for name in peers if name not in here]


class Peer:
    """What both share: nothing waits for another epoch."""

    def dismiss(self) -> None:
        pass


class TorchPeer(Peer):
    """PyTorch eager, as a contender."""

    def __init__(self, settings: Settings, data: Dataset, blas_threads: int = 1) -> None:
        # Our own backprop trainer, never trained: the source of weights and minibatch order.
        twin = build_trainer("backprop", settings, data)
        self.settings, self.data, self.rng = settings, data, twin.rng
        self.dtype, self.blas_threads = np.dtype(settings.dtype), blas_threads
        self.history: list[EpochRecord] = []
        layers = [layer for m in twin.schedule.network.modules for layer in m.layers]
        self.model = torch_model(layers)
        self.optimizer = torch_optimizer(self.model, settings)

    def epoch(self) -> EpochRecord:
        import torch

        torch.set_num_threads(self.blas_threads)  # its own BLAS, which our pinning misses
        x, y, size = self.data.x_train, self.data.y_train, self.settings.batch_size
        losses, right = [], 0
        self.model.train()
        started = time.perf_counter()
        for x_batch, y_batch in minibatches(x, y, size, self.rng, self.dtype):
            loss, h = torch_step(self.model, self.optimizer, x_batch, y_batch)
            losses.append(loss)
            right += int((h.argmax(axis=1) == y_batch).sum())
        seconds = time.perf_counter() - started
        self.model.eval()
        with torch.no_grad():
            h = self.model(torch.from_numpy(scale_pixels(self.data.x_test, self.dtype)))
            labels = torch.from_numpy(np.array(self.data.y_test))
            test_loss = float(torch.nn.functional.cross_entropy(h, labels))
            test_accuracy = float((h.argmax(dim=1) == labels).double().mean())
        return _record(self.history, losses, right / (len(losses) * size), test_loss,
                       test_accuracy, seconds)


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

        self.data, self.settings = data, settings
        self.dtype = np.dtype(settings.dtype)
        self.history: list[EpochRecord] = []
        activation = {"relu": "relu", "tanh": "tanh", "sigmoid": "logistic"}[settings.activation]
        self.model = MLPClassifier(
            settings.hidden, activation=activation, solver=settings.optimizer,
            alpha=settings.weight_decay, batch_size=settings.batch_size, momentum=settings.momentum,
            nesterovs_momentum=False, learning_rate_init=settings.lr, random_state=settings.seed,
        )

    def epoch(self) -> EpochRecord:
        data = self.data
        x_train, x_test = (scale_pixels(x, self.dtype) for x in (data.x_train, data.x_test))
        started = time.perf_counter()
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")  # advice on convergence, of no use after one epoch
            self.model.partial_fit(x_train, data.y_train, classes=range(data.n_classes))
        seconds = time.perf_counter() - started
        p = self.model.predict_proba(x_test)
        true = np.clip(p[np.arange(len(p)), data.y_test], np.finfo(p.dtype).tiny, None)
        # It trains on the rest too, which our minibatches leave out: whole steps, rounded.
        steps = round(len(x_train) / self.settings.batch_size)
        return _record(self.history, [self.model.loss_] * steps, float("nan"),
                       float(-np.log(true).mean()),
                       float((p.argmax(axis=1) == data.y_test).mean()), seconds)


def _record(history: list[EpochRecord], losses: list[float], train_accuracy: float,
            test_loss: float, test_accuracy: float, seconds: float) -> EpochRecord:
    before = history[-1].total_seconds if history else 0.0
    record = EpochRecord(
        epoch=len(history) + 1, steps=len(losses), train_loss=float(np.mean(losses)),
        train_accuracy=train_accuracy, test_loss=test_loss, test_accuracy=test_accuracy,
        train_seconds=seconds, total_seconds=before + seconds,
    )
    history.append(record)
    return record
