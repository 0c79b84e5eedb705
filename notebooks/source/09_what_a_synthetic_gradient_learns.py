# %% [markdown]
# # 9. What a synthetic gradient learns
#
# - **You will do**: predict where training by guessed gradients comes to rest, and watch it come to
#   rest there; draw the loss that a model of the gradient implies; let networks learn random labels
#   by heart; look into their layers; put seven rules side by side; go fifty layers deep.
# - **You will learn**: when a linear model costs nothing and when it costs accuracy, with a proof
#   of a few lines; what it believes of an answer that is very right; what its place in the network
#   costs; what "alike" means for two representations; why a good cosine is no good result.
# - **You need**: lesson 3, a linear model of a gradient and its fit by least squares, and lesson 4,
#   the four moves of a step and the control in which only the top learns.
# - **Time**: 35 minutes to read, under 60 s to run.
# - **Exercises**: [of this lesson](exercises/09_what_a_synthetic_gradient_learns.ipynb), about 45
#   minutes.
# - **Words**: [glossary](glossary.md).

# %% jupyter={"source_hidden": true}
import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from sgdni import (
    SGD,
    Decoupled,
    Dense,
    Interface,
    LinearSG,
    MeanSquaredError,
    Module,
    Network,
    Settings,
    SoftmaxCrossEntropy,
    load,
)
from sgdni.analysis.end_points import best_logits, least_squares_outputs, predicted_logits
from sgdni.experiments import depth, implicit_loss, one_view, random_labels, representations
from sgdni.experiments import linear_networks as ln
from sgdni.experiments.after_steps import accuracy
from sgdni.layers import Flatten
from sgdni.networks.interface import no_context, values
from sgdni.plotting.colours import BLUE, ORANGE, PINK, TRUE
from sgdni_course import quoted, stated, style

style()
plt.rcParams["figure.dpi"] = 84  # six figures in a small file

# %%
SEED = 0
RECORDS = Path("../benchmarks/records")


def quiet(share):
    """Hear how far an experiment is, and say nothing."""

# %% [markdown]
# Lesson 4 asked whether a network learns from guessed gradients. It did. This lesson asks *what* it
# learns: where it comes to rest, which loss it really descends, what it can hold, and what its
# layers look like then. Czarnecki et al. (2017) asked these questions first. Most of the cells
# below call experiments of this library with small settings.
#
# Two models of the gradient come back in every section.
#
# - **Linear**: $\hat\delta = hA + cC + b$, from lesson 3. $h$ is what the layer below puts out,
#   one row an example, and $c$ its label as a one-hot row. Fitted by least squares.
# - **Local error**: a small classifier of its own, the *head*, reads $h$ and learns the label by
#   itself. Its error $e = \mathrm{softmax}(hR + r) - c$ says in which respect the answer is wrong,
#   and $\hat\delta = eP$. The matrix $P$ is what is fitted to the targets from above. With $P =
#   R^\top$ for good it would be the *local loss*: the head's own gradient, and nobody above is
#   asked.
#
# ## Where does training end?
#
# Take the plainest network: one linear layer, $h = XW$. ($X$ has a row for each example, and a
# column of ones, so that no bias is needed.) Its output $h$ is the interface: $M$ stands on it and
# guesses $\delta$, the gradient of the loss. All examples are one batch, and we train until nothing
# moves. Where?
#
# With a **squared error**, $\delta = h - c$. That is linear in $h$ and $c$. So $M$ can be exact,
# least squares find it, and training by it is training by the truth.
#
# With the **log loss**, the softmax loss of lesson 1, $\delta = p - c$ has probabilities $p$ in it,
# which are not linear in $h$. So $M$ is the best linear stand-in, and we derive where that ends.
# Let the answer be one logit $h$ for two classes.
#
# 1. *The layer rests.* It moves by $-X^\top \hat\delta$, so that must be zero:
#    $$X^\top (hA + cC + b) = 0 .$$
#    $A$ is here a number, above zero, as $p$ grows with $h$. $cC + b$ is a multiple of the label 0
#    or 1, and a constant. So $-hA$, a combination of $X$'s columns, is the least-squares fit of $cC
#    + b$ by such combinations. The best guess at labels by a linear map is what a **least-squares
#    classifier** gives, $\hat c$. So $h = \alpha \hat c + \beta$ with two numbers $\alpha$ and
#    $\beta$: its *direction* is that of $\hat c$, whatever the loss.
# 2. *$M$ rests.* It is a least-squares fit, so what it misses, $\delta - \hat\delta$, correlates
#    with none of its inputs $h$, $c$, $1$. The last equals signs are by step 1,
#    $$h^\top \delta = h^\top \hat\delta = W^\top X^\top \hat\delta = 0,
#    \qquad 1^\top \delta = 1^\top \hat\delta = 0 .$$
# 3. *What is that?* $h^\top \delta$ is how the loss changes as $h$ is stretched, and $1^\top
#    \delta$, as it is shifted. Both are zero, and the log loss is convex in $\alpha$ and $\beta$:
#    they are the best there are.
#
# So the end is **the best logistic regression that gets nothing but the least-squares classifier's
# output as its input**. The true optimum asks for more, $X^\top \delta = 0$: every column of $X$
# has its say.
#
# Try it. Three clouds of examples: Gaussian; log-normal, with long tails; and one with a *far
# cluster*, where a tenth of the examples are right and far beyond what tells the classes apart. We
# know the best loss of each by Newton's method, so we can show the **gap**: by how much the loss is
# above it.

