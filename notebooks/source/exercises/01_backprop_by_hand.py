# %% [markdown]
# # Exercises 1. Backprop by hand
#
# Lesson: [Backprop by hand](../01_backprop_by_hand.ipynb). About 40 minutes.
#
# Replace each `raise NotImplementedError` and run the cell after it: it says what is wrong, if
# anything is. `pytest notebooks/exercises` runs the same checks from a terminal.
# The conventions are the lesson's: gradients travel per example, those of parameters are summed
# over the batch, and nothing is divided by $B$.

# %%
import numpy as np

from sgdni import BatchNorm, check_layer
from sgdni_course import exercise01

# %% [markdown]
# ## 1. A dense layer
#
# $y = x W + b$. Backward gets $dy$, the gradient of each example's loss with respect to its row of
# $y$. Shapes are most of the work: write down that of each result before you write the product.


# %%
def dense_backward(x, W, dy):
    """Backward of y = x W + b.

    x (B, n_in), W (n_in, n_out), dy (B, n_out); returns dx (B, n_in), dW (n_in, n_out) and
    db (n_out,).
    """
    ### BEGIN SOLUTION
    dx = dy @ W.T
    dW = x.T @ dy
    db = dy.sum(axis=0)
    return dx, dW, db
    ### END SOLUTION


# %% points=2
exercise01.check_dense_backward(dense_backward)

# %% [markdown]
# ## 2. ReLU
#
# $y = \max(x, 0)$, entry by entry. Take the derivative at $x = 0$ to be 0.


# %%
def relu_backward(x, dy):
    """Backward of y = max(x, 0): x, dy and the returned dx are (B, n)."""
    ### BEGIN SOLUTION
    return dy * (x > 0)
    ### END SOLUTION


# %% points=1
exercise01.check_relu_backward(relu_backward)

# %% [markdown]
# ## 3. The error at the top
#
# The loss of an example is $-\log \mathrm{softmax}(h)[y]$. Its gradient with respect to $h$ is
# where backprop starts. It must also survive large $h$.


# %%
def softmax_delta(h, y):
    """Gradient of each example's cross-entropy: h (B, classes), y (B,) labels; as h."""
    ### BEGIN SOLUTION
    e = np.exp(h - h.max(axis=1, keepdims=True))
    delta = e / e.sum(axis=1, keepdims=True)
    delta[np.arange(len(h)), y] -= 1
    return delta
    ### END SOLUTION


# %% points=2
exercise01.check_softmax_delta(softmax_delta)

# %% [markdown]
# ## 4. Batch normalisation (harder)
#
# For each feature, with mean $\mu$ and variance $v$ over the batch,
#
# $$\hat x = (x - \mu)\, s, \qquad s = 1 / \sqrt{v + \epsilon}, \qquad y = \gamma \hat x + \beta .$$
#
# Every example moves $\mu$ and $v$, and with them every other example's $\hat x$. So $dx$ has three
# terms: the direct one, one through $\mu$ and one through $v$.


# %%
def batchnorm_backward(x_hat, inverse_std, gamma, dy):
    """Backward of y = gamma x_hat + beta, down to x.

    x_hat, dy (B, n), inverse_std (n,) the s above, gamma (n,); returns dx (B, n), dgamma (n,) and
    dbeta (n,).
    """
    ### BEGIN SOLUTION
    dgamma = (dy * x_hat).sum(axis=0)
    dbeta = dy.sum(axis=0)
    through_mean = dy.mean(axis=0)
    through_variance = x_hat * (dy * x_hat).mean(axis=0)
    dx = gamma * inverse_std * (dy - through_mean - through_variance)
    return dx, dgamma, dbeta
    ### END SOLUTION


# %% points=3
exercise01.check_batchnorm_backward(batchnorm_backward)

# %% [markdown]
# No answer key is needed to check a gradient: finite differences know it. Put yours into a layer
# and ask, as you would with one for which there is no solution to look up.


# %%
class MyBatchNorm(BatchNorm):
    def backward(self, dy):
        dx, self.grads["gamma"], self.grads["beta"] = batchnorm_backward(
            self.x_hat, self._inverse_std, self.params["gamma"], dy
        )
        return dx


def report():
    rng = np.random.default_rng(0)
    return check_layer(MyBatchNorm(3, dtype=np.float64), rng.standard_normal((6, 3)), rng)


# %%
# Uncomment when batchnorm_backward is written.
# print(report())
