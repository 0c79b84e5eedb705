# %% [markdown]
# # 1. Backprop by hand
#
# - **You will do**: write a two-layer network and its backward pass in a dozen lines of NumPy,
#   prove the gradient right, break it in three ways, and train it on handwritten digits.
# - **You will learn**: the chain rule as code; what travels per example and what is summed over
#   the batch; how to check a gradient, and why a net that learns may still have a wrong one.
# - **You need**: NumPy, matrix products, partial derivatives. Nothing about synthetic gradients.
# - **Time**: 25 minutes to read, under 20 s to run.
# - **Exercises**: [01_backprop_by_hand](exercises/01_backprop_by_hand.ipynb), about 40 minutes.
# - **Words**: [glossary](glossary.md).

# %% jupyter={"source_hidden": true}
import matplotlib.pyplot as plt
import numpy as np

from sgdni import SGD, Dense, Layer, Module, ReLU, SoftmaxCrossEntropy, check_layer, load
from sgdni.data import scale_pixels
from sgdni.plotting.colours import BLUE, ORANGE, TRUE
from sgdni.timeline import SCHEDULES, ModuleCost
from sgdni.timeline.gantt import draw
from sgdni.training.batches import minibatches
from sgdni_course import quoted, stated, style

style()

# %%
SEED = 0
rng = np.random.default_rng(SEED)
data = load("mnist-5k")  # 5,000 real MNIST images, which come with the package
data.x_train.shape, data.x_test.shape

# %% [markdown]
# ## The network
#
# A minibatch $h_0$ holds $B$ images, one a row. Two layers turn it into one score for each digit:
#
# $$a_1 = h_0 W_1 + b_1, \qquad h_1 = \max(a_1, 0), \qquad h_2 = h_1 W_2 + b_2 .$$
#
# | symbol | meaning | shape here |
# |---|---|---|
# | $B$ | minibatch size | 128 |
# | $h_0$ | the images | $(B, 784)$ |
# | $h_1$ | hidden activations | $(B, 128)$ |
# | $h_2$ | scores | $(B, 10)$ |
# | $\theta_i = (W_i, b_i)$ | parameters of layer $i$ | $(n_{i-1}, n_i)$ and $(n_i,)$ |
# | $\delta_i$ | gradient of each example's loss with respect to its row of $h_i$ | as $h_i$ |
#
# Forward, in code, is the formula. It keeps what the way back will need.


# %%
def init(widths, rng, dtype=np.float64):
    """Weights of variance 2 / n_in, which keeps the scale through ReLU; biases zero."""
    W1, W2 = (rng.normal(0, np.sqrt(2 / a), (a, b)).astype(dtype)
              for a, b in zip(widths[:-1], widths[1:], strict=True))
    return {"W1": W1, "b1": np.zeros(widths[1], dtype), "W2": W2, "b2": np.zeros(widths[2], dtype)}


def forward(theta, h0):
    a1 = h0 @ theta["W1"] + theta["b1"]
    h1 = np.maximum(a1, 0)
    h2 = h1 @ theta["W2"] + theta["b2"]
    return h2, (h0, a1, h1)


# %% [markdown]
# ## The way back
#
# The loss of one example is $-\log \mathrm{softmax}(h_2)[y]$, with $y$ its label. Its gradient
# with respect to the scores is predicted minus wanted:
#
# $$\delta_2 = \mathrm{softmax}(h_2) - \mathrm{onehot}(y).$$
#
# From there the chain rule goes down one operation at a time. Three rules cover this network:
#
# - **Dense, towards the input.** A change of $h_1$ reaches $h_2$ through $W_2$, so the error
#   comes back through its transpose: $\delta_1 = \delta_2 W_2^\top$.
# - **Dense, towards the parameters.** *All* $B$ examples used the same $W_2$ and $b_2$, so their
#   gradients add up: $dW_2 = h_1^\top \delta_2$ (the product sums over the batch) and $db_2 =
#   \sum_k \delta_2[k]$.
# - **ReLU.** Where it was off, nothing passes: $d a_1 = \delta_1 \cdot [a_1 > 0]$.