# %%
STEPS, EVERY, SIZE = 1000, 20, 300
LOOKS = {"backprop": {"color": TRUE}, "linear": {"color": BLUE, "dashes": (4, 2)},
         "local error": {"color": ORANGE}}
log_loss, squared = SoftmaxCrossEntropy(), MeanSquaredError()


def gaps(network, x, y, best):
    """Return the gap after every 20 steps."""
    return [ln.mean_loss(network.loss, ln.train(network, x, y, EVERY), y) - best
            for _ in range(STEPS // EVERY)]


x, labels = ln.cloud("gaussian", 20, 5, SIZE, np.random.default_rng(SEED))
y = np.eye(5)[labels]
best = ln.mean_loss(squared, least_squares_outputs(x, y), y)
by_squares = {model: gaps(ln.linear_network("deep", model, 20, 1.0, np.random.default_rng(SEED),
                                            squared), x, y, best)
              for model in ("backprop", "linear")}

far, far_y = ln.cloud("far cluster", 10, 2, SIZE, np.random.default_rng(SEED))
logits = {"the optimum": best_logits(far, far_y, 2),
          "predicted for a linear SG": predicted_logits(far, far_y, 2)}
best, end = (ln.mean_loss(log_loss, h, far_y) for h in logits.values())
by_log, ended = {}, {}
for model in LOOKS:
    network = ln.linear_network("direct", model, 10, 1.0, np.random.default_rng(SEED), log_loss,
                                n_out=1)
    by_log[model] = gaps(network, far, far_y, best)
    ended[model] = network.forward(far).copy()
head = network.interfaces[0].model.head  # of local error, the last one trained
head_gap = ln.mean_loss(log_loss, head.layers[0].forward(ended[model][:, 1:].copy()), far_y) - best

pairs = {}
for kind in ("gaussian", "log-normal", "far cluster"):
    for d in (10, 20, 40):
        x, y = ln.cloud(kind, d, 2, SIZE, np.random.default_rng([SEED, d]))
        optimum, there = (ln.mean_loss(log_loss, h, y)
                          for h in (best_logits(x, y, 2), predicted_logits(x, y, 2)))
        network = ln.linear_network("direct", "linear", d, 1.0, np.random.default_rng(SEED),
                                    log_loss, n_out=1)
        reached = ln.mean_loss(log_loss, ln.train(network, x, y, STEPS), y)
        pairs[kind, d] = (there - optimum, reached - optimum)

# %% jupyter={"source_hidden": true}
fig, (left, middle, right) = plt.subplots(1, 3, figsize=(7.5, 3.3))
when = range(EVERY, STEPS + 1, EVERY)
for axes, curves, title in ((left, by_squares, "squared error"), (middle, by_log, "log loss")):
    for model, curve in curves.items():
        axes.plot(when, np.maximum(curve, 1e-12), label=model, **LOOKS[model])
    axes.set(yscale="log", title=title, xlabel="steps")
left.set_ylabel("gap: loss above the optimum")
middle.axhline(end - best, color=PINK, linewidth=7, alpha=0.5, zorder=1, label="predicted")
ends = [0.5 * min(p for p, _ in pairs.values()), 2 * max(p for p, _ in pairs.values())]
right.plot(ends, ends, color="0.7", linewidth=1)
for kind, marker in (("gaussian", "o"), ("log-normal", "s"), ("far cluster", "^")):
    right.plot(*zip(*(pair for key, pair in pairs.items() if key[0] == kind), strict=True), marker,
               color=BLUE, label=kind, fillstyle="none", markeredgewidth=1.5)
right.set(xscale="log", yscale="log", title="linear, log loss", xlabel="predicted gap",
          ylabel="measured gap")
right.legend(fontsize=8, handletextpad=0.1)
fig.legend(*middle.get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=9)
plt.show()
print(f"local error: gap of the network {by_log['local error'][-1]:.3f}, "
      f"of its head {head_gap:.0e}")
print("right answers, all examples of the data with a far cluster:")
for name, h in {**logits, "reached by the linear SG": ended["linear"]}.items():
    print(f"  {name:26}{np.mean(h.argmax(axis=1) == far_y):6.1%}")

# %% [markdown]
# Left: a network of three linear layers and a squared error. Both curves fall to next to nothing,
# below $10^{-9}$. **A linear $M$ and a squared error: the optimum.**
#
# Middle: the log loss, far cluster. Backprop goes on down. The linear SG comes to rest as well, but
# at a *wrong* point. It is no failure to train: the gap is the predicted one (the band). Right: so
# it is for nine sets of data, on the line. The gap is small where data are Gaussian and dimensions
# few, and large where some examples lie far out. There it costs accuracy, too, as the print says.
#
# Why the far cluster? A least-squares classifier wants *exactly* 1 from every example of a class.
# One that is far out on the right side gets more than 1, and that counts as an error, which pulls
# the whole classifier round.
#
# Local error ends elsewhere, and not at the optimum either. The print says why: its *head* is at
# the optimum. The head stands on $h$ and can stretch and shift it, so it gets there before $h$
# does. From then on its errors have nothing more to say, though $h$ itself is wrong. On the
# *output*, where $\delta$ is known, local error has nothing to offer. It is made for layers further
# down.

# %% tags=["guard"] jupyter={"source_hidden": true}
# Checks what the text says.
stated("Both curves fall to next to nothing",
       max(curve[-1] for curve in by_squares.values()) < 1e-9)
stated("the gap is the predicted one", abs(by_log["linear"][-1] - (end - best)) < 1e-6
       and end - best > 0.01 and by_log["backprop"][-1] < 0.01 * (end - best))
stated("so it is for nine sets of data, on the line", len(pairs) == 9
       and all(abs(there - reached) < 1e-6 + 0.01 * there for there, reached in pairs.values()))
stated("small where data are Gaussian and dimensions few",
       pairs["gaussian", 10][0] < 0.2 * pairs["far cluster", 10][0])
stated("There it costs accuracy, too", np.mean(ended["linear"].argmax(axis=1) == far_y)
       < np.mean(logits["the optimum"].argmax(axis=1) == far_y) - 0.01)
stated("Local error ends elsewhere, and not at the optimum either",
       by_log["local error"][-1] > 1e-3)
stated("its *head* is at the optimum", head_gap < 1e-9)

# %% [markdown]
# ### A critical point that was not there
#
# A *critical point* is one where training stands still. The problem's own critical points are kept
# where $M$ can be exact at them. (On the log loss it cannot: a linear SG that starts at the optimum
# leaves it.) And new ones may come in. The shortest example has a squared error, one
# output $h = Xw$, and a model that is **not** told the answer: $\hat\delta = hA + b$. Let the
# columns of $X$ be *white*: uncorrelated, of mean 0 and variance 1. The layer moves by
#
# $$-X^\top \hat\delta = -X^\top X w A = -N w A .$$
#
# That is a multiple of $w$. So $w$ may grow or shrink, and it never turns. It ends at the best
# multiple of where it started, and no step leads out. With two weights one can see it.

# %%
rng = np.random.default_rng(SEED)
x = rng.standard_normal((SIZE, 2))
u, _, _ = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)
x = u * np.sqrt(SIZE)
aim = np.array([1.5, 1.0])
y = x @ aim[:, None] + 0.3 * rng.standard_normal((SIZE, 1))
aim = x.T @ y[:, 0] / SIZE  # the least-squares solution: x is white


def path(start, told):
    """Train one linear layer from `start` by a linear SG, told y or not; return w at each step."""
    layer = Dense(2, 1, rng, dtype=float)
    layer.params["W"][:, 0] = start
    sg = LinearSG(1, int(told), ln.least_squares(), float)
    network = Network([Module([layer], SGD(0.05)), Module([Flatten()], SGD(0.05))], squared,
                      [Interface(sg, values(1) if told else no_context)])
    schedule, ws = Decoupled(network), [start]
    for _ in range(250):
        schedule.step(x, y)
        ws.append(layer.params["W"][:, 0].copy())
    return np.array(ws)


STARTS = [2.4 * np.array([np.cos(t), np.sin(t)])
          for t in np.arctan2(aim[1], aim[0]) + np.linspace(-1.3, 1.3, 9)]
paths = {told: [path(start, told) for start in STARTS] for told in (True, False)}

# %% jupyter={"source_hidden": true}
w1, w2 = np.meshgrid(np.linspace(-1.6, 3, 80), np.linspace(-1.8, 2.8, 80))
fig, panels = plt.subplots(1, 2, figsize=(7.5, 3.6), sharey=True)
for axes, told, title in zip(panels, paths, ("$M$ is told the answer", "$M$ is not told"),
                             strict=True):
    axes.contour(w1, w2, (w1 - aim[0]) ** 2 + (w2 - aim[1]) ** 2, 8, colors="0.85", linewidths=1)
    for ws in paths[told]:
        axes.plot(*ws.T, color=BLUE, linewidth=1.5)
        axes.plot(*ws[0], "o", color="0.5", markersize=4)
        axes.plot(*ws[-1], "s", color=BLUE, markersize=6)
    axes.plot(*aim, "*", color=TRUE, markersize=13)
    axes.plot(0, 0, "+", color="0.3", markersize=8)
    axes.set(title=title, xlabel="$w_1$", aspect="equal", xlim=(-1.6, 3), ylim=(-1.8, 2.8))
    axes.grid(False)
panels[1].add_patch(plt.Circle(aim / 2, np.linalg.norm(aim) / 2, fill=False, color=PINK,
                               linestyle=":", linewidth=2))
panels[0].set_ylabel("$w_2$")
plt.show()

# %% [markdown]
# Grey rings: equal loss, its optimum at the star. Dots are starts, squares are ends. Told the
# answer, every path ends at the optimum. Not told, every path is a straight line towards zero (the
# cross) or away from it, and it ends where that line is nearest to the star. (Some go a little too
# far first and come back: the fit of $M$ lags behind.) Those ends lie on the dotted circle. **All
# of its points but the star are critical points that the problem does not have.** This is one more
# reason why lesson 3 gave labels to $M$.

# %% tags=["guard"] jupyter={"source_hidden": true}
# Checks what the text says.
stated("Told the answer, every path ends at the optimum",
       all(np.linalg.norm(ws[-1] - aim) < 1e-3 for ws in paths[True]))
stated("it ends where that line is nearest to the star", all(
    np.linalg.norm(ws[-1] - (start @ aim) / (start @ start) * start) < 1e-3
    for start, ws in zip(STARTS, paths[False], strict=True)))

# %% [markdown]
# ## Which loss does it descend?
#
# Who follows $\hat\delta = M(h, c)$ may well descend a loss, only another one. Which? Stay with a
# single logit $z$ and one label. There $\hat\delta$ is a slope, a number for each $z$, and a loss
# with that slope, the **implied loss**, is its integral. For the linear model, with $C_y$ the
# label's entry of $C$:
#
# $$\hat\delta = a z + C_y + b \qquad\Longrightarrow\qquad
# \hat L(z) = \tfrac{a}{2} z^2 + (C_y + b)\, z + \text{const} .$$
#
# A **parabola**. Its minimum is at $z^* = -(C_y + b) / a$, a finite target: a linear SG acts like a
# squared error. The true log loss of a right answer falls for ever. For local error, with one logit
# and $e = \sigma(sz + r) - 1$ for the right class ($\sigma$ the logistic function, $s$ and $r$ the
# head's weights, $P$ a number here),
#
# $$\hat\delta = e P \qquad\Longrightarrow\qquad
# \hat L(z) = \tfrac{P}{s} \log\bigl(1 + \exp(-sz - r)\bigr) + \text{const} .$$
#
# That is a log loss again, on a stretched axis (a *temperature* of $1/s$) and with another weight.
#
# Now a small network that really trains: two clouds of points in the plane that overlap a little,
# 20 tanh units, one logit with $M$ on it. The experiment integrates what $M$ says at two times.

# %%
EARLY, LATE = 20, 1000
rows = [row for name in implicit_loss.MODELS for row in implicit_loss.on_a_logit(
    name, (EARLY, LATE), 0.1, np.random.default_rng(SEED)) if row["label"] == 1]
implied = {(row["model"], row["steps"]): row for row in rows}

# %% jupyter={"source_hidden": true}
fig, panels = plt.subplots(1, 3, figsize=(7.5, 3.2), sharey=True)
for axes, (name, steps) in zip(panels, (("linear", EARLY), ("linear", LATE),
                                        ("local error", LATE)), strict=True):
    row = implied[name, steps]
    axes.axvspan(row["seen"][0], row["seen"][2], color="0.92", label="9 in 10 examples")
    axes.plot(implicit_loss.LOGITS, row["loss"], label="linear" if name == "linear" else name,
              **LOOKS[name])
    axes.plot(implicit_loss.LOGITS, row["true"], "--", color=TRUE, linewidth=1.5, label="true")
    if np.isfinite(row["least_at"]):
        axes.plot(row["least_at"], 0, "v", color=BLUE, markersize=8)
    axes.set(title=f"{name}, {steps:,} steps", xlabel="logit of the right class", ylim=(-0.3, 8))
panels[0].set_ylabel("loss, from its minimum")
handles = {text: handle for axes in panels
           for handle, text in zip(*axes.get_legend_handles_labels(), strict=True)}
fig.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=4, fontsize=9)
plt.show()
for (name, steps), row in implied.items():
    least = f"minimum at {row['least_at']:.1f}" if np.isfinite(row["least_at"]) else "no minimum"
    print(f"  {name:12} {steps:5,} steps: {least + ',':15} slope at a logit of "
          f"{implicit_loss.FAR:g}: {round(row['far'], 2) + 0:.2f}")

