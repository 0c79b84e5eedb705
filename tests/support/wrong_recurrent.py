"""Deliberately wrong recurrent layers."""

from __future__ import annotations

import numpy as np

from sgdni.layers import LSTM, RNN


class FinalStateForgotten(LSTM):
    """Only the outputs' gradients go back, as if nothing followed the window."""

    def backward_params(self, dy):
        return super().backward_params((dy[0], 0 * dy[1]))


class ResetNotInBackward(LSTM):
    """A gradient flows back into the episode before."""

    def _back_through_time(self, d_outputs, d_final):
        self._starts = None
        return super()._back_through_time(d_outputs, d_final)


class CellNotCarried(LSTM):
    """Forward through the whole window, the gradient of the cell through one step only."""

    def _back_through_time(self, d_outputs, d_final):
        self._gates[:-1, 1] = 0  # f
        return super()._back_through_time(d_outputs, d_final)


class ForgetGateOfNewCell(LSTM):
    """d_f with cell_t where cell_{t-1} belongs."""

    def _back_through_time(self, d_outputs, d_final):
        self._cell_before = np.arctanh(self._tanh_cell)
        return super()._back_through_time(d_outputs, d_final)


class TanhOfCell(LSTM):
    """The derivative of tanh(cell) taken as 1 - cell^2."""

    def _back_through_time(self, d_outputs, d_final):
        self._tanh_cell = np.arctanh(self._tanh_cell)
        return super()._back_through_time(d_outputs, d_final)


class TruncatedToOneStep(RNN):
    """Each step's gradient, but nothing of what it does to later ones."""

    def _back_through_time(self, d_outputs, d_final):
        d_a = d_outputs.copy()
        d_a[-1] += d_final
        d_a *= 1 - self._outputs**2
        return d_a, d_a[0] @ self.params["A"].T * ~self._starts[0][:, None]


class StateAfterStep(RNN):
    """dA with h_t where h_{t-1} belongs."""

    def backward_params(self, dy):
        self._h_before = self._outputs
        return super().backward_params(dy)


class StateShortCutDiffers(RNN):
    """backward is right; the state's gradient that comes without the window's is not."""

    def backward(self, dy):
        dx, d_state = super().backward(dy)
        return dx, 2 * d_state

    def backward_params(self, dy):
        return None, super().backward_params(dy)[1] / 2