# %%
def backward(theta, cache, delta2):
    h0, a1, h1 = cache
    delta1 = delta2 @ theta["W2"].T
    da1 = delta1 * (a1 > 0)
    grads = {
        "W2": h1.T @ delta2, "b2": delta2.sum(axis=0),
        "W1": h0.T @ da1, "b1": da1.sum(axis=0),
    }
    return grads, delta1, da1 @ theta["W1"].T


theta = init((784, 128, 10), rng)
h0, y = scale_pixels(data.x_train[::250], np.float64), data.y_train[::250]  # 16 of them
h2, cache = forward(theta, h0)
losses, delta2 = SoftmaxCrossEntropy()(h2, y)
grads, delta1, _ = backward(theta, cache, delta2)
for name, array in {"delta2": delta2, "delta1": delta1, **grads}.items():
    print(f"{name:7} {array.shape}")

# %% [markdown]
# Two kinds of gradient, and the shapes tell them apart. $\delta_2$ and $\delta_1$ have **one row
# for each example**: row $k$ says how example $k$'s own loss changes, and knows nothing of the
# others. The parameters' gradients have no batch axis any more: they are **summed** over it.
#
# The mean over the minibatch comes in once, at the very end, in the update $\theta
# \leftarrow \theta - \eta\, d\theta / B$. Dividing earlier gives the same update, but then every
# $\delta$ would depend on how many examples share the batch. From lesson 3 on a model
# *learns to predict* $\delta_1$, and its target must not change with $B$.

# %% jupyter={"source_hidden": true}
fig, panels = plt.subplots(1, 3, figsize=(7.5, 3.4), sharey=True, width_ratios=[10, 24, 24])
shown = {
    "$\\delta_2$": delta2,
    "$\\delta_1$, 24 of 128 units": delta1[:, :24],
    "$da_1 = \\delta_1 \\cdot [a_1 > 0]$": (delta1 * (cache[1] > 0))[:, :24],
}
for axes, (title, array) in zip(panels, shown.items(), strict=True):
    size = np.abs(array).max()
    axes.imshow(array, cmap="PuOr", vmin=-size, vmax=size, aspect="auto", interpolation="nearest")
    axes.set(title=title, xlabel="digit" if array is delta2 else "unit")
    axes.grid(False)
panels[0].set(ylabel="example (true digit)", xticks=range(0, 10, 3), yticks=range(16),
              yticklabels=y)
panels[0].tick_params(axis="y", labelsize=8)
plt.show()

# %% [markdown]
# One row an example; purple is positive, orange negative, white zero. On the left each row has
# one dark orange square: the right digit, whose score should go up. In the middle that error has
# come through $W_2^\top$ to every hidden unit. On the right the ReLU has let it pass only where
# it was on. (Folded cells that begin "Checks what the text says" do just that; skip them.)

# %% tags=["guard"] jupyter={"source_hidden": true}
# Checks what the text says.
stated("each row has one dark orange square",
       (delta2.argmin(axis=1) == y).all() and (delta2 < 0).sum(axis=1).max() == 1)

# %% [markdown]
# ## Is it right?
#
# A gradient is easy to get wrong and easy to check. Move one weight by a small $\epsilon$ each
# way, run forward twice, and divide (*central differences*):
#
# $$\frac{\partial L}{\partial w} \approx \frac{L(w + \epsilon) - L(w - \epsilon)}{2\epsilon},
# \qquad L = \sum_k \mathrm{loss}_k .$$


# %%
def numeric(theta, name, index, h0, y, eps, dtype=np.float64):
    """Central difference of the summed loss in one entry of one parameter."""
    sums = []
    for sign in (+1, -1):
        moved = {key: array.astype(dtype) for key, array in theta.items()}
        moved[name][index] += dtype(sign * eps)
        sums.append(SoftmaxCrossEntropy()(forward(moved, h0.astype(dtype))[0], y)[0].sum())
    return (sums[0] - sums[1]) / (2 * eps)


