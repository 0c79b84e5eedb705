"""Cuts by default: as many modules as workers, balanced by what their layers cost here."""

from __future__ import annotations

import os
from dataclasses import replace
from itertools import repeat

import numpy as np

from sgdni._util.checks import check_count
from sgdni.data import Dataset, scale_pixels
from sgdni.parallel.workers.ranks import world
from sgdni.runs.methods import build_network
from sgdni.runs.settings import Settings
from sgdni.timeline.balance import balanced_cuts
from sgdni.timeline.costs import measure_costs


def cores() -> int:
    """Return the number of cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def default_cuts(method: str, settings: Settings, data: Dataset) -> Settings:
    """Return the settings with cuts for workers, unless they say where, or need none.

    As many modules as the machine has cores, or MPI has ranks.

    Raises
    ------
    ValueError
        When runs have to repeat: then cuts have to be given.
    ImportError
        Where engine mpi cannot run.
    """
    if settings.engine == "sequential" or settings.cuts is not None:
        return settings
    if settings.deterministic:
        raise ValueError("deterministic: needs cuts; measured costs differ from run to run")
    if settings.engine != "mpi":
        return balance(method, settings, data)
    ranks = world()
    if not 1 < ranks.size <= len(settings.hidden) + 1:
        return settings  # whoever builds the schedule says how many ranks it needs
    # Costs differ from one measurement to the next, and all ranks need the same cuts.
    cuts = balance(method, settings, data, ranks.size).cuts if ranks.rank == 0 else None
    return replace(settings, cuts=ranks.bcast(cuts))


def balance(method: str, settings: Settings, data: Dataset,
            workers: int | None = None) -> Settings:
    """Return the settings with cuts that give each worker as equal a share as can be.

    Costs are measured on a throw-away network that is cut after every hidden layer. By default
    there is a worker for each core: at least two, and at most one for each layer. Raises ValueError
    for more workers than layers.
    """
    layers = len(settings.hidden) + 1
    if workers is None:
        workers = min(max(2, cores()), layers)
    check_count("workers", workers, 1, layers)
    size = min(settings.batch_size, len(data.x_train))
    x = scale_pixels(data.x_train[:size], np.dtype(settings.dtype))
    network = build_network(method, replace(settings, cuts=None), data.n_features, data.n_classes,
                            np.random.default_rng(0), data.image_shape)
    costs = measure_costs(network, repeat((x, data.y_train[:size])), repeats=20)
    return replace(settings, cuts=balanced_cuts(costs, workers, fit_every=settings.fit_every))
