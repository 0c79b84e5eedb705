"""Check a layer, or a whole module: its gradients, and what the schedules expect of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import numpy as np

from sgdni._util.arrays import Arrays, each
from sgdni._util.checks import check_same_shape
from sgdni.gradcheck.differences import MAX_ENTRIES, STEP, TOLERANCE, compare, require_float64
from sgdni.gradcheck.report import Report
from sgdni.layers import Layer
from sgdni.networks import Module

Gradients = dict[str, np.ndarray]


def check_layer(layer: Layer | Module, x: Arrays, rng: np.random.Generator, *,
                cotangent: Arrays | None = None, max_entries: int = MAX_ENTRIES,
                step: float = STEP, tolerance: float = TOLERANCE) -> Report:
    """Check forward and backward of a layer or module on the minibatch x, as a rule (B, n_in).

    The gradient of sum(v * y), for a random v, is compared with central differences in x and in
    every parameter. Further checks: forward is deterministic; neither pass alters its inputs,
    nor backward the output; backward is linear in v, leaves nothing from the batch before, and
    overwrites `grads`; `backward_params` agrees with it.

    Parameters
    ----------
    layer : Layer or Module
        Built with ``dtype=np.float64``. Parameters that are exactly 0 or 1 (fresh biases and
        gains, which hide errors) get random values for the check. Parameters and buffers are put
        back after it; `grads` are not.
    x : ndarray of float64, or a tuple of them where the layer takes one
    rng : numpy.random.Generator
        Draws v, those values, and the entries to check.
    cotangent : ndarray (B, n_out), or a tuple where forward returns one, optional
        Used for v. A fixed one can be blind: backward of a softmax layer, right or wrong in its
        factor, is zero for v = 1.
    max_entries : int
        The most entries checked of any one variable.
    step, tolerance : float
        Of the differences, and the largest relative error that passes.

    Returns
    -------
    Report
        With variables ``"x"`` (for a tuple ``"x0"``, ``"x1"``, ...) and the names in
        ``layer.params``.

    Raises
    ------
    ValueError
        Unless x and the parameters are float64, for a cotangent of another shape than y, and for
        a parameter called like an input.
    """
    if clash := _named("x", x).keys() & layer.params.keys():
        raise ValueError(f"gradient check: {clash.pop()!r} is the name of an input, rename that "
                         f"parameter")
    require_float64({**_named("x", x), **layer.params})
    report = Report(_name(layer), tolerance)
    with _restored(layer):
        x = _copied(x)
        for p in layer.params.values():
            fresh = (p == 0) | (p == 1)
            p[fresh] += rng.uniform(0.3, 0.9, fresh.sum()) * rng.choice([-1, 1], fresh.sum())
        y = _check_forward(report, layer, x)
        if report.violations:
            return report  # differences of such a function mean nothing
        v = _like(y, rng.standard_normal) if cotangent is None else cotangent
        for ours, theirs in zip(each(v), each(y), strict=True):
            check_same_shape("check_layer's cotangent", ours, theirs.shape)
        gradients = _check_backward(report, layer, x, v, _like(y, rng.standard_normal))
        compare(report, lambda: _flat(layer.forward(x)), _flat(v),
                {**_named("x", x), **layer.params}, gradients, rng, step=step,
                max_entries=max_entries)
    return report


def _check_forward(report: Report, layer: Layer | Module, x: Arrays) -> Arrays:
    inputs, held = {**_named("x", x), **layer.params}, _held(layer)
    before = _copies(inputs)
    layer.forward(_turned(x))  # what a layer remembers must not be its first minibatch
    y = layer.forward(x)
    rows = {len(array) for array in each(x)}
    for part in each(y):
        if not isinstance(part, np.ndarray) or part.dtype != np.float64 or len(part) not in rows:
            got = (f"{part.shape} {part.dtype}" if isinstance(part, np.ndarray)
                   else type(part).__name__)
            report.violations.append(f"forward: expected a float64 array of "
                                     f"{' or '.join(map(str, sorted(rows)))} rows, got {got}")
            return y
    y = _copied(y)
    if not np.isfinite(_flat(y)).all():
        report.violations.append("forward returned infinite or undefined values")
    _check_unaltered(report, "forward", inputs, before)
    for arrays, name, array in held:
        if arrays[name] is not array:
            report.violations.append(
                f"forward replaced {name}: write into it, since optimisers and checkpoints hold it"
            )
    again = layer.forward(x)
    if _apart(_named("y", y), _named("y", again)):
        report.violations.append("forward is not deterministic: twice the same x, two outputs")
    return y


def _check_backward(report: Report, layer: Layer | Module, x: Arrays, v: Arrays,
                    u: Arrays) -> Gradients:
    """Return the gradients for v that can be compared, after all checks without differences."""
    inputs = {**_named("x", x), **layer.params}
    before = _copies(inputs)

    def run(cotangent: Arrays, *, batch: Arrays = x, backward=layer.backward,
            check: bool = False) -> Gradients:
        y, cotangent = layer.forward(batch), _copied(cotangent)
        passed = {**inputs, **_named("the cotangent", cotangent),
                  **_named("the output of forward", y)}
        kept = _copies(passed)
        dx = backward(cotangent)
        gradients = {**({} if dx is None else _copies(_named("x", dx))), **_copies(layer.grads)}
        if check:
            _check_unaltered(report, "backward", passed, kept)
        for name, values in before.items():
            inputs[name][...] = values
        return gradients

    def expect(text: str, wanted: Gradients, got: Gradients) -> None:
        for name in _apart(wanted, got):
            report.violations.append(f"{name}: {text}")

    # Another batch first: what backward remembers must be the latest forward pass.
    run(u, batch=_turned(x))
    _zero(layer.grads)
    gradients = _usable(report, run(v, check=True), inputs)
    finite = {name: g for name, g in gradients.items() if np.isfinite(g).all()}
    expect("backward twice gives two gradients: write it anew, do not add to it", finite, run(v))
    of_u = run(u)
    if not _apart(finite, of_u, shapes_only=True):
        expect("backward is not linear in the cotangent",
               {name: 2 * g - of_u[name] for name, g in finite.items()},
               run(_apply(lambda a, b: 2 * a - b, v, u)))
    if isinstance(layer, Module):
        params_only = partial(layer.backward, input_gradient=False)
    else:
        params_only = layer.backward_params
    _zero(layer.grads)
    expect("backward without the input's gradient gives another gradient",
           {name: g for name, g in finite.items() if name in layer.params},
           run(v, backward=params_only))
    return gradients


def _usable(report: Report, gradients: Gradients, variables: Gradients) -> Gradients:
    """Return the gradients of known variables and right shapes; the rest is a violation."""
    for name in gradients.keys() - variables.keys():
        report.violations.append(f"{name}: a gradient without a parameter of that name")
    usable = {}
    for name, variable in variables.items():
        if name not in gradients:
            report.violations.append(f"{name}: no gradient")
        elif gradients[name].shape != variable.shape or gradients[name].dtype != np.float64:
            g = gradients[name]
            report.violations.append(
                f"{name}: expected a gradient of shape {variable.shape} in float64, "
                f"got {g.shape} in {g.dtype}"
            )
        else:
            usable[name] = gradients[name]
            if not np.isfinite(gradients[name]).all():
                report.violations.append(f"{name}: the gradient is not finite")
    return usable


def _check_unaltered(report: Report, who: str, after: Gradients, before: Gradients) -> None:
    for name, array in after.items():
        if not np.array_equal(array, before[name], equal_nan=True):
            report.violations.append(f"{who} altered {name}")
            array[...] = before[name]


def _apart(wanted: Gradients, got: Gradients, shapes_only: bool = False) -> list[str]:
    """Return the names whose arrays differ by more than roundoff next to the largest of all."""
    size = max((np.max(np.abs(a), initial=0) for a in wanted.values()), default=0)
    return [
        name for name, a in wanted.items()
        if name not in got or got[name].shape != a.shape
        or not (shapes_only or np.all(np.abs(got[name] - a) <= 1e-10 * size))
    ]


@contextmanager
def _restored(layer: Layer | Module) -> Iterator[None]:
    """Put the layer's parameters and buffers back afterwards, whatever happens."""
    kept = [(*where, where[-1].copy()) for where in _held(layer)]
    try:
        yield
    finally:
        for arrays, name, array, values in kept:
            arrays[name] = array
            array[...] = values


