"""Checks of the exercises to lesson 4, decoupled training."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sgdni.losses import SoftmaxCrossEntropy
from sgdni.networks import Interface, Network, build_mlp
from sgdni.optimizers import SGD
from sgdni.schedules import Decoupled
from sgdni.synthetic import GradientFit, LinearSG
from sgdni_course.answers import ask, compare, well_done

B, N = 6, 4  # N classes and N hidden units, so that mixed-up gradients still fit


def check_decoupled_step(decoupled_step: Callable) -> None:
    """Check ``decoupled_step(bottom, top, sg, loss, x, y, c) -> mean loss``.

    It is run on a small network whose model is trained already, beside sgdni's own schedule.
    """
    rng = np.random.default_rng(1)
    x, y = rng.standard_normal((B, 5)), rng.integers(0, N, B)
    right = _network()
    [c] = right.context(x, y)
    result = Decoupled(right).step(x, y)
    yours = _network()
    loss, = ask(decoupled_step, *yours.modules, yours.interfaces[0].model, yours.loss, x, y, c)
    wrong = {name: _after(step, x, y, c) for name, step in _WRONG_STEPS.items()}

    def known(part: str, **hints: str) -> dict[str, np.ndarray]:
        return {hint: wrong[name][part] for name, hint in hints.items()}

    before = _parts(_network())
    got, wanted = _parts(yours), _parts(right)
    compare("bottom module", got["bottom"], wanted["bottom"], {
        "has not changed: it learns from sg.predict(h1, c)": before["bottom"],
        **known("bottom",
                locked="learned from the true gradient: that is backprop, and it has to wait for "
                       "the top module",
                fit_first="learned from a guess that sg made after its fit on this minibatch: that "
                          "fit needs the top module, so the bottom one has to wait for it",
                twice="learned twice: one learn for each forward"),
    })
    compare("top module", got["top"], wanted["top"], {
        "has not changed: it learns from the loss's delta": before["top"],
        **known("top",
                fresh="worked on an h1 that bottom made anew after its update: one forward for "
                      "each minibatch, the one that bottom learned from"),
    })
    compare("sg", got["sg"], wanted["sg"], {
        "has not changed: fit it to what top.learn returns (fitted to its own guess, it stands "
        "still)": before["sg"],
        **known("sg",
                delta2="was fitted to delta at top's output; its target is the gradient at top's "
                       "input, which top.learn returns",
                stale="was fitted to a target that top made with its weights after the update; the "
                      "target is what top.learn returned",
                mean="was fitted to a target divided by B: gradients travel per example",
                fresh_fit="was fitted on an h1 made after bottom's update; the target belongs to "
                          "the h1 that top worked on"),
    })
    compare("mean loss", loss, result.loss)
    well_done(decoupled_step, "The bottom module had learned before the top one ran forward.")


def check_who(who: Callable) -> None:
    """Check ``who(updates, step, fit_every) -> predicts, fits``."""
    for coins, step, fit_every in (("1011", 0, 1), ("0110", 3, 1), ("1101", 6, 4),
                                   ("1101", 8, 4), ("0011", 5, 5), ("1010", 1, 3)):
        updates = np.array([coin == "1" for coin in coins])
        predicts, fits = ask(who, updates, step, fit_every, parts="predicts fits")
        due = step % fit_every == 0
        where = f" for updates {updates.astype(int)}, step {step}, fit_every {fit_every}"
        compare(f"predicts{where}", predicts, updates[:-1], {
            "has an entry for each module: the top one learns from the loss, and no model stands "
            "above it": updates,
            "shows the module above: a guess is for the module below the interface, whose output "
            "it looks at": updates[1:],
            "has every model predict: a guess that nobody learns from is not made":
                np.ones(3, bool),
            "stops on steps without a fit: modules learn on every step, and M answers with what "
            "it knows": updates[:-1] & due,
        })
        compare(f"fits{where}", fits, updates[1:] & due, {
            "shows the module below the interface: the target comes from the module above, when "
            "that one learns": updates[:-1] & due,
            "asks that both neighbours learn: M can be fitted though the module below skips":
                updates[1:] & updates[:-1] & due,
            "has every model fitted: a module that does not learn makes no target":
                np.ones(3, bool) & due,
            "leaves out fit_every: models are fitted on steps 0, fit_every, 2 fit_every ...":
                updates[1:],
            "counts steps from 1: step 0 is the first one with a fit":
                updates[1:] & ((step + 1) % fit_every == 0),
        })
    well_done(who, "A model speaks to the module below it and listens to the one above.")


def check_split_error(split_error: Callable) -> None:
    """Check ``split_error(delta_hat, target, delta) -> own, from_above, cross``."""
    rng = np.random.default_rng(3)
    delta_hat, target, delta = rng.standard_normal((3, B, N)) * [[[1]], [[2]], [[3]]]
    size, of_target = np.sum(delta**2), np.sum(target**2)
    own, above = np.sum((delta_hat - target)**2), np.sum((target - delta)**2)
    cross = 2 * np.sum((delta_hat - target) * (target - delta))
    rows = np.sum(delta**2, axis=1)
    a, b, ab = ask(split_error, delta_hat, target, delta, parts="own from_above cross")
    compare("own", a, own / size, {
        "is a share of the target's square: then the parts do not add up; divide by delta's":
            own / of_target,
        "is the error against the truth: own is measured against the target":
            np.sum((delta_hat - delta)**2) / size,
        "is no share yet: divide by the sum of delta squared": own,
        "is a mean of each example's share: divide the two sums": np.mean(
            np.sum((delta_hat - target)**2, axis=1) / rows),
        "is a root: leave it squared": np.sqrt(own / size),
    })
    compare("from_above", b, above / size, {
        "is a share of the target's square: divide by delta's": above / of_target,
        "is the whole error: from_above is what the target itself is off by":
            np.sum((delta_hat - delta)**2) / size,
        "is no share yet: divide by the sum of delta squared": above,
    })
    compare("cross", ab, cross / size, {
        "lacks the factor 2 of (a + b)^2": cross / size / 2,
        "is no share yet: divide by the sum of delta squared": cross,
    })
    well_done(split_error, "The three add up to the relative squared error.")


def check_first_failure(first_failure: Callable) -> None:
    """Check ``first_failure(error, target_error, limit) -> step, interface, cause``."""
    error = np.array([[0.9, 0.7, 0.4, 0.1], [1.1, 0.8, 0.4, 0.2], [1.6, 1.2, 1.4, 0.3],
                      [2.0, 9.0, 1.6, 1.9], [1.0, 1.0, 1.0, 40.0]])
    target_error = np.array([[0.5, 0.5, 0.4, 1.2], [0.6, 0.6, 0.4, 0.2], [1.7, 0.5, 0.8, 0.3],
                             [0.9, 8.0, 1.6, 1.9], [1.0, 1.0, 1.0, 40.0]])
    for errors, targets, limit, right in (
        (error, target_error, 1.05, (1, 1, "above")),
        (error, target_error, 1.3, (2, 3, "above")),
        (error[:, ::-1], target_error[:, ::-1], 1.5, (2, 4, "fit")),
    ):
        step, interface, cause = ask(first_failure, errors, targets, limit,
                                     parts="step interface cause")
        bad = errors > limit
        compare("step", step, right[0], {
            "is that of the largest error, or the last above the limit: the first came earlier":
                np.argmax(errors.max(axis=1)),
            "counts from 1: rows are counted from 0": right[0] + 1,
            "is the first at which the error against the target is above the limit; look at the "
            "error against the truth": np.argmax((targets > limit).any(axis=1)),
        })
        compare("interface", interface, right[1], {
            "counts from 0: the lowest interface is number 1": right[1] - 1,
            "is the lowest or the worst of those above the limit: they inherit from the uppermost":
                np.argmax(bad[right[0]]) + 1,
            "is the top one, which is not above the limit on this step": 4,
        })
        assert cause == right[2], (
            f"your cause is {cause!r} for an interface whose error against its target is "
            f"{targets[right[0], right[1] - 1]:g}, with limit {limit:g}: it should be "
            f"{right[2]!r}. A model that follows its target has not failed itself"
        )
    answer = ask(first_failure, error[:2], target_error[:2], 1.3, parts="step interface cause")
    assert answer == (-1, 0, "none"), (
        f"nothing is above the limit here, so the answer is (-1, 0, 'none'); yours is {answer}. "
        f"np.argmax of nothing but False is 0"
    )
    well_done(first_failure, "First in time, then uppermost: the rest is what came of it.")


def _network() -> Network:
    """A network of two modules, always the same, whose model M is no longer zero."""
    rng = np.random.default_rng(7)
    modules = build_mlp(5, [N], N, rng, lambda: SGD(0.3), dtype=np.float64)
    sg = LinearSG(N, N, GradientFit(SGD(0.2)), np.float64)
    sg.W[...] = 0.3 * rng.standard_normal(sg.W.shape)
    return Network(modules, SoftmaxCrossEntropy(), [Interface(sg)])


def _parts(network: Network) -> dict[str, np.ndarray]:
    """Everything that training has changed, as one array each for bottom, top and sg."""
    bottom, top = (np.concatenate([a.ravel() for a in module.params.values()])
                   for module in network.modules)
    return {"bottom": bottom, "top": top, "sg": network.interfaces[0].model.W.copy()}


def _after(step: Callable, x: np.ndarray, y: np.ndarray, c: np.ndarray) -> dict[str, np.ndarray]:
    """Return the parts of a network after a wrong step."""
    network = _network()
    step(*network.modules, network.interfaces[0].model, network.loss, x, y, c)
    return _parts(network)


def _locked(bottom, top, sg, loss, x, y, c):
    h1 = bottom.forward(x)
    bottom.learn(top.learn(loss(top.forward(h1), y)[1]).copy())


def _fit_first(bottom, top, sg, loss, x, y, c):
    h1 = bottom.forward(x)
    sg.fit(h1, c, top.learn(loss(top.forward(h1), y)[1]))
    bottom.learn(sg.predict(h1, c))


def _twice(bottom, top, sg, loss, x, y, c):
    for _ in range(2):
        h1 = bottom.forward(x)
        bottom.learn(sg.predict(h1, c))


def _fresh(bottom, top, sg, loss, x, y, c):
    bottom.learn(sg.predict(bottom.forward(x), c))
    top.learn(loss(top.forward(bottom.forward(x)), y)[1])


def _fitted_to(features_and_target: Callable) -> Callable:
    """A step that is right but for the fit, to the h, c and target that the function returns."""
    def step(bottom, top, sg, loss, x, y, c):
        h1 = bottom.forward(x).copy()
        bottom.learn(sg.predict(h1, c))
        delta2 = loss(top.forward(h1), y)[1]
        target = top.learn(delta2.copy()).copy()
        sg.fit(*features_and_target(bottom, top, x, h1, c, delta2, target))
    return step


_WRONG_STEPS = {
    "locked": _locked, "fit_first": _fit_first, "twice": _twice, "fresh": _fresh,
    "delta2": _fitted_to(lambda bottom, top, x, h1, c, delta2, target: (h1, c, delta2)),
    "stale": _fitted_to(lambda bottom, top, x, h1, c, delta2, target:
                        (h1, c, top.backward(delta2))),
    "mean": _fitted_to(lambda bottom, top, x, h1, c, delta2, target: (h1, c, target / B)),
    "fresh_fit": _fitted_to(lambda bottom, top, x, h1, c, delta2, target:
                            (bottom.forward(x), c, target)),
}