# %% [markdown]
# (In the grey band are nine in ten examples of the class. A slope above zero pushes the logit
# down.)
#
# The linear model has its minimum at a logit between 2 and 4 early on, and further out later, as
# the network's logits grow. **Beyond it, right answers are pushed back**: at a logit of 8 with a
# slope well above zero, where the true loss wants next to nothing. Among the examples, though, it
# has about the right slope, for that is what least squares fit. So in practice the parabola does
# less harm than it looks. Local error falls for ever, as the truth does. Its form is right, and its
# size is not: that is the other temperature.
#
# ### And sometimes it descends nothing
#
# With *one* number $z$ there is always an integral. With a whole row $h$ there need not be. If
# $\hat\delta$ is the gradient of some $\hat L$, its Jacobian (entry $j, k$: how $\hat\delta_k$
# changes with $h_j$) is $\hat L$'s matrix of second derivatives, and that is symmetric. For the
# linear model the Jacobian is $A$. Split it,
#
# $$A = \tfrac12 (A + A^\top) + \tfrac12 (A - A^\top) .$$
#
# The first part is a parabola's. The second, the *antisymmetric* one, adds to $\hat\delta$ what is
# at a right angle to $h$: follow it, and you go round and come back, and were pushed all the way.
# No loss does that. How large is it, at an interface of 64 units, in a network with two hidden
# layers for digits?

