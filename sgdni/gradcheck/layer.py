"""Check a layer, or a whole module: its gradients, and what the schedules expect of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import numpy as np

from sgdni._util.arrays import Arrays, each
from sgdni.gradcheck.differences import compare, require_float64
from sgdni.gradcheck.report import Report
from sgdni.layers import Layer
from sgdni.networks import Module

Gradients = dict[str, np.ndarray]


def check_layer(layer: Layer | Module, x: Arrays, rng: np.random.Generator) -> Report:
    """Check forward and backward of a layer or module on the minibatch x, as a rule (B, n_in).

    The gradient of sum(v * y), for a random v, is compared with central differences in x and in
    every parameter. Further checks: forward is deterministic; neither pass alters its inputs,
    nor backward the output; backward is linear in v, leaves nothing from the batch before, and
    overwrites `grads`; `backward_params` agrees with it; a twin computes the same, and neither it
    nor the layer sees what the other runs meanwhile; parameters and gradients are looked up anew,
    where other arrays may stand; no other attribute is an array that somebody may take for a
    parameter (names of constants begin with an underscore).

    Parameters
    ----------
    layer : Layer or Module
        Built with ``dtype=np.float64``. Parameters that are exactly 0 or 1 (fresh biases and
        gains, which hide errors) get random values for the check. Parameters and buffers are put
        back after it; `grads` are not.
    x : ndarray of float64, or a tuple of them where the layer takes one
        In a tuple there may be flags too (bool), such as where episodes start.
    rng : numpy.random.Generator
        Draws v, those values, and the entries to check of a variable with more than 200.

    Returns
    -------
    Report
        With variables ``"x"`` (for a tuple ``"x0"``, ``"x1"``, ...) and the names in
        ``layer.params``.

    Raises
    ------
    ValueError
        Unless x and the parameters are float64, and for a parameter called like an input.
    """
    if clash := _named("x", x).keys() & layer.params.keys():
        raise ValueError(f"gradient check: {clash.pop()!r} is the name of an input, rename that "
                         f"parameter")
    require_float64({**_variable_inputs(x), **layer.params})
    report = Report(_name(layer))
    apart = [name for part in getattr(layer, "layers", [layer]) for name in _outside(part)]
    with _restored(layer):
        x = _apply(np.copy, x)
        for p in layer.params.values():
            fresh = (p == 0) | (p == 1)
            p[fresh] += rng.uniform(0.3, 0.9, fresh.sum()) * rng.choice([-1, 1], fresh.sum())
        y = _check_forward(report, layer, x)
        if report.violations:
            return report  # differences of such a function mean nothing
        u, v = (_apply(lambda a: rng.standard_normal(a.shape), y) for _ in range(2))
        gradients = _check_backward(report, layer, x, v, u)
        for name in apart:
            report.expect(False, f"{name}: an array outside of params, so never trained, and "
                                 f"outside of buffers, so in no checkpoint (a constant's name "
                                 f"begins with an underscore)")
        compare(report, lambda: _flat(layer.forward(x, True)), _flat(v),
                {**_variable_inputs(x), **layer.params}, gradients, rng)
    return report


def _outside(layer: Layer) -> list[str]:
    """Return the names of public attributes that are arrays, and none that is trained or saved."""
    inside = [*layer.params.values(), *layer.buffers.values()]
    return [name for name, value in vars(layer).items()
            if not name.startswith("_") and isinstance(value, np.ndarray)
            and value.dtype.kind == "f" and not any(value is array for array in inside)]


def _check_forward(report: Report, layer: Layer | Module, x: Arrays) -> Arrays:
    held = _held(layer, "params", "buffers")
    with report.unaltered("forward", {**_named("x", x), **layer.params}):
        layer.forward(_turned(x), True)  # what a layer remembers must not be its first minibatch
        returned = layer.forward(x, True)
        y = _apply(np.copy, returned)
    rows = [len(array) for array in each(x)]
    for part in each(returned):
        count, *rest = getattr(part, "shape", ()) or rows
        shape = (count if count in rows else rows[0], *rest)
        if not report.expect_array("what forward returned", part, shape):
            return y
    for arrays, name, array in held:
        report.expect(arrays[name] is array, f"forward replaced {name}: write into it, since "
                                             f"optimisers and checkpoints hold it")
    report.expect(not _apart(_named("y", y), _named("y", layer.forward(x, True))),
                  "forward is not deterministic: twice the same x, two outputs")
    return y


def _check_backward(report: Report, layer: Layer | Module, x: Arrays, v: Arrays,
                    u: Arrays) -> Gradients:
    """Return the gradients for v that can be compared, after all checks without differences."""
    inputs = {**_named("x", x), **layer.params}
    variables = {**_variable_inputs(x), **layer.params}

    def run(cotangent: Arrays, *, batch: Arrays = x, backward: Callable | None = None,
            who: Layer | Module = layer, beside: Layer | Module | None = None) -> Gradients:
        y, cotangent = who.forward(batch, True), _apply(np.copy, cotangent)
        with report.unaltered("backward", {**inputs, **_named("the cotangent", cotangent),
                                           **_named("the output of forward", y)}):
            if beside is not None:
                beside.forward(_turned(batch), True)
            dx = (backward or who.backward)(cotangent)
            gradients = {**_named("x", dx), **who.grads}
            return {name: np.array(gradient) for name, gradient in gradients.items()
                    if gradient is not None}

    def expect(text: str, wanted: Gradients, got: Gradients) -> None:
        for name in _apart(wanted, got):
            report.expect(False, f"{name}: {text}")

    def forget() -> None:
        for array in layer.grads.values():
            array[...] = 0

    # Another batch first: what backward remembers must be the latest forward pass.
    run(u, batch=_turned(x))
    forget()
    gradients = _usable(report, run(v), variables)
    finite = {name: g for name, g in gradients.items() if np.isfinite(g).all()}
    expect("backward twice gives two gradients: write it anew, do not add to it", finite, run(v))
    of_u = {name: g for name, g in run(u).items()
            if name in finite and g.shape == finite[name].shape}
    expect("backward is not linear in the cotangent",
           {name: 2 * finite[name] - g for name, g in of_u.items()},
           run(_apply(lambda a, b: 2 * a - b, v, u)))
    if isinstance(layer, Module):
        params_only = partial(layer.backward, input_gradient=False)
    else:
        params_only = layer.backward_params
    forget()
    of_params = run(v, backward=params_only)
    expect("backward without the input's gradient gives another gradient",
           {name: g for name, g in finite.items() if name in layer.params or name in of_params},
           of_params)
    twin = layer.twin()
    report.expect(all(twin.params[name] is p for name, p in layer.params.items()),
                  "a twin has other parameters than its original")
    for one, other in (layer, twin), (twin, layer):
        report.expect(not _apart(finite, run(v, who=one, beside=other)),
                      "a layer and its twin do not keep their forward passes apart")
    with _replaced(layer), np.errstate(all="ignore"):
        report.expect(not _apart(finite, run(v)),
                      "other arrays in params and grads are not used: look them up at each call, "
                      "and keep no reference of your own")
    return gradients


def _usable(report: Report, gradients: Gradients, variables: Gradients) -> Gradients:
    """Return the gradients of known variables and right shapes; the rest is a violation."""
    for name in gradients.keys() - variables.keys():
        report.expect(False, f"{name}: a gradient without a parameter of that name")
    for name in variables:
        report.expect(name in gradients, f"{name}: no gradient")
    return {name: gradients[name] for name, variable in variables.items() if name in gradients
            and report.expect_array(f"gradient of {name}", gradients[name], variable.shape)}


def _apart(wanted: Gradients, got: Gradients) -> list[str]:
    """Return the names whose arrays differ by more than roundoff next to the largest of all."""
    size = max((np.max(np.abs(a), initial=0) for a in wanted.values()), default=0)
    return [name for name, a in wanted.items()
            if name not in got or got[name].shape != a.shape
            or not np.all(np.abs(got[name] - a) <= 1e-10 * size)]


@contextmanager
def _restored(layer: Layer | Module) -> Iterator[None]:
    """Put the layer's parameters and buffers back afterwards, whatever happens."""
    kept = [(*where, where[-1].copy()) for where in _held(layer, "params", "buffers")]
    try:
        yield
    finally:
        for arrays, name, array, values in kept:
            arrays[name] = array
            array[...] = values


