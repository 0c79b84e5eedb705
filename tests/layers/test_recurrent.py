"""Layers in time: what RNN and LSTM promise beyond exact gradients, which gradcheck looks at."""

from __future__ import annotations

import numpy as np
import pytest

from sgdni.layers import LSTM, RNN
from sgdni.networks import Module
from sgdni.optimizers import SGD

F32, F64 = np.float32, np.float64
BOTH = pytest.mark.parametrize("kind", [RNN, LSTM])
LINEAR = {"activation": "identity"}


def make(kind, rng, steps=6, streams=3, dtype=F64, **options):
    """Return a layer with all parameters drawn, a window and a state."""
    layer = kind(2, 4, rng, dtype=dtype, **options)
    for p in layer.params.values():
        p[...] = rng.standard_normal(p.shape)
    window = rng.standard_normal((steps, streams, 2)).astype(dtype)
    return layer, window, rng.standard_normal((streams, layer.n_state)).astype(dtype)


def cotangents(layer, window, rng):
    return (rng.standard_normal((*window.shape[:2], layer.n)).astype(layer.dtype),
            rng.standard_normal((window.shape[1], layer.n_state)).astype(layer.dtype))


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def test_rnn_is_its_equation(rng):
    for activation, phi in {"tanh": np.tanh, "identity": lambda a: a}.items():
        layer, window, h = make(RNN, rng, activation=activation)
        outputs, final = layer.forward((window, h))
        for x, h_t in zip(window, outputs, strict=True):
            h = phi(x @ layer.params["U"] + h @ layer.params["A"] + layer.params["b"])
            np.testing.assert_allclose(h_t, h, rtol=1e-12)
        np.testing.assert_array_equal(final, outputs[-1])


def test_lstm_is_its_equations(rng):
    layer, window, state = make(LSTM, rng)
    outputs, final = layer.forward((window, state))
    h, cell = state[:, :4], state[:, 4:]
    for x, h_t in zip(window, outputs, strict=True):
        a = x @ layer.params["U"] + h @ layer.params["A"] + layer.params["b"]
        i, f, o, g = (a[:, k : k + 4] for k in (0, 4, 8, 12))
        cell = sigmoid(f) * cell + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(cell)
        np.testing.assert_allclose(h_t, h, rtol=1e-12)
    np.testing.assert_allclose(final, np.hstack([h, cell]), rtol=1e-12)


def test_parameters_start_as_promised():
    for wrong in (1e308, float("nan")):
        with pytest.raises(ValueError, match="forget_bias: expected"):
            LSTM(3, 2, np.random.default_rng(0), forget_bias=wrong)
    layer = LSTM(300, 200, np.random.default_rng(0), forget_bias=2.0, dtype=F64)
    U, A, b = (layer.params[name] for name in ("U", "A", "b"))
    assert U.var() == pytest.approx(1 / 300, rel=0.02)
    assert A.var() == pytest.approx(1 / 200, rel=0.02)
    assert b.reshape(4, 200).tolist() == [[0] * 200, [2] * 200, [0] * 200, [0] * 200]
    assert not RNN(3, 2, np.random.default_rng(0)).params["b"].any()