# %%
data = load("mnist-5k")
aside = data.validation_split(500, np.random.default_rng(SEED))
noise = np.random.default_rng(SEED).standard_normal((64, 64))
share = {"a random matrix": implicit_loss.antisymmetric_share(noise)}
for method, name in implicit_loss.METHODS.items():
    share[name] = implicit_loss.at_an_interface(
        method, {"width": 64, "steps": 150, "images": 20}, data, aside, SEED)["antisymmetric"]
print("antisymmetric part of the Jacobian, as a share of its norm")
for name, value in share.items():
    print(f"  {name:16} {value:.2f}")

# %% [markdown]
# The local loss has none: it *is* the gradient of a loss. Local error has a little, since $P$ was
# fitted and is not quite $R^\top$. In the linear model about half of the norm is antisymmetric, two
# thirds of a random matrix's share. So strictly **no loss stands behind it**. "A linear SG amounts
# to a squared error", as the paper has it, is a statement about one output, or about the symmetric
# part. Training works all the same; what can no longer be said is that something falls at each
# step.

# %% tags=["guard"] jupyter={"source_hidden": true}
# Checks what the text says.
stated("has its minimum at a logit between 2 and 4 early on, and further out later",
       2 < implied["linear", EARLY]["least_at"] < 4
       and implied["linear", LATE]["least_at"] > implied["linear", EARLY]["least_at"] + 0.3)