@contextmanager
def _replaced(layer: Layer | Module) -> Iterator[None]:
    """Have copies of parameters and gradients in their place meanwhile, and 0 in the old ones."""
    kept = [(*where, where[-1].copy()) for where in _held(layer, "params", "grads")]
    for arrays, name, array, values in kept:
        arrays[name] = values.copy()
        array[...] = 0
    try:
        yield
    finally:
        for arrays, name, array, values in kept:
            arrays[name] = array
            array[...] = values


def _held(layer: Layer | Module, *kinds: str) -> list[tuple[Gradients, str, np.ndarray]]:
    """Return every array of these kinds, with the dictionary and the name it is kept under."""
    return [(getattr(part, kind), name, array)
            for part in (layer.layers if isinstance(layer, Module) else [layer])
            for kind in kinds for name, array in getattr(part, kind).items()]


def _named(name: str, arrays: Arrays) -> Gradients:
    """Return a single array under its name, and those of a tuple under numbered ones."""
    if not isinstance(arrays, tuple):
        return {name: arrays}
    return {f"{name}{i}": array for i, array in enumerate(arrays)}


def _variable_inputs(x: Arrays) -> Gradients:
    """Return the inputs to differentiate in, by name: flags have no derivative."""
    return {name: array for name, array in _named("x", x).items()
            if getattr(array, "dtype", None) != np.dtype(bool)}


def _apply(operation: Callable, *operands: Arrays) -> Arrays:
    """Apply an operation to arrays, or to the arrays of tuples in turn."""
    if not isinstance(operands[0], tuple):
        return operation(*operands)
    return tuple(operation(*parts) for parts in zip(*operands, strict=True))


def _turned(arrays: Arrays) -> Arrays:
    return _apply(lambda a: a[::-1].copy(), arrays)


def _flat(arrays: Arrays) -> np.ndarray:
    """Return all numbers in one array; a single one keeps its shape."""
    return np.concatenate([a.ravel() for a in arrays]) if isinstance(arrays, tuple) else arrays


def _name(layer: Layer | Module) -> str:
    inner = ", ".join(type(part).__name__ for part in getattr(layer, "layers", []))
    return type(layer).__name__ + (f"({inner})" if inner else "")