index = np.unravel_index(np.abs(grads["W2"]).argmax(), grads["W2"].shape)
print(f"by the chain rule       {grads['W2'][index]:.10f}")
print(f"by central differences  {numeric(theta, 'W2', index, h0, y, 1e-6):.10f}")

# %% [markdown]
# Too large an $\epsilon$, and the curve bends between the two points (the error grows as
# $\epsilon^2$). Too small, and the two losses agree in most of their digits, which the subtraction
# throws away (the error grows as $1/\epsilon$).

# %%
steps, exact = np.logspace(-10, -1, 28), grads["W2"][index]
off = {dtype: [abs(numeric(theta, "W2", index, h0, y, eps, dtype) - exact) / abs(exact)
               for eps in steps] for dtype in (np.float64, np.float32)}

# %% jupyter={"source_hidden": true}
fig, axes = plt.subplots()
for dtype, look in ((np.float64, {"color": BLUE, "marker": "o"}),
                    (np.float32, {"color": ORANGE, "marker": "s", "linestyle": "--"})):
    axes.loglog(steps, np.maximum(off[dtype], 1e-12), label=np.dtype(dtype).name, markersize=4,
                **look)
axes.axvline(1e-6, color="0.5", linestyle=":", linewidth=1.2)
axes.annotate("the step that sgdni.gradcheck takes", (8e-7, 6e1), fontsize=10, color="0.3",
              va="top", ha="right")
axes.set(xlabel="step $\\epsilon$", ylabel="off by, relative to the exact value",
         ylim=(1e-12, 1e2),
         title="Central differences against the chain rule, one entry of $W_2$")
axes.legend(loc="lower left")
plt.show()

# %% tags=["guard"] jupyter={"source_hidden": true}
# Checks what the text says.
error_at_step = off[np.float64][int(np.abs(np.log10(steps) + 6).argmin())]
best_float32 = min(off[np.float32])
stated("leaves seven or more right digits", error_at_step < 1e-7)
stated("In 32-bit numbers no step is good", best_float32 > 1e-6)
stated("the best being off by seven in a million", 5e-6 < best_float32 < 9e-6)

# %% [markdown]
# In 64-bit numbers a step of $10^{-6}$ leaves seven or more right digits. In 32-bit numbers no step
# is good, the best being off by seven in a million. So: **train in float32 if you like, check in
# float64.**
#
# ## Checking all of it
#
# `sgdni.gradcheck` does this for the input and every parameter. It checks the gradient of a sum of
# all outputs, each with a *random* weight, of which more below, and it watches for a pass that
# alters its input, and for a backward that is not linear. It wants a `Layer`: `forward`,
# `backward`, `params`, `grads`.


# %%
class ByHand(Layer):
    """The two layers above, with our own backward."""

    def __init__(self, theta, backward=backward):
        super().__init__()
        self.params, self.my_backward = theta, backward

    def forward(self, x, training=True):
        h2, self.cache = forward(self.params, x)
        return h2

    def backward(self, dy):
        self.grads, _, dh0 = self.my_backward(self.params, self.cache, dy)
        return dh0


def check(backward):
    rng = np.random.default_rng(1)
    small = ByHand(init((5, 3, 3), rng), backward)
    return check_layer(small, rng.standard_normal((7, 5)), rng)


print(check(backward))

# %% tags=["guard"] jupyter={"source_hidden": true}
# Checks what the text says.
stated("Each is far below", max(check(backward).errors.values()) < 1e-7)