stated("at a logit of 8 with a slope well above zero",
       min(implied["linear", steps]["far"] for steps in (EARLY, LATE)) > 0.2)
stated("Local error falls for ever", all(
    np.isinf(implied["local error", steps]["least_at"]) for steps in (EARLY, LATE)))
stated("The local loss has none", share["local loss"] < 1e-4)
stated("Local error has a little", 0.05 < share["local error"] < 0.3)
stated("In the linear model about half of the norm is antisymmetric",
       0.4 < share["linear"] < 0.62)

# %% [markdown]
# ## Can it learn by heart?
#
# Does a guessed gradient limit what a network can hold? The hardest thing to hold is **random
# labels**: nothing explains them, each has to be learned by heart. Three hundred images, three
# hidden layers of 64 tanh units, one interface, after layer 1, 2 or 3. How many epochs until 90% of
# the labels are known? And because the layers *above* the interface learn truly and may do it by
# themselves, the control: below the interface nothing learns.

# %%
HEART = {"data": "mnist-5k", "size": 300, "layers": 3, "width": 64, "epochs": 150,
         "rates": (0.01,)}
heart = {(row["contender"], row["place"]): row for row in random_labels.run(HEART, SEED, quiet)}
settings = Settings(hidden=(64,) * 3, activation="tanh", batch_norm=False, batch_size=100,
                    ridge=1e-2, seed=SEED, cuts=(1,), lr=0.02)
digits = random_labels.by_heart(data, 300, np.random.default_rng([SEED, 0]))
twice = {epochs: random_labels.memorise("cdni-ls", settings, digits, epochs)
         for epochs in (100, 400)}

# %% jupyter={"source_hidden": true}
places = range(1, HEART["layers"] + 1)
print("epochs until 90% are known (inf: never)\n  interface after hidden layer",
      *(f"{place:8}" for place in places))
for name in ("linear", "local error", "top only"):
    print(f"  {name:28}",
          *(f"{heart[name, place]['epochs']:8g}" for place in places))
print(f"  backprop: {heart['backprop', 0]['epochs']}; top only, known in the end:",
      *(f"{heart['top only', place]['known']:.0%}" for place in places))
least = min(row["known"] for (name, _), row in heart.items() if name != "top only")
print(f"  known in the end by the least of all others: {least:.0%}")
print(f"linear after layer 1 at twice the rate: {twice[100][1]:.0%} after 100 epochs, "
      f"{twice[400][1]:.0%} after 400")

# %% [markdown]
# With a synthetic gradient the network gets there from every place, and in the end all know nearly
# all labels. The control does not, so the layers below did take part. **The linear synthetic
# gradient costs speed, not capacity.** How much speed is a matter of its place: nearest to the
# input, where the guess has to stand for the most layers, the linear one takes longest. Higher up
# the cost is smaller. Local error is close to backpropagation from everywhere. Is that not better
# than the first section lets us hope? There one linear layer had to do everything. Here layers
# above the model see the truth, and can make up for what the ones below learned wrongly.
#
# One caution. At twice the rate the linear SG after layer 1 knows no more after 100 epochs than the
# control does. One would say: no capacity. But give it time, and it gets there; at half that rate,
# as above, it did so sooner. Before you say that a method cannot, try a smaller step.

# %% tags=["guard"] jupyter={"source_hidden": true}
# Checks what the text says.
known = [row["known"] for (name, _), row in heart.items() if name != "top only"]
quoted("90%", random_labels.GOAL, within=0)
stated("all know nearly all labels", min(known) > 0.97)
stated("The control does not", all(np.isinf(heart["top only", p]["epochs"]) for p in places))
stated("the linear one takes longest", heart["linear", 1]["epochs"]
       == max(row["epochs"] for (name, _), row in heart.items() if name != "top only")
       > 1.2 * heart["backprop", 0]["epochs"])
stated("Higher up the cost is smaller", max(heart["linear", p]["epochs"] for p in (2, 3))
       < heart["linear", 1]["epochs"])
stated("Local error is close to backpropagation from everywhere", all(
    heart["local error", p]["epochs"] < 1.35 * heart["backprop", 0]["epochs"] for p in places))
stated("knows no more after 100 epochs than the control does",
       twice[100][1] <= random_labels.memorise("top-only", settings, digits, 100)[1])
stated("give it time, and it gets there", twice[400][0] < 400)
stated("at half that rate, as above, it did so sooner", heart["linear", 1]["epochs"] < twice[400][0]
       and settings.lr == 2 * HEART["rates"][0])

# %% [markdown]
# ## What do the layers say?
#
# Two networks may answer alike and be different inside. Are they, under a synthetic gradient? Unit
# 5 of one network has nothing to do with unit 5 of another. Three tools are blind to that.
#
# - **Dissimilarity.** Take two images; correlate the layer's activations on one with those on the
#   other; one minus that is how unlike the layer finds them. For $N$ images an $N \times N$ matrix
#   of numbers from 0 to 2. *Contrast*: the mean between images of different classes minus the mean
#   within a class.
# - **A linear probe**: a least-squares classifier on the layer's activations, learned on training
#   images, tested on others. It says what a *linear* read-out could tell, there.
# - **Similarity** of two layers. *RSA* (representational similarity analysis) correlates their two
#   dissimilarity matrices, entry by entry. *Linear CKA* (centred kernel alignment) is $\|a^\top
#   b\|^2 / (\|a^\top a\|\,\|b^\top b\|)$ of the centred activations $a$ and $b$. Both are 1 for the
#   same geometry.
#
# No number says by itself whether four fifths is much. So two **yardsticks**: backpropagation
# *again*, from another seed; and a network before training. All are compared with one backprop
# network and none shares its seed. Five hidden layers of 64, one interface after the third. Each
# uses the learning rate that was best on images set aside.