@BOTH
def test_two_windows_in_a_row_are_one_long_window(kind, rng):
    whole, window, state = make(kind, rng, steps=8)
    starts = rng.random((8, 3)) < 0.2
    starts[2, 0] = True
    d_outputs, d_final = cotangents(whole, window, rng)
    halves = [whole.twin(), whole.twin()]
    parts, carried = [slice(0, 4), slice(4, 8)], state
    outputs, final = whole.forward((window, state, starts))
    for layer, part in zip(halves, parts, strict=True):
        y, carried = layer.forward((window[part], carried, starts[part]))
        np.testing.assert_allclose(y, outputs[part], rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(carried, final, rtol=1e-12, atol=1e-14)
    dx, d_state = whole.backward((d_outputs, d_final))
    wanted = {name: g.copy() for name, g in whole.grads.items()}
    summed = {name: 0 for name in wanted}
    d_carried = d_final
    for layer, part in zip(halves[::-1], parts[::-1], strict=True):
        dx_part, d_carried = layer.backward((d_outputs[part], d_carried))
        np.testing.assert_allclose(dx_part, dx[part], rtol=1e-12, atol=1e-12)
        summed = {name: summed[name] + g for name, g in layer.grads.items()}
    np.testing.assert_allclose(d_carried, d_state, rtol=1e-12, atol=1e-12)
    for name, g in wanted.items():
        np.testing.assert_allclose(summed[name], g, rtol=1e-12, atol=1e-12, err_msg=name)


@BOTH
def test_an_episode_starts_from_zero_and_sends_no_gradient_back(kind, rng):
    layer, window, state = make(kind, rng)
    starts = np.zeros((6, 3), bool)
    starts[3, 1] = starts[0, 2] = True
    outputs = layer.forward((window, state, starts))[0].copy()
    fresh = layer.forward((window[3:], np.zeros_like(state)))[0]
    np.testing.assert_allclose(outputs[3:, 1], fresh[:, 1], rtol=1e-12)
    without = layer.forward((window, state))[0]
    np.testing.assert_array_equal(outputs[:, 0], without[:, 0])
    layer.forward((window, state, starts))
    _, d_state = layer.backward(cotangents(layer, window, rng))
    assert d_state[:2].all() and not d_state[2].any()
    dx, d_state = layer.backward((np.zeros((6, 3, 4)), np.ones((3, layer.n_state))))
    assert not dx[:3, 1].any() and dx[3:, 1].all() and dx[:, 0].all()
    assert d_state[0].all() and not d_state[1:].any()


@BOTH
def test_params_alone_give_the_state_s_gradient_and_save_the_window_s(kind, rng, monkeypatch):
    layer, window, state = make(kind, rng)
    dy = cotangents(layer, window, rng)
    module = Module([layer], SGD(0.1), batch_axis=1)
    module.forward((window, state))
    _, wanted = module.backward(dy)
    wanted, grads = wanted.copy(), {name: g.copy() for name, g in module.grads.items()}
    monkeypatch.setattr(layer, "backward", None)
    module.forward((window, state))
    nothing, d_state = module.backward(dy, input_gradient=False)
    assert nothing is None
    np.testing.assert_array_equal(d_state, wanted)
    for name, g in module.grads.items():
        np.testing.assert_array_equal(g, grads[name])


@BOTH
def test_a_twin_remembers_a_window_of_its_own(kind, rng):
    layer, window, state = make(kind, rng)
    twin, dy = layer.twin(), cotangents(layer, window, rng)
    layer.forward((window, state))
    wanted = [a.copy() for a in layer.backward(dy)]
    layer.forward((window, state))
    twin.forward((-window, 2 * state))
    for ours, theirs in zip(layer.backward(dy), wanted, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert twin.params is layer.params


@BOTH
@pytest.mark.parametrize("dtype", [F32, F64])
def test_dtype_is_kept_and_buffers_follow_the_window_s_size(kind, dtype, rng):
    layer, window, state = make(kind, rng, dtype=dtype)
    first = layer.forward((window, state))
    kept = [a.copy() for a in first]
    dy = cotangents(layer, window, rng)
    arrays = [*first, *layer.backward(dy), *layer.grads.values()]
    assert {a.dtype for a in arrays} == {np.dtype(dtype)}
    y, final = layer.forward((window[:2, :1].copy(), state[:1].copy()))
    assert y.shape == (2, 1, 4) and final.shape == (1, layer.n_state)
    again = layer.forward((window, state))
    for ours, theirs in zip(again, kept, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert layer.forward((window, state))[0] is again[0]


def test_gates_overflow_nowhere():
    layer = LSTM(1, 1, np.random.default_rng(0))
    for p in layer.params.values():
        p[...] = 1
    with np.errstate(over="raise", invalid="raise"):
        for x in (-1e4, 1e4):
            y, _ = layer.forward((np.full((3, 1, 1), x, F32), np.zeros((1, 2), F32)))
            assert np.isfinite(y).all()


@BOTH
def test_products_count_the_rows_of_a_window(kind, rng):
    layer, width = kind(5, 3, rng), 3 if kind is RNN else 12
    counted = layer.products(7 * 4)
    assert [p.operations for p in counted["forward"]] == [2 * 28 * 5 * width, 2 * 28 * 3 * width]
    assert [p.operations for p in counted["params"]] == [
        2 * 28 * width * 3, 2 * 5 * 28 * width, 2 * 3 * 28 * width]
    assert [p.operations for p in counted["input"]] == [2 * 28 * width * 5]


W, S = np.zeros((3, 2, 4), F32), np.zeros((2, 6), F32)


@pytest.mark.parametrize("x, complaint", [
    (W, r"input: expected a tuple \(window, state\) or .*starts\), got ndarray"),
    ((W,), "input: expected a tuple .*got 1 of them"),
    ((W[0], S), r"window: expected shape \(T, B, 4\) with T >= 1 and B >= 1, got \(2, 4\)"),
    ((W[:, :, :3], S), r"window: expected shape \(T, B, 4\).*got \(3, 2, 3\)"),
    ((W[:0], S), r"window: expected .*got \(0, 2, 4\)"),
    ((W[:, :0], S[:0]), r"window: expected .*got \(3, 0, 4\)"),
    ((W, S[:, :3]), r"state: expected shape \(2, 6\), got \(2, 3\)"),
    ((W.astype(F64), S), "window: expected dtype float32, got float64"),
    ((W, S.astype(F64)), "state: expected dtype float32, got float64"),
    ((W, S, np.zeros((3, 1), bool)), r"starts: expected shape \(3, 2\), got \(3, 1\)"),
    ((W, S, np.zeros((3, 2), int)), "starts: expected dtype bool, got int64"),
])
def test_wrong_input_is_refused_with_expected_and_actual(x, complaint, rng):
    for layer in LSTM(4, 3, rng), RNN(4, 6, rng):
        with pytest.raises(ValueError, match=f"{type(layer).__name__} {complaint}"):
            layer.forward(x)


@pytest.mark.parametrize("dy, complaint", [
    (np.zeros((3, 2, 3)), r"expected a tuple \(d_outputs, d_final_state\), got ndarray"),
    ((np.zeros((3, 2, 1)), S), r"of the outputs: expected shape \(3, 2, 3\), got \(3, 2, 1\)"),
    ((np.zeros((3, 2, 3)), S[:, :3]), r"final state: expected shape \(2, 6\), got \(2, 3\)"),
])
def test_wrong_cotangent_is_refused(dy, complaint, rng):
    layer = LSTM(4, 3, rng)
    layer.forward((W, S))
    with pytest.raises(ValueError, match=f"LSTM cotangent.*{complaint}"):
        layer.backward(dy)


def test_wrong_options_are_refused(rng):
    with pytest.raises(ValueError, match="RNN activation: expected 'tanh' or 'identity', got 'r"):
        RNN(3, 2, rng, activation="relu")
    with pytest.raises(ValueError, match="LSTM n: expected a number of at least 1"):
        LSTM(3, 0, rng)