# %% [markdown]
# An error is $|a - n| / (|a| + |n|)$, of an analytic and a numeric value, so 1 at most. Each is far
# below $10^{-6}$, the most that passes. (`x` is our $h_0$.) A small net is enough: a wrong formula
# is wrong at every size. Choose different sizes, lest a transposed matrix fit by accident; here the
# second layer is square for the first bug.
#
# ## Three bugs, and what they look like
#
# A check that never failed proves nothing. Wrong code that it must catch is its *negative control*.
#
# **A transpose forgotten.** NumPy is silent if the matrix is square.


# %%
def no_transpose(theta, cache, delta2):
    h0, a1, h1 = cache
    da1 = (delta2 @ theta["W2"]) * (a1 > 0)
    grads, _, _ = backward(theta, cache, delta2)
    return grads | {"W1": h0.T @ da1, "b1": da1.sum(axis=0)}, None, da1 @ theta["W1"].T


print(check(no_transpose))

# %% [markdown]
# `W2` and `b2` are right, and everything *below* is wrong. Backprop runs from the top down, so
# **look for the bug where the failures begin, seen from the top.**
#
# **A bias gradient averaged** while the weights' is summed.


# %%
def bias_averaged(theta, cache, delta2):
    grads, delta1, dh0 = backward(theta, cache, delta2)
    return grads | {"b1": grads["b1"] / len(delta2)}, delta1, dh0


print(check(bias_averaged))

# %% [markdown]
# Only `b1`, and each entry off by the same factor: 7, our batch, an error of 6/8. (The third is 0
# either way, of a unit that never fires.)
#
# **The ReLU's mask taken from its output**, with $\ge$: $h_1 \ge 0$ is always true, so the mask
# does nothing.


# %%
def mask_of_output(theta, cache, delta2):
    h0, a1, h1 = cache
    return backward(theta, (h0, np.where(h1 >= 0, 1, a1), h1), delta2)


print(check(mask_of_output))

# %% tags=["guard"] jupyter={"source_hidden": true}
# Checks what the text says.
wrong = {bug: {f.variable for f in check(bug).failures}
         for bug in (no_transpose, bias_averaged, mask_of_output)}
stated("`W2` and `b2` are right, and everything *below* is wrong",
       wrong[no_transpose] == wrong[mask_of_output] == {"x", "W1", "b1"})
stated("Only `b1`, and each entry off by the same factor: 7",
       wrong[bias_averaged] == {"b1"}
       and all(abs(f.numeric / f.analytic - 7) < 1e-3 for f in check(bias_averaged).failures))

# %% [markdown]
# ## A check that sees nothing
#
# A layer has no loss, so a check makes one up: $L = \sum_{k,j} v_{kj}\, y_{kj}$, with weights $v$
# for the outputs $y$ (no labels here). Then `backward` is handed $v$ as $dy$, the *cotangent*. The
# simplest choice is all ones. Take batch normalisation, $\hat x = (x - \mu) / \sigma$ with
# mean and standard deviation over the batch, and forget on the way back that $\sigma$ depends on
# $x$.


# %%
def normalise(x):
    return (x - x.mean(axis=0)) / x.std(axis=0)


def variance_forgotten(x, dy):
    return (dy - dy.mean(axis=0)) / x.std(axis=0)


def largest_gap(v, x, eps=1e-6):
    """Between this backward and central differences of sum(v * y), over all entries of x."""
    dx = np.empty_like(x)
    for index in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[index] = eps
        dx[index] = np.sum(v * (normalise(x + step) - normalise(x - step))) / (2 * eps)
    return np.abs(variance_forgotten(x, v) - dx).max()


x = np.random.default_rng(2).standard_normal((7, 3))
gaps = {"all ones": largest_gap(np.ones_like(x), x),
        "random": largest_gap(rng.standard_normal(x.shape), x)}
print({name: f"{gap:.0e}" for name, gap in gaps.items()})

