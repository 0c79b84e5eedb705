# %% [markdown]
# # Exercises 7. Synthetic gradients in time
#
# Lesson: [Synthetic gradients in time](../07_synthetic_gradients_in_time.ipynb). About 45 minutes.
#
# Replace each `raise NotImplementedError` and run the cell after it: it says what is wrong, if
# anything is. `pytest notebooks/exercises` runs the same checks from a terminal.
#
# Arrays of a window have time first: $(T, B, n)$, for $T$ ticks of $B$ streams. Gradients are per
# example, as always; those of the weights are summed over ticks and streams.

# %%
import numpy as np

from sgdni_course import exercise07

# %% [markdown]
# ## 1. Backward through a window
#
# A plain recurrent layer, for $t = 0, \dots, T - 1$, with $h_{-1}$ the state before the window:
#
# $$h_t = \tanh(x_t U + h_{t-1} A + b) .$$
#
# The forward pass has been made: you get all $h_t$. The gradient of each output $h_t$ comes from
# the loss of its tick, and that of the *final state* $h_{T-1}$, on top, from the model at the
# window's end. Go back from the last tick to the first. The derivative of $\tanh$ is $1 - h^2$.


# %%
def rnn_backward(x, h, h_before, U, A, d_outputs, d_final):
    """Return (dU, dA, db, dx, d_before).

    x : (T, B, n_in); h : (T, B, n), the outputs; h_before : (B, n), the state before the window
    d_outputs : (T, B, n); d_final : (B, n)
    d_before : (B, n), the gradient of h_before; dx : (T, B, n_in)
    """
    ### BEGIN SOLUTION
    dU, dA, db, dx = np.zeros_like(U), np.zeros_like(A), np.zeros(len(A)), np.zeros_like(x)
    d_h = d_final
    for t in reversed(range(len(x))):
        before = h[t - 1] if t > 0 else h_before
        d_a = (d_h + d_outputs[t]) * (1 - h[t] ** 2)
        dU += x[t].T @ d_a
        dA += before.T @ d_a
        db += d_a.sum(axis=0)
        dx[t] = d_a @ U.T
        d_h = d_a @ A.T
    return dU, dA, db, dx, d_h
    ### END SOLUTION


# %% points=3
exercise07.check_rnn_backward(rnn_backward)

# %% [markdown]
# ## 2. The bootstrapped target
#
# A window runs from state $h$ to state $h'$. You get $J$ for each stream as an array `J` of shape
# (B, n, n), with `J[s, j, i]` $= \partial h'_j / \partial h_i$, so a gradient of $h'$, a row,
# times `J[s]` is one of $h$. `d_loss` is the gradient of the window's own losses with respect to
# $h$. `guess` is $M(h', c')$. In the streams where `ends` is true the episode ended with this
# window, so nothing comes after $h'$.
#
# Return what the state after the window is handed (`later`) and the target for $M$'s guess at the
# state before it. The true losses are not discounted. In the streams where `asked` is false,
# an episode ended right before the window and $M$ was not asked: return only the rows of the
# others, in order, to be fitted.


# %%
def bootstrapped_target(d_loss, J, guess, ends, asked, gamma):
    """Return (later, target): (B, n), and one row for each stream that was asked.

    d_loss, guess : (B, n); J : (B, n, n); ends, asked : (B,) of bool
    """
    ### BEGIN SOLUTION
    later = gamma * guess
    later[ends] = 0
    target = d_loss + np.einsum("bj,bji->bi", later, J)
    return later, target[asked]
    ### END SOLUTION


# %% points=2
exercise07.check_bootstrapped_target(bootstrapped_target)

# %% [markdown]
# ## 3. The oracle
#
# For $h_t = h_{t-1} A + b$ and $L_t = \frac12 \| h_t C - d \|^2$ the gradient of the next $n$
# losses with respect to the state is $\delta = h P_n + q_n$, with $P_0 = 0$, $q_0 = 0$ and
#
# $$P_{n+1} = A (C C^\top + P_n) A^\top, \qquad
# q_{n+1} = \bigl( (bC - d) C^\top + b P_n + q_n \bigr) A^\top .$$
#
# First the recursion. Then its fixed point: that of all losses, for ever. Either go on until
# nothing changes any more, or solve two linear systems; both do.


# %%
def next_losses(A, b, C, d, n):
    """Return (P, q), (m, m) and (m,), for the losses of the next n ticks."""
    ### BEGIN SOLUTION
    P, q = np.zeros_like(A), np.zeros_like(b)
    for _ in range(n):
        q_next = ((b @ C - d) @ C.T + b @ P + q) @ A.T
        P = A @ (C @ C.T + P) @ A.T
        q = q_next
    return P, q
    ### END SOLUTION


# %% points=1
exercise07.check_next_losses(next_losses)


# %%
def all_losses(A, b, C, d):
    """Return (P, q) for all later losses. A forgets: its eigenvalues are below 1."""
    ### BEGIN SOLUTION
    m = len(A)
    # Rows after one another, A X A' is (A kron A) x.
    P = np.linalg.solve(np.eye(m * m) - np.kron(A, A), (A @ C @ C.T @ A.T).ravel()).reshape(m, m)
    q = np.linalg.solve(np.eye(m) - A, ((b @ C - d) @ C.T + b @ P) @ A.T)
    return P, q
    ### END SOLUTION


# %% points=1
exercise07.check_all_losses(all_losses)

# %% [markdown]
# ## 4. Which failure is it?
#
# A run with an interface in time has gone on for a while. You are given, each an array with one
# entry for every hundred windows,
#
# - `r2`: the share of its bootstrapped targets that $M$ explains, $1 -$ error (0: no better than
#   guessing zero);
# - `ratio`: the size of $M$'s guesses over that of the loss's own gradient at the outputs;
# - `loss`: the mean loss of an answer;
#
# and two numbers: `chance`, the loss of guessing, and `control`, the loss of a network whose
# recurrent weights were never taught. Judge by the **last** entries, and answer with the first of
# these that applies:
#
# | answer | when |
# |---|---|
# | `"diverged"` | any entry of any array is not finite |
# | `"fine"` | the loss is below the control's |
# | `"explains itself"` | `r2` is above 0.5 and `ratio` above 0.1 |
# | `"does not follow"` | `r2` is below 0.05 |
# | `"not yet"` | otherwise: no sign of a failure but the loss |
#
# `chance` is a distractor in some cases: a run can be better than guessing and do harm all the
# same.


# %%
def diagnose(r2, ratio, loss, chance, control):
    """Return one of the five answers."""
    ### BEGIN SOLUTION
    if not all(np.isfinite(values).all() for values in (r2, ratio, loss)):
        return "diverged"
    if loss[-1] < control:
        return "fine"
    if r2[-1] > 0.5 and ratio[-1] > 0.1:
        return "explains itself"
    if r2[-1] < 0.05:
        return "does not follow"
    return "not yet"
    ### END SOLUTION


# %% points=2
exercise07.check_diagnose(diagnose)