# %%
INSIDE = {"data": "mnist-5k", "width": 64, "layers": 5, "cut": 3, "steps": 120, "images": 500,
          "rates": (0.1, 0.03, 0.2), "aside": 500}
inside = {(row["contender"], row["layer"]): row
          for row in representations.run(INSIDE, SEED, quiet)}

# %% jupyter={"source_hidden": true}
fig, panels = plt.subplots(3, 4, figsize=(7.5, 5.4))
columns = ("backprop", "linear", "local error", "untrained")
for line, layer in zip(panels, (5, 3, 1), strict=True):
    for axes, name in zip(line, columns, strict=True):
        picture = axes.imshow(inside[name, layer]["classes"], vmin=0, vmax=1.2, cmap="cividis")
        axes.set(xticks=[0, 5, 9], yticks=[0, 5, 9])
        axes.tick_params(labelsize=8)
        axes.grid(False)
        if layer == 5:
            axes.set_title(name)
    line[0].set_ylabel(f"layer {layer}")
fig.colorbar(picture, ax=panels, label="mean dissimilarity of two digits", shrink=0.7)
plt.show()

# %% [markdown]
# Each small square is a pair of digits, 0 to 9: how unlike the layer finds their images, on
# average. Dark: alike. A network that tells classes apart has a dark diagonal on a light ground. An
# untrained one has hardly any, and the further up, the more alike all images look to it. Under a
# linear SG the diagonal stands out in layer 3 already, where the interface is, as it does in
# backpropagation two layers further up. In figures, layer by layer:

# %% jupyter={"source_hidden": true}
looks = {"backprop": TRUE, "backprop again": PINK, "linear": BLUE, "local error": ORANGE,
         "untrained": "0.6"}
layers = range(1, INSIDE["layers"] + 1)
titles = {"contrast": "contrast", "probe": "probe, accuracy", "rsa": "similarity (RSA)",
          "cka": "similarity (CKA)"}
fig, panels = plt.subplots(1, 4, figsize=(7.5, 3))
for axes, (measure, title) in zip(panels, titles.items(), strict=True):
    for name, colour in looks.items():
        if name != "backprop" or measure in ("contrast", "probe"):
            again = name == "backprop again"
            axes.plot(layers, [inside[name, layer][measure] for layer in layers],
                      "o--" if again else "o-", color=colour, markersize=3.5, linewidth=1.5,
                      label=name, zorder=3 if again else 2)
    axes.axvline(INSIDE["cut"] + 0.5, color="0.5", linewidth=1, linestyle=":")
    axes.set(xlabel="layer", xticks=layers, ylim=(0, 1.03))
    axes.set_title(title, fontsize=10)
fig.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=5, fontsize=9)
plt.show()


def of(measure, name):
    return np.array([inside[name, layer][measure] for layer in layers])


for name in looks:
    if name != "untrained":
        print(f"  {name:15} test accuracy {inside[name, 1]['accuracy']:6.1%}, rate "
              f"{inside[name, 1]['rate']:g}")

# %% [markdown]
# **Contrast.** With a linear SG after layer 3 (the dotted line) classes are told apart more than in
# *both* backprop networks, in every layer. A likely reason is what the model can say. Where $A$ has
# an inverse, $hA + cC + b$ is $(h - h^*_y) A$: every example of class $y$ is pulled to the same
# place $h^*_y$, the target of the parabola above. So the layers below gather each class at once.
# Local error does so less. But mind the pink line. Two backprop networks differ in contrast as
# well, by more than local error does from the nearer of them. They differ in seed, and often in the
# rate of their choice. With one backprop network alone we would have found a "difference" for
# everybody.
#
# **Probes.** All trained networks are within a few points in every layer; with 500 test images two
# points are nothing. The untrained one falls from layer to layer.
#
# **Similarity.** Here is where our result differs from what the paper is known for. Its authors
# call the change of the layers' representations drastic. Here, layer by layer, a linear SG is about
# as like backprop as *backprop is like itself* from another seed: a tenth apart at most or little
# more, above or below. An untrained network shows what unlike looks like. So what we see is a shift
# of class structure downwards, and no other kind of representation. Our network, data and training
# time are small, and theirs may show more. But hold any such claim beside the yardstick.

# %% tags=["guard"] jupyter={"source_hidden": true}
# Checks what the text says.
stated("Under a linear SG the diagonal stands out in layer 3 already", of("contrast", "linear")[2]
       > of("contrast", "backprop")[4] - 0.08)
stated("classes are told apart more than in *both* backprop networks, in every layer",
       np.all(of("contrast", "linear") > np.maximum(of("contrast", "backprop"),
                                                    of("contrast", "backprop again"))))
stated("Two backprop networks differ in contrast as well, by more than local error does from the "
       "nearer of them", abs(of("contrast", "backprop") - of("contrast", "backprop again")).mean()
       > np.minimum(abs(of("contrast", "local error") - of("contrast", "backprop")).mean(),
                    abs(of("contrast", "local error") - of("contrast", "backprop again")).mean()))
trained = [of("probe", name) for name in looks if name != "untrained"]
stated("All trained networks are within a few points in every layer",
       np.max(np.ptp(trained, axis=0)) < 0.06)