# %% [markdown]
# With all ones the wrong layer passes. The outputs of a batch normalisation add up to zero,
# whatever $x$ is, so their plain sum has no gradient, and `variance_forgotten` gives zero as well:
# $dy$ less its mean. A random cotangent sees the error at once. Whatever a layer keeps constant
# (softmax: the sum of a row) hides errors from a cotangent that asks for just that; **a random one
# asks for nothing in particular, and so for everything.**

# %% tags=["guard"] jupyter={"source_hidden": true}
# Checks what the text says.
stated("With all ones the wrong layer passes", gaps["all ones"] < 1e-8)
stated("A random cotangent sees the error at once", gaps["random"] > 0.05)

# %% [markdown]
# ## Would training have shown it?
#
# Train all four: the right backward and the three wrong ones. The loop is the whole of stochastic
# gradient descent: forward, loss, backward, and a step of the *mean* gradient. (The forgotten
# transpose needs a square $W_2$, which is $128 \times 10$ here; NumPy refuses it.)


# %%
def train(backward, seed, epochs=8, lr=0.1, batch_size=128):
    """Return the test accuracy after each epoch, of the two layers trained by hand."""
    weights, order = (np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(2))
    theta = init((784, 128, 10), weights, np.float32)
    accuracy = []
    for _ in range(epochs):
        for h0, y in minibatches(data.x_train, data.y_train, batch_size, order):
            h2, cache = forward(theta, h0)
            _, delta2 = SoftmaxCrossEntropy()(h2, y)
            grads, _, _ = backward(theta, cache, delta2)
            for name in theta:
                theta[name] -= lr * grads[name] / len(h0)
        scores, _ = forward(theta, scale_pixels(data.x_test))
        accuracy.append(np.mean(scores.argmax(axis=1) == data.y_test))
    return np.array(accuracy)


try:
    train(no_transpose, SEED)
except ValueError as error:
    print("forgotten transpose:", error)

seeds = range(5 * SEED, 5 * SEED + 5)
curves = {name: np.array([train(f, seed) for seed in seeds])
          for name, f in (("right", backward), ("bias averaged", bias_averaged),
                          ("mask of output", mask_of_output))}

# %% jupyter={"source_hidden": true}
fig, axes = plt.subplots()
looks = ({"color": TRUE, "marker": "o"}, {"color": BLUE, "marker": "s", "linestyle": "--"},
         {"color": ORANGE, "marker": "^", "linestyle": ":"})
for (name, values), look in zip(curves.items(), looks, strict=True):
    epochs = np.arange(1, values.shape[1] + 1)
    axes.plot(epochs, 100 * np.median(values, axis=0), label=name, markersize=5, **look)
    axes.fill_between(epochs, 100 * values.min(axis=0), 100 * values.max(axis=0),
                      color=look["color"], alpha=0.12, linewidth=0)
axes.set(xlabel="epochs", ylabel="test accuracy (%)",
         title="Two layers by hand on mnist-5k: median and range of 5 seeds")
axes.legend()
plt.show()
final = {name: float(np.median(values[:, -1])) for name, values in curves.items()}
print({name: f"{value:.1%}" for name, value in final.items()})

# %% [markdown]
# All three learn. The right one ends at 89.7%; with the averaged bias gradient it is 89.5%, and
# with no mask at all 89.0%, which nobody would notice without the right curve beside it. **A net
# that learns proves nothing about its gradient; a gradient check does.**

# %% tags=["guard"] jupyter={"source_hidden": true}
# Checks what the text says.
quoted("89.7%", final["right"], within=0.01)
quoted("89.5%", final["bias averaged"], within=0.01)
quoted("89.0%", final["mask of output"], within=0.01)

# %% [markdown]
# ## The same in sgdni
#
# In the package each operation is a `Layer` with `forward` and `backward`, one short class each,
# and a `Module` runs a stack of them up and then down. Same weights, same minibatch:

# %%
module = Module(
    [Dense(784, 128, rng, dtype=np.float64), ReLU(), Dense(128, 10, rng, dtype=np.float64)],
    SGD(0.1),
)
ours = {"0.W": "W1", "0.b": "b1", "2.W": "W2", "2.b": "b2"}  # layer.name, counted from 0
for theirs, name in ours.items():
    module.params[theirs][...] = theta[name]
