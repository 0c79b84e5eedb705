"""Cuts: the busiest worker gets the least that can be, by costs given and by costs measured."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers import TINY, blobs

from sgdni.runs.cuts import balance
from sgdni.timeline import ModuleCost
from sgdni.timeline.balance import balanced_cuts


def test_cuts_give_the_busiest_worker_the_least():
    def layer(seconds):
        return ModuleCost(seconds, 0.0)
    assert balanced_cuts([layer(s) for s in (4, 1, 1, 1, 1)], 2) == (1,)
    assert balanced_cuts([layer(s) for s in (1, 1, 1, 1, 4)], 2) == (4,)
    assert balanced_cuts([layer(s) for s in (1, 1, 1, 1, 1, 1)], 3) == (2, 4)
    assert balanced_cuts([layer(s) for s in (1, 2)], 1) == ()
    # predicting at the first interface costs more than the fourth layer
    dear = [ModuleCost(2, 0, 0, 9), layer(1), layer(1), layer(3)]
    assert balanced_cuts(dear, 2) == (2,)
    # fitting costs a k-th: then the cut may stand at the dear interface
    fitted = [ModuleCost(2, 0, 0, 0, 9), layer(1), layer(1)]
    assert balanced_cuts(fitted, 2) == (2,)
    assert balanced_cuts(fitted, 2, fit_every=100) == (1,)
    with pytest.raises(ValueError, match="workers"):
        balanced_cuts(fitted, 4)


def test_balance_by_measured_cost():
    data = blobs(np.random.default_rng(0), n_features=2000)
    settings = replace(TINY, hidden=(400, 4, 4, 4))  # the lowest layer costs nearly everything
    assert balance("backprop", settings, data, 2).cuts == (1,)
    assert len(balance("cdni-ls", settings, data, 3).cuts) == 2
    with pytest.raises(ValueError, match="workers"):
        balance("cdni-ls", settings, data, 6)
