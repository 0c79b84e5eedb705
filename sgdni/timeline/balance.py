"""Where to cut a network so that no worker has much more to do than another."""

from __future__ import annotations

from collections.abc import Sequence

from sgdni._util.checks import check_count
from sgdni.timeline.costs import ModuleCost


def merged(costs: Sequence[ModuleCost], cuts: Sequence[int]) -> list[ModuleCost]:
    """Return what the modules cost that a network has when it is cut in fewer places.

    Inside a module plain backprop runs: only its lowest layer's gradient is a target, which may
    be left out on most steps, and only its highest layer has an SG model.

    Parameters
    ----------
    costs : of every layer as a module of its own, bottom to top
    cuts : layers, counted from 1, after which to cut, in order

    Raises
    ------
    ValueError
        For cuts that do not rise or are not between two layers.
    """
    ends = [0, *cuts, len(costs)]
    if any(start >= end for start, end in zip(ends, ends[1:], strict=False)):
        raise ValueError(f"merged: expected rising cuts from 1 to {len(costs) - 1}, got {cuts}")
    return [_module(costs[start:end]) for start, end in zip(ends, ends[1:], strict=False)]


def _module(layers: Sequence[ModuleCost]) -> ModuleCost:
    return ModuleCost(
        sum(c.forward for c in layers),
        sum(c.learn for c in layers) + sum(c.target for c in layers[1:]),
        layers[0].target, layers[-1].predict, layers[-1].fit, sum(c.nbytes for c in layers),
    )


def balanced_cuts(costs: Sequence[ModuleCost], workers: int, *, fit_every: int = 1
                  ) -> tuple[int, ...]:
    """Return the cuts after which the busiest worker has the least to do for a minibatch.

    Parameters
    ----------
    costs : of every layer as a module of its own, bottom to top
    workers : number of modules to make, at most one for each layer
    fit_every : k, as for Decoupled

    Returns
    -------
    tuple of int
        Layers, counted from 1, after which to cut; of equals the lowest.

    Raises
    ------
    ValueError
        For a number of workers out of range.
    """
    layers = len(costs)
    check_count("workers", workers, 1, layers)

    def busy(start: int, end: int) -> float:
        """Seconds of a worker that has layers start .. end - 1."""
        mine = _module(costs[start:end])
        seconds = mine.forward + mine.learn
        if start > 0:
            seconds += mine.target / fit_every
        if end < layers:
            seconds += mine.predict + mine.fit / fit_every
        return seconds

    # best[end]: the least that the busiest of `count` workers has to do, and its cuts, for the
    # layers below `end`; filled in for one worker more at a time.
    best = {end: (busy(0, end), ()) for end in range(1, layers + 1)}
    for count in range(2, workers + 1):
        best = {
            end: min(
                (max(best[cut][0], busy(cut, end)), (*best[cut][1], cut))
                for cut in range(count - 1, end)
            )
            for end in range(count, layers + 1)
        }
    return best[layers][1]