module.forward(h0)
module.backward(delta2)
apart = {name: np.abs(module.grads[theirs] - grads[name]).max() for theirs, name in ours.items()}
print("largest difference:", ", ".join(f"{name} {gap:.0e}" for name, gap in apart.items()))

# %% tags=["guard"] jupyter={"source_hidden": true}
# Checks what the text says.
stated("No difference beyond rounding", max(apart.values()) < 1e-12)

# %% [markdown]
# No difference beyond rounding. Read [`dense.py`](../sgdni/layers/dense.py) and
# [`activations.py`](../sgdni/layers/activations.py): they are our lines, writing into memory that
# they keep.
#
# ## Where backprop has to wait
#
# Look again at `backward`: its first line needs $\delta_2$, which needs $h_2$ and the loss. The
# bottom layer has its $h_1$ early and could update if only it knew $\delta_1$; but that takes the
# whole way up and back. Give each of three modules a worker of its own, and let forward take 1 ms
# and backward 2 ms in each (made-up times):

# %%
cost = ModuleCost(forward=1e-3, learn=1e-3, target=1e-3)
intervals = SCHEDULES["model-parallel backprop"]([cost] * 3, steps=3)
figure = draw({"three modules, three workers, ordinary backpropagation": intervals})
figure.set_size_inches(7.5, 2.8)
figure

# %% [markdown]
# Blue is forward, orange backward with the update; the numbers count minibatches. Each worker
# works 3 of every 9 ms. The bottom one is done with forward after 1 ms and gets its $\delta$
# after 7; the rest is waiting. That is not slow code, it is the order in which the chain rule can
# be evaluated.
#
# Unless somebody *guesses* $\delta_1$ from $h_1$, at once. A guess of this kind is a **synthetic
# gradient**, and it needs nothing that this lesson did not have: a linear layer, and a target for
# it, $\delta$ itself, which comes later.

# %% tags=["guard"] jupyter={"source_hidden": true}
# Checks what the text says.
bottom = [i for i in intervals if i.worker == 0]
stated("Each worker works 3 of every 9 ms", np.isclose(bottom[-1].end, 27e-3)
       and all(np.isclose(sum(i.end - i.start for i in intervals if i.worker == w), 9e-3)
               for w in range(3)))
stated("done with forward after 1 ms and gets its $\\delta$ after 7",
       np.isclose(bottom[0].end, 1e-3) and np.isclose(bottom[1].start, 7e-3))

# %% [markdown]
# ## What to try next
#
# - Break `backward` in a way of your own, and guess before you run `check` which names will fail.
# - Divide `delta2` by `len(h0)` instead of the gradients in the update. Does training change?
#   Does $\delta_1$?
# - Replace ReLU by $\tanh$, whose derivative is $1 - h_1^2$. Which two lines change?
# - Do the [exercises](exercises/01_backprop_by_hand.ipynb): a dense layer, ReLU, the error at the
#   top, and batch normalisation.
# - Next lesson: [who waits for whom, drawn](02_the_locks.ipynb).
#
# ## Sources
#
# - D. E. Rumelhart, G. E. Hinton, R. J. Williams, *Learning representations by back-propagating
#   errors*, Nature 323, 1986.
# - K. He, X. Zhang, S. Ren, J. Sun, *Delving Deep into Rectifiers*, 2015,
#   [arXiv:1502.01852](https://arxiv.org/abs/1502.01852): the scale of the first weights.
# - M. Jaderberg et al., *Decoupled Neural Interfaces using Synthetic Gradients*, 2016,
#   [arXiv:1608.05343](https://arxiv.org/abs/1608.05343): what the last section leads to.
# - The images: MNIST, by Yann LeCun and Corinna Cortes, CC BY-SA 3.0.
