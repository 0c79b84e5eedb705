# %% [markdown]
# # Exercises 9. What a synthetic gradient learns
#
# Lesson: [What a synthetic gradient learns](../09_what_a_synthetic_gradient_learns.ipynb).
# About 45 minutes.
#
# Replace each `raise NotImplementedError` and run the cell after it: it says what is wrong, if
# anything is. `pytest notebooks/exercises` runs the same checks from a terminal.

# %%
import numpy as np

from sgdni_course import exercise09

# %% [markdown]
# ## 1. Where a layer rests
#
# One linear layer, `h = x W`, is trained by a linear model that does not change any more, $\hat
# \delta = hA + cC + b$. The layer moves by $-x^\top \hat\delta$, so it rests where
#
# $$x^\top (hA + cC + b) = 0 .$$
#
# Find that `h`. `A` is square and has an inverse. Remember that `h` can only be a combination of
# the columns of `x`: `np.linalg.lstsq(x, target)[0]` gives the weights of the best such guess.


# %%
def rest(x, c, A, C, b):
    """Return h (N, n) at rest; x (N, d), c (N, k), A (n, n), C (k, n), b (n,)."""
    ### BEGIN SOLUTION
    wanted = c @ C + b
    guess = x @ np.linalg.lstsq(x, wanted, rcond=None)[0]
    return -guess @ np.linalg.inv(A)
    ### END SOLUTION


# %% points=2
exercise09.check_rest(rest)

# %% [markdown]
# Now the model learns, too. Fit it to the true gradient `delta` by least squares on all examples:
# the features are `[h, c, 1]`. Return how the layer will be pushed, $x^\top \hat\delta$, and what
# of the *truth* can be seen in the directions that the layer already uses, $W^\top x^\top \delta$.
#
# Before you run the check: what is $W^\top x^\top \delta$ when the push is zero? And $x^\top
# \delta$?


# %%
def pushes(x, W, c, delta):
    """Return (x' delta^ (d, n), W' x' delta (n, n)); x (N, d), W (d, n), c (N, k), delta (N, n)."""
    ### BEGIN SOLUTION
    h = x @ W
    features = np.concatenate([h, c, np.ones((len(h), 1))], axis=1)
    guess = features @ np.linalg.lstsq(features, delta, rcond=None)[0]
    return x.T @ guess, h.T @ delta
    ### END SOLUTION


# %% points=1
exercise09.check_pushes(pushes)

# %% [markdown]
# ## 2. The loss behind a model
#
# On a single logit $z$ a linear model says $\hat\delta = a z + C_y + b$, with `C` of one entry for
# each class and $a > 0$. For the class `y`, return the loss that it implies at each of the logits
# `z`, with the constant chosen so that the least value of the parabola is 0, and the logit where
# that is.


# %%
def implied_loss(a, C, b, y, z):
    """Return (loss (T,), logit of the least); C (classes,), z (T,), y an int."""
    ### BEGIN SOLUTION
    target = -(C[y] + b) / a
    return a / 2 * (z - target) ** 2, target
    ### END SOLUTION


# %% points=1
exercise09.check_implied_loss(implied_loss)

# %% [markdown]
# ## 3. A linear probe
#
# Read the classes from activations by least squares. With `mean` the mean of `h` (N, n) over the
# examples, `share` that of the one-hot targets `c`, and $z = h - \text{mean}$,
#
# $$W = \bigl(z^\top z + \rho\, m\, I\bigr)^{-1} z^\top (c - \text{share}),$$
#
# where $m$ is the mean of the diagonal of $z^\top z$. For each *test* example the answer is the
# largest entry of $(h - \text{mean}) W + \text{share}$. Return `W` and the share of right answers
# on the test examples.


# %%
def probe(h, y, h_test, y_test, n_classes, rho):
    """Return (W (n, classes), test accuracy); y and y_test are labels."""
    ### BEGIN SOLUTION
    c = np.eye(n_classes)[y]
    mean, share = h.mean(axis=0), c.mean(axis=0)
    z = h - mean
    S = z.T @ z
    S = S + rho * np.trace(S) / len(S) * np.eye(len(S))
    W = np.linalg.solve(S, z.T @ (c - share))
    guess = ((h_test - mean) @ W + share).argmax(axis=1)
    return W, np.mean(guess == y_test)
    ### END SOLUTION


# %% points=2
exercise09.check_probe(probe)

# %% [markdown]
# ## 4. Feedback alignment in five lines
#
# A network with one hidden layer, `h = relu(x W1)` and logits `z = h W2`; no biases. The top layer
# learns by its true gradient. The error goes down by a fixed random matrix `B` (classes, n)
# instead of `W2`. Gradients of weights are means over the minibatch.


# %%
def feedback_alignment(x, c, W1, W2, B):
    """Return (dW1, dW2); x (B, d), c (B, classes) one-hot, W1 (d, n), W2 (n, classes)."""
    ### BEGIN SOLUTION
    h = np.maximum(x @ W1, 0)
    p = np.exp(h @ W2)
    e = p / p.sum(axis=1, keepdims=True) - c
    delta = e @ B * (h > 0)
    return x.T @ delta / len(x), h.T @ e / len(x)
    ### END SOLUTION


# %% points=2
exercise09.check_feedback_alignment(feedback_alignment)

# %% [markdown]
# ## 5. Reading a dissimilarity matrix
#
# `d` (N, N) says how unlike a layer finds every two images, `y` are their labels. Return the
# *contrast*: the mean over all pairs of different classes, minus the mean over all pairs of one
# class. An image with itself is no pair.


# %%
def contrast(d, y):
    """Return the contrast, a number; d (N, N), y (N,)."""
    ### BEGIN SOLUTION
    same = y[:, None] == y
    itself = np.eye(len(y), dtype=bool)
    return d[~same].mean() - d[same & ~itself].mean()
    ### END SOLUTION


# %% points=1
exercise09.check_contrast(contrast)