def _held(layer: Layer | Module) -> list[tuple[Gradients, str, np.ndarray]]:
    """Return every parameter and buffer, with the dictionary and the name it is kept under."""
    return [
        (arrays, name, array)
        for part in (layer.layers if isinstance(layer, Module) else [layer])
        for arrays in (part.params, part.buffers)
        for name, array in arrays.items()
    ]


def _named(name: str, arrays: Arrays) -> Gradients:
    """Return a single array under its name, and those of a tuple under numbered ones."""
    if not isinstance(arrays, tuple):
        return {name: arrays}
    return {f"{name}{i}": array for i, array in enumerate(arrays)}


def _apply(operation: Callable, *operands: Arrays) -> Arrays:
    """Apply an operation to arrays, or to the arrays of tuples in turn."""
    if not isinstance(operands[0], tuple):
        return operation(*operands)
    return tuple(operation(*parts) for parts in zip(*operands, strict=True))


def _copied(arrays: Arrays) -> Arrays:
    return _apply(np.copy, arrays)


def _turned(arrays: Arrays) -> Arrays:
    return _apply(lambda a: a[::-1].copy(), arrays)


def _like(arrays: Arrays, draw: Callable[[tuple[int, ...]], np.ndarray]) -> Arrays:
    return _apply(lambda a: draw(a.shape), arrays)


def _flat(arrays: Arrays) -> np.ndarray:
    """Return all numbers in one array; a single one keeps its shape."""
    return np.concatenate([a.ravel() for a in arrays]) if isinstance(arrays, tuple) else arrays


def _zero(arrays: Gradients) -> None:
    for array in arrays.values():
        array[...] = 0


def _copies(arrays: Gradients) -> Gradients:
    return {name: np.array(array) for name, array in arrays.items()}


def _name(layer: Layer | Module) -> str:
    inner = ", ".join(type(part).__name__ for part in getattr(layer, "layers", []))
    return type(layer).__name__ + (f"({inner})" if inner else "")
