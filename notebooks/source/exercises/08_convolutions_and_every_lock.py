# %% [markdown]
# # Exercises 8. Convolutions, and every lock undone
#
# Lesson: [Convolutions, and every lock undone](../08_convolutions_and_every_lock.ipynb). About 45
# minutes.
#
# Replace each `raise NotImplementedError` and run the cell after it: it says what is wrong, if
# anything is. `pytest notebooks/exercises` runs the same checks from a terminal.

# %%
import numpy as np

from sgdni_course import exercise08

# %% [markdown]
# ## 1. A convolution, back
#
# One image, channels last: `x` has shape (H, W, n_in), and the kernel `W` (k, k, n_in, n_out). No
# padding, and a bias `b` that is added at every place:
#
# $$y_{rc} = \sum_{i,j} x_{r+i,\,c+j}\; W_{ij} + b,$$
#
# where $x_{r+i,\,c+j}$ is a row of n_in numbers and $W_{ij}$ a matrix. So `y` and its gradient `dy`
# have shape (H - k + 1, W - k + 1, n_out). First the gradients of the parameters, summed over
# places.


# %%
def conv_backward_params(x, W, dy):
    """Return (dW, db), shaped like W (k, k, n_in, n_out) and (n_out,)."""
    ### BEGIN SOLUTION
    k, (height, width, _) = len(W), dy.shape
    dW = np.zeros_like(W)
    for i in range(k):
        for j in range(k):
            patch = x[i:i + height, j:j + width]
            dW[i, j] = np.einsum("rcm,rcn->mn", patch, dy)
    return dW, dy.sum(axis=(0, 1))
    ### END SOLUTION


# %% points=2
exercise08.check_conv_backward_params(conv_backward_params)

# %% [markdown]
# Then that of the input. Two ways lead there, and either will do: add up what every output sends
# back to its patch; or correlate `dy`, with zeros around it, with the turned kernel. With channels
# each $W_{ij}$ is transposed on the way.


# %%
def conv_backward_input(W, dy):
    """Return dx (H, W, n_in)."""
    ### BEGIN SOLUTION
    k, (height, width, _) = len(W), dy.shape
    around = np.pad(dy, ((k - 1, k - 1), (k - 1, k - 1), (0, 0)))
    turned = W[::-1, ::-1].swapaxes(2, 3)
    dx = np.zeros((height + k - 1, width + k - 1, W.shape[2]))
    for i in range(k):
        for j in range(k):
            dx += around[i:i + len(dx), j:j + dx.shape[1]] @ turned[i, j]
    return dx
    ### END SOLUTION


# %% points=2
exercise08.check_conv_backward_input(conv_backward_input)

# %% [markdown]
# ## 2. A synthetic input
#
# A model of the input of a module has weights `W` of shape (n_view + n_classes + 1, n). It is told
# a view `z` of the image, and the one-hot label `c`, multiplied by the emphasis `e`. It expects
#
# $$m = \max(0, [z,\; e c,\; 1]\, W) .$$
#
# What it makes up is that with *residuals* added, and clipped at zero once more. `residuals` are
# those of the latest real message, one row for each example of it, and `order` says which row each
# example gets: row number `order[0]` for the first, and so on.


# %%
def synthetic_input(W, z, c, e, residuals, order):
    """Return h^ (B, n); z (B, n_view), c (B, n_classes), order (B,) of int."""
    ### BEGIN SOLUTION
    features = np.concatenate([z, e * c, np.ones((len(z), 1))], axis=1)
    mean = np.maximum(features @ W, 0)
    return np.maximum(mean + residuals[order], 0)
    ### END SOLUTION


# %% points=1
exercise08.check_synthetic_input(synthetic_input)

# %% [markdown]
# A real message brings `h`, for its `z` and `c`. The residuals are what the *mean* misses, and `W`
# moves by the **delta rule**: by `rate` times the mean over the minibatch of features times
# residuals. (The rule takes the error as it is. It does not ask where the maximum has cut: a unit
# that is at zero and should not be must be able to come back.) Return both, and leave `W` as it is.


# %%
def teach_input(W, z, c, e, h, rate):
    """Return (W_new, residuals)."""
    ### BEGIN SOLUTION
    features = np.concatenate([z, e * c, np.ones((len(z), 1))], axis=1)
    residuals = h - np.maximum(features @ W, 0)
    return W + rate / len(z) * features.T @ residuals, residuals
    ### END SOLUTION


# %% points=1
exercise08.check_teach_input(teach_input)

# %% [markdown]
# ## 3. What to do when nothing has come
#
# Module `i` of a complete unlock (0 is the lowest) is about to act. `message` is true if one from
# below lies in its mailbox. What does it work on: `"image"`, `"real"`, `"synthetic"`, or
# `"nothing"`? And does it teach its input model first? The lowest module gets the image itself: it
# has no mailbox below, no input model, and never waits.
#
# | policy | a message is there | none is there |
# |---|---|---|
# | `"wait"` | work on it; there is no input model to teach | do nothing |
# | `"synthetic"` | teach, then work on a made-up input | work on a made-up input |
# | `"either"` | teach, then work on the message | work on a made-up input |


# %%
def decide(i, policy, message):
    """Return (what to work on, whether to teach the input model)."""
    ### BEGIN SOLUTION
    if i == 0:
        return "image", False
    if policy == "wait":
        return ("real" if message else "nothing"), False
    return ("real" if message and policy == "either" else "synthetic"), message
    ### END SOLUTION


# %% points=1
exercise08.check_decide(decide)

# %% [markdown]
# ## 4. Why labels leak
#
# A *linear* model of the input says $\hat h = [z,\; e c,\; 1]\, W$. Somebody who knows `W` sees
# only $\hat h$. Find the label of each example: no image, no training. `W` has more columns than
# rows, and its rows are independent. (`np.linalg.pinv`, or `np.linalg.lstsq` on transposes.)


# %%
def read_labels(h, W, n_view, e):
    """Return the labels (B,) of int that made-up inputs h (B, n) were made with."""
    ### BEGIN SOLUTION
    features = h @ np.linalg.pinv(W)
    c = features[:, n_view:-1] / e
    return c.argmax(axis=1)
    ### END SOLUTION


# %% points=1
exercise08.check_read_labels(read_labels)

# %% [markdown]
# What a linear map can read, a module can learn to read. Does it? You are given shares, each
# between 0 and 1:
#
# - `made_up`: right answers on made-up inputs, in training;
# - `true`: right answers on true inputs, in the test;
# - `follows`: of test images shown with a *wrong* label told to the input model, the share that is
#   answered with that wrong label;
# - `control`: right answers in the test of the same network, trained without labels for its input
#   models.
#
# Answer with the first that applies:
#
# | answer | when |
# |---|---|
# | `"leaks and harms"` | `follows` is above one half, `true` more than 0.01 below `control` |
# | `"leaks"` | `follows` is above one half |
# | `"harms, but not by a leak"` | `true` is more than 0.01 below `control` |
# | `"fine"` | otherwise |
#
# `made_up` is a distractor: an easy task gets a high one, too, without any leak.


# %%
def diagnose(made_up, true, follows, control):
    """Return one of the four answers."""
    ### BEGIN SOLUTION
    harms = true < control - 0.01
    if follows > 0.5:
        return "leaks and harms" if harms else "leaks"
    return "harms, but not by a leak" if harms else "fine"
    ### END SOLUTION


# %% points=1
exercise08.check_diagnose(diagnose)