stated("The untrained one falls from layer to layer", np.all(np.diff(of("probe", "untrained")) < 0))
stated("a tenth apart at most or little more, above or below", all(
    abs(of(measure, "linear") - of(measure, "backprop again")).max() <= 0.13
    for measure in ("rsa", "cka")))
stated("An untrained network shows what unlike looks like", all(
    of(measure, "untrained")[2:].max() < 0.5 < of(measure, "linear").min()
    for measure in ("rsa", "cka")))

# %% [markdown]
# ## One view
#
# Many rules bring an error to lower layers without backpropagation. Czarnecki et al. put some of
# them into one frame: each is a model of the gradient, and they differ in what they know of the
# layers above. Then they can stand at the same interfaces, in the same `Decoupled.step`. Here four
# hidden layers, an interface above each. $e$ is the error of a head at the interface, as in local
# error, since the true error is not there yet when a module learns.
#
# | rule | $\hat\delta$ | what comes from above |
# |---|---|---|
# | local error | $eP$, with the best $P$ for the targets | targets |
# | linear | $hA + cC + b$ | targets |
# | sign-symmetric | $e$ times the signs of the best $P$ | signs |
# | Kickback | unit $j$ hears one class's error: $e_k \tau_j$, $k = j$ modulo 10 | $\tau_j$ |
# | feedback alignment (FA) | $e$ through two random, fixed matrices and a ReLU | nothing |
# | direct feedback (DFA) | $eB$, with $B$ random and fixed | nothing |
# | local loss | $eR^\top$, the head's own gradient | nothing |
# | top only | 0, the control | nothing |
#
# (Kickback's $\tau_j$ is a number for each unit, fitted to the targets.)
#
# The figure puts two numbers against each other: the cosine of $\hat\delta$ with the true gradient
# at the end of training, mean over the interfaces, and the test accuracy. (One seed, and one
# learning rate for all; the record chooses rates: `sgdni experiment one-view`.)

# %%
VIEW = {"data": "mnist-5k", "width": 64, "layers": 4, "steps": 300, "rates": (0.1,), "aside": 500}
view = {row["contender"]: row for row in one_view.run(VIEW, SEED, quiet)}
cosine = {name: float(np.mean(row["cosines"] or [1.0])) for name, row in view.items()}
right = {name: row["accuracy"] for name, row in view.items()}

# %% jupyter={"source_hidden": true}
fig, panels = plt.subplots(1, 2, figsize=(7.5, 3.9))
for (name, (_, _, colour)), marker in zip(one_view.CONTENDERS.items(), "osD^vPdX*", strict=True):
    for axes in panels:
        axes.plot(cosine[name], 100 * right[name], marker, color=colour, markersize=9, alpha=0.8,
                  markeredgecolor="white", linestyle="none", label=name)
panels[0].set(xlabel="cosine", ylabel="test accuracy (%)", xlim=(-0.07, 1.07), ylim=(40, 100),
              title="all of them")
panels[1].set(xlabel="cosine", xlim=(0.1, 1.07), ylim=(88, 96), title="without the control")
fig.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=9)
plt.show()
print(f"{'':28}accuracy   cosines, bottom to top")
for name, row in view.items():
    print(f"  {name:26}{row['accuracy']:8.1%}  ", *(f"{c:5.2f}" for c in row["cosines"]))

# %% [markdown]
# All seven rules are far above the control, and most of them within a few points of
# backpropagation. That includes two whose way down is *random*. (Their cosines are above zero all
# the same: layers come to terms with the matrices that they are given.)
#
# And the cosine? It does not rank them. Kickback's is above those of feedback alignment and of DFA,
# and it ends below both. DFA, with half the cosine of the linear model, is as good within a point
# or two. At the right end nearer to the truth is no worse, nor better. So a cosine near 0 is a bad
# sign, as the control says, and between 0.2 and 0.8 it says little. Why? A cosine judges *one* step
# at *one* time. What counts is where many steps lead. **Judge a model of the gradient by what is
# learned, beside a control**, and use the cosine to find out why.
#
# Note the local loss. It asks nothing of anybody above, and is among the best. In classification a
# layer may learn well by what a small classifier on top of it says, and a synthetic gradient has
# to be compared with that.

# %% tags=["guard"] jupyter={"source_hidden": true}
# Checks what the text says.
rules = [name for name in view if name not in ("backprop", "top only")]
stated("All seven rules are far above the control",
       len(rules) == 7 and min(right[name] for name in rules) > right["top only"] + 0.2)
stated("most of them within a few points of backpropagation",
       sum(right[name] > right["backprop"] - 0.04 for name in rules) >= 5)
stated("Kickback's is above those of feedback alignment and of DFA, and it ends below both",
       cosine["Kickback"] > max(cosine["feedback alignment"], cosine["direct feedback alignment"])
       and right["Kickback"] < min(right["feedback alignment"],
                                   right["direct feedback alignment"]))
stated("DFA, with half the cosine of the linear model, is as good within a point or two",
       0.35 < cosine["direct feedback alignment"] / cosine["linear"] < 0.65
       and right["direct feedback alignment"] > right["linear"] - 0.02)
stated("between 0.2 and 0.8 it says little", min(cosine[name] for name in rules) > 0.15)
stated("is among the best", right["local loss"] > max(right[name] for name in rules) - 0.015)

# %% [markdown]
# ## How deep?
#
# Czarnecki et al. go up to fifty hidden layers with one synthetic gradient in the middle. Fifty
# layers are hard for backpropagation itself, so a comparison must not hang on one recipe of
# activation, optimiser and learning rate. Here are two, with layers of 64 and a hundred minibatches
# (`bn` is batch normalisation). The linear model has one interface, in the middle; its control
# learns above the middle only. Local error has an interface every ten layers.

