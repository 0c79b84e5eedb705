# %% [markdown]
# # Exercises 3. A synthetic gradient
#
# Lesson: [A synthetic gradient](../03_a_synthetic_gradient.ipynb). About 40 minutes.
#
# Replace each `raise NotImplementedError` and run the cell after it: it says what is wrong, if
# anything is. `pytest notebooks/exercises` runs the same checks from a terminal. Gradients travel
# per example: $\delta$ and $\hat\delta$ have one row for each, and nothing in them is divided by
# $B$.

# %%
import numpy as np

from sgdni_course import exercise03

# %% [markdown]
# ## 1. How good is a guess?
#
# The relative squared error and the cosine of a synthetic gradient $\hat\delta$, each over *all*
# entries:
#
# $$\frac{\sum \|\hat\delta - \delta\|^2}{\sum \|\delta\|^2}, \qquad
# \frac{\sum \langle \hat\delta, \delta \rangle}
# {\sqrt{\sum \|\hat\delta\|^2 \sum \|\delta\|^2}} .$$
#
# And the number $s$ for which $s\, \hat\delta$ has the least error: set the derivative with
# respect to $s$ to zero. (A guess of zero has the cosine 0; no need to look after it here.)


# %%
def quality(guess, delta):
    """Return error, cosine and the best length s: guess and delta are (B, n)."""
    ### BEGIN SOLUTION
    inner = np.sum(guess * delta)
    error = np.sum((guess - delta) ** 2) / np.sum(delta**2)
    cosine = inner / np.sqrt(np.sum(guess**2) * np.sum(delta**2))
    s = inner / np.sum(guess**2)
    return error, cosine, s
    ### END SOLUTION


# %% points=2
exercise03.check_quality(quality)

# %% [markdown]
# ## 2. One step of the model
#
# Put the features $F = [h, c, 1]$ together, in this order, and take one step of plain gradient
# descent on the mean over the batch of $\|f W - \delta\|^2 / 2$. Its gradient with respect to $W$
# is that of a dense layer (exercise 1 of lesson 1), whose output's error is the guess minus the
# target.


# %%
def fit_step(W, h, c, delta, lr):
    """One gradient step of the model delta^ = [h, c, 1] W.

    W (n + classes + 1, n), h and delta (B, n), c (B, classes), lr a number; returns F
    (B, n + classes + 1) and the new W.
    """
    ### BEGIN SOLUTION
    F = np.hstack([h, c, np.ones((len(h), 1))])
    new_W = W - lr * F.T @ (F @ W - delta) / len(h)
    return F, new_W
    ### END SOLUTION


# %% points=2
exercise03.check_fit_step(fit_step)

# %% [markdown]
# ## 3. The ridge solution
#
# The same regression in closed form. With $S = F^\top F$ and $T = F^\top \Delta$, return the $W$
# with
#
# $$(S + \rho\, \bar s\, I)\, W = T ,$$
#
# where $\bar s$ is the mean of the diagonal of $S$, so that the ridge $\rho$ has no units.
# One-hot labels and the constant 1 are collinear: without the ridge, $S$ is singular.


# %%
def ridge_fit(F, delta, ridge):
    """Least squares with a ridge: F (B, m), delta (B, n), ridge the rho above; returns W (m, n)."""
    ### BEGIN SOLUTION
    S = F.T @ F
    T = F.T @ delta
    penalty = ridge * np.trace(S) / len(S)
    return np.linalg.solve(S + penalty * np.eye(len(S)), T)
    ### END SOLUTION


# %% points=2
exercise03.check_ridge_fit(ridge_fit)

# %% [markdown]
# ## 4. A bootstrapped target
#
# Module 2 is a dense layer and a ReLU, $h_2 = \max(h_1 W_2 + b_2, 0)$, and $M_2$ stands above it,
# with $\hat\delta_2 = [h_2, c, 1]\, W_{M}$. What is the target for $M_1$? Follow it: forward, the
# guess above, and back through the module. Nothing in it comes from the loss.


# %%
def bootstrapped_target(h1, c, W2, b2, W_M):
    """Return the synthetic gradient above module 2, and the target for the model below it.

    h1 (B, n), c (B, classes), W2 (n, n), b2 (n,), W_M (n + classes + 1, n); both results are
    (B, n).
    """
    ### BEGIN SOLUTION
    a2 = h1 @ W2 + b2
    h2 = np.maximum(a2, 0)
    guess2 = np.hstack([h2, c, np.ones((len(h2), 1))]) @ W_M
    target1 = (guess2 * (a2 > 0)) @ W2.T
    return guess2, target1
    ### END SOLUTION


# %% points=3
exercise03.check_bootstrapped_target(bootstrapped_target)

# %% [markdown]
# $M_1$ takes this target for a constant. It could be read as a function of $W_M$ as well, but no
# gradient flows into $M_2$ from here: $M_2$ has a target of its own.