# %%
RECIPES = ("relu-bn-sgd-0.1", "tanh-bn-adam-0.001")
DEEP = {"backprop": ("backprop", None), "linear, in the middle": ("cdni-ls", None),
        "its control": ("top-only", None), "local error, every ten": ("local-error", 10)}
fifty = {}
print(f"{'test accuracy, 50 layers':26}", *(f"{recipe:>20}" for recipe in RECIPES))
for name, (method, apart) in DEEP.items():
    for recipe in RECIPES:
        deep = Settings(hidden=(64,) * 50, seed=SEED, ridge=1e-2, cuts=depth.places(50, apart),
                        **depth.recipe(recipe))
        fifty[name, recipe] = accuracy(method, deep, data, 100)
    print(f"  {name:24}", *(f"{fifty[name, recipe]:20.0%}" for recipe in RECIPES))
recorded = json.loads((RECORDS / "depth" / "results.json").read_text())
MANY = recorded["settings"]["deep"]
long = {name: [np.median(recorded["findings"][f"accuracy_{d}_{name.replace(' ', '_')}"])
               for d in MANY] for name in depth.DEEP}
print("\nrecord: all of MNIST, two epochs, the best of six recipes for each; local error and loss\n"
      "every ten layers (with ten layers in the middle)")
print(f"  {'hidden layers':22}", *(f"{d:8}" for d in MANY))
for name, reached in long.items():
    print(f"  {name:22}", *(f"{share:8.1%}" for share in reached))

# %% [markdown]
# By the first recipe backpropagation fails, and one linear SG in the middle is no better than its
# control: it does not carry fifty layers here. By the second recipe backpropagation has begun to
# learn, and the same model gets some of the way, well above its control. So "a linear SG cannot do
# fifty layers" would be wrong, and "it can" only half the story: *it goes about as far as
# backpropagation does*.
#
# Local error at every tenth layer is ahead by both, since no error has to cross more than ten
# layers. That is a gain from more interfaces, and a local loss with the same heads has it as well.
# In the last table, of `sgdni experiment depth`, each has chosen among six recipes. One linear SG
# in the middle keeps up with backpropagation at every depth there. With fifty layers local error
# and the local loss are at 95%, above the best of backpropagation. A hundred minibatches say who
# starts quickly, and no more.

# %% tags=["guard"] jupyter={"source_hidden": true}
# Checks what the text says.
first, second = RECIPES
error, loss, truth = (long[name][-1] for name in ("local error", "local loss", "backprop"))
quoted("95%", error, within=0.01)
stated("One linear SG in the middle keeps up with backpropagation at every depth there", all(
    abs(a - b) < 0.01 for a, b in zip(long["linear in the middle"], long["backprop"],
                                      strict=True)))
stated("With fifty layers local error and the local loss are at 95%, above the best of "
       "backpropagation", MANY[-1] == 50 and abs(error - loss) < 0.01 < loss - truth)
stated("backpropagation fails", fifty["backprop", first] < 0.3)
stated("is no better than its control", fifty["linear, in the middle", first]
       < fifty["its control", first] + 0.04)
stated("gets some of the way, well above its control", fifty["its control", second] + 0.1
       < fifty["linear, in the middle", second] < fifty["backprop", second] + 0.05)
stated("Local error at every tenth layer is ahead by both", all(
    fifty["local error, every ten", recipe] > fifty["backprop", recipe] + 0.1
    for recipe in RECIPES))

# %% [markdown]
# ## What to try next
#
# - Take down the distance of the far cluster, the 10 in the source of `cloud`. From where on does
#   the gap not matter any more?
# - Start `path` on the far side of zero, with $M$ not told. Where does it go, and why?
# - Compare layers by networks of the *same* seed. Why are all of them alike now?
# - Write a rule of your own, a class with `at_interface`, `predict` and `fit`, and put it into
#   `one_view.CONTENDERS`.
# - Run `sgdni experiment convergence --quick`, or `implicit-loss`, `random-labels`,
#   `representations`, `one-view`, `depth`.
# - Do the [exercises](exercises/09_what_a_synthetic_gradient_learns.ipynb).
#
# ## Sources
#
# - W. M. Czarnecki et al., *Understanding Synthetic Gradients and Decoupled Neural Interfaces*,
#   2017, [arXiv:1703.00522](https://arxiv.org/abs/1703.00522). The end point on a log loss is this
#   project's own derivation.
# - N. Kriegeskorte et al., 2008: RSA. S. Kornblith et al., 2019,
#   [arXiv:1905.00414](https://arxiv.org/abs/1905.00414): CKA. G. Alain and Y. Bengio, 2016,
#   [arXiv:1610.01644](https://arxiv.org/abs/1610.01644): probes.
# - T. P. Lillicrap et al., 2016: feedback alignment. A. Nøkland, 2016: direct feedback alignment.
#   Q. Liao, J. Z. Leibo and T. Poggio, 2016: signs. D. Balduzzi, H. Vanchinathan and J. Buhmann,
#   2015: Kickback.
# - The code: [`end_points.py`](../sgdni/analysis/end_points.py),
#   [`implicit_loss.py`](../sgdni/analysis/implicit_loss.py),
#   [`similarity.py`](../sgdni/analysis/similarity.py),
#   [`feedback.py`](../sgdni/synthetic/feedback.py), the [experiments](../sgdni/experiments).
# - The images: MNIST, by Yann LeCun and Corinna Cortes, CC BY-SA 3.0.
