# %% [markdown]
# # 3. A synthetic gradient
#
# - **You will do**: teach a linear model to predict a gradient: first of a network that stands
#   still, then of one that trains, then from targets that are predictions themselves.
# - **You will learn**: how good such a prediction gets, measured; which part of a gradient is
#   linear in what the model sees, and why labels matter; why the rest is not needed to learn.
# - **You need**: [lesson 1](01_backprop_by_hand.ipynb), and least squares as far as the normal
#   equations.
# - **Time**: 30 minutes to read, under 40 s to run.
# - **Exercises**: [03_a_synthetic_gradient](exercises/03_a_synthetic_gradient.ipynb), about 40
#   minutes.
# - **Words**: [glossary](glossary.md).

# %% jupyter={"source_hidden": true}
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import FancyBboxPatch

from sgdni import (
    SGD,
    Adam,
    Backprop,
    GradientFit,
    Interface,
    LeastSquaresFit,
    LinearSG,
    Network,
    Settings,
    SoftmaxCrossEntropy,
    build_mlp,
    build_trainer,
    load,
)
from sgdni.analysis.quality import measure
from sgdni.data import scale_pixels
from sgdni.plotting.colours import BLUE, GREEN, ORANGE, SYNTHETIC, TRUE
from sgdni.training.batches import minibatches
from sgdni_course import quoted, stated, style

style()
plt.rcParams["figure.dpi"] = 88  # smaller files

# %%
SEED = 0
rng = np.random.default_rng(SEED)
data = load("mnist-5k")
images, labels = scale_pixels(data.x_train), data.y_train
onehot = np.eye(10, dtype=np.float32)[labels]  # the context c: (4000, 10)

# %% [markdown]
# ## A guess at the gradient
#
# In [lesson 1](01_backprop_by_hand.ipynb) a module had its output $h_i$ early and had to wait for
# $\delta_i$, the gradient of each example's loss with respect to its row of $h_i$. A **synthetic
# gradient** is a guess at $\delta_i$ from what is there already: $h_i$, and the label as a
# one-hot row $c$. A small model $M_i$, the *SG model*, makes it, in training only: **at test time
# neither $M$ nor a label is needed.** The modules run forward as after any other training.

# %% jupyter={"source_hidden": true}
fig = plt.figure(figsize=(7.5, 4.8), layout="none")
axes = fig.add_axes((0, 0, 1, 1))
axes.set(xlim=(0, 7.5), ylim=(0, 4.8))
axes.axis("off")


def box(x, y, width, text, colour):
    axes.add_patch(FancyBboxPatch((x, y), width, 0.46, boxstyle="round,pad=0.06",
                                  facecolor="white", edgecolor=colour, linewidth=1.6))
    axes.text(x + width / 2, y + 0.23, text, ha="center", va="center", color=colour)


def arrow(start, end, colour, text="", at=(0, 0), bend=0.0, dashes="-"):
    axes.annotate("", end, start, arrowprops={
        "arrowstyle": "-|>", "color": colour, "linewidth": 1.8, "linestyle": dashes,
        "connectionstyle": f"arc3,rad={bend}", "mutation_scale": 14, "shrinkA": 0, "shrinkB": 0})
    axes.text(*at, text, color=colour, fontsize=10, va="center")


for y, i in ((0.45, "i"), (2.65, "i+1")):
    box(0.4, y, 1.5, f"module ${i}$", "black")
    box(3.6, y + 0.95, 1.5, f"$M_{{{i}}}$", SYNTHETIC)
    arrow((0.8, y + 0.52), (0.8, y + 2.12), BLUE)
    arrow((0.8, y + 1.18), (3.52, y + 1.18), BLUE, f"in: $h_{{{i}}}$", (0.95, y + 1.33))
    arrow((5.9, y + 1.18), (5.18, y + 1.18), GREEN, "in: label $c$,\nin training only",
          (5.96, y + 1.18))
    arrow((4.1, y + 0.89), (1.98, y + 0.15), SYNTHETIC,
          f"out: $\\hat\\delta_{{{i}}}$; module ${i}$ learns from it at once",
          (3.5, y + 0.3), bend=-0.25)
arrow((1.98, 2.72), (3.9, 1.95), TRUE, "target, later: $\\hat\\delta_{i+1}$, carried back\n"
      "through module $i+1$", (3.75, 2.34), -0.2, "--")
arrow((1.98, 4.62), (3.9, 4.15), TRUE, "target, later: from the module above,\n"
      "or the true $\\delta$ at the top", (3.75, 4.5), -0.2, "--")
arrow((0.8, 0.02), (0.8, 0.37), BLUE, "$h_{i-1}$", (0.95, 0.15))
plt.show()

# %% [markdown]
# An interface is the boundary between two modules; here are two of them. **In** go $h_i$ and the
# label, as *context*. **Out** comes $\hat\delta_i$. And $M_i$ is **taught** by the gradient that
# module $i + 1$ gets for its own input when it learns. That comes back later, and is itself made
# from the guess one interface up: the second half of this lesson is about that.
#
# The papers' model is linear:
#
# $$\hat\delta_i = M_i(h_i, c) = h_i A_i + c\, C_i + b_i = [h_i, c, 1]\, W_i .$$
#
# | symbol | meaning | shape here |
# |---|---|---|
# | $h_i$ | output of module $i$ | $(B, 128)$ |
# | $c$ | one-hot labels | $(B, 10)$ |
# | $\delta_i$, $\hat\delta_i$ | true and synthetic gradient | $(B, 128)$ |
# | $F = [h_i, c, 1]$ | the features that $M_i$ sees | $(B, 139)$ |
# | $W_i$ | $A_i$, $C_i$ and $b_i$ one above the other | $(139, 128)$ |
#
# So $M$ is a linear regression, whose squared error $\|F W - \Delta\|^2$ is to be made small, where
# the rows of $\Delta$ are the targets. (The network's own weights are called $W_4$ and so on.)
# Two ways to fit it:
#
# - **By gradient steps**, as in the papers: for each minibatch one step (of Adam, say) against
#   $F^\top (F W - \Delta)$.
# - **By least squares**, in closed form. Keep the sums $S \leftarrow \lambda S + F^\top F$ and $T
#   \leftarrow \lambda T + F^\top \Delta$ and now and then solve $(S + \rho \bar s I)\, W = T$,
#   with $\bar s$ the mean of $S$'s diagonal. The *forgetting factor* $\lambda$ lets the past
#   fade, and the small *ridge* $\rho$ keeps $S$ invertible. It must be there: the entries of each
#   $c$ add up to 1, so $c$ and the constant feature are collinear.


# %%
def gradient_steps():
    return GradientFit(Adam(1e-3))


def least_squares(forgetting_factor=0.98):
    return LeastSquaresFit(forgetting_factor, ridge=1e-3, solve_every=8)


# %% tags=["guard"] jupyter={"source_hidden": true}
# Checks what the text says.
stated("$W = 0$ at the start", not LinearSG(4, 3, gradient_steps()).W.any())

# %% [markdown]
# $M$ is a dense layer, but for one thing: $W = 0$ at the start, where other layers begin at random.
# Why? Try both. Here are three epochs of *decoupled training*, in which every module but the top
# one learns from its guesses alone (lesson 4 takes it apart).

# %%
settings = Settings(hidden=(128, 128, 128), lr=0.1, momentum=0.0, seed=SEED)
begun = {}
for method in ("cdni", "cdni-ls"):  # labels as context; fitted by Adam, by least squares
    for start in ("zero", "random"):
        trainer = build_trainer(method, settings, data)
        if start == "random":
            for interface in trainer.schedule.network.interfaces:
                W = interface.model.W
                W[...] = rng.normal(0, 1 / np.sqrt(len(W)), W.shape)
        begun[method, start] = records = [trainer.epoch() for _ in range(3)]
        print(f"{method:8} from {start:7} accuracy", *(f"{r.test_accuracy:.1%}" for r in records),
              " error at the bottom", *(f"{r.sg_relative_error[0]:.1f}" for r in records))

# %% [markdown]
# (The *error* is defined below; a guess of zero has 1. In your run last digits may differ.) A
# random $M$ shouts: its guesses are more than ten times as long as the true gradient, and drive the
# modules anywhere. Fitted by Adam, the network has less than a third of the images right after
# three epochs; from zero it has about 85%. Least squares forgives a random start, since its first
# solution overwrites $W$, but the few steps before that leave a trace. At zero a module without a
# teacher stands still: **no gradient does less harm than a wrong one.**

# %% tags=["guard"] jupyter={"source_hidden": true}
# Checks what the text says.
by_start = {key: [r.test_accuracy for r in records] for key, records in begun.items()}
stated("less than a third of the images right", by_start["cdni", "random"][-1] < 0.33)
quoted("85%", by_start["cdni", "zero"][-1], within=0.015)
stated("more than ten times as long as the true gradient",
       begun["cdni", "random"][0].sg_relative_error[0] > 11**2)
stated("Least squares forgives a random start",
       by_start["cdni-ls", "random"][-1] > by_start["cdni-ls", "zero"][-1] - 0.06)
stated("leave a trace", by_start["cdni-ls", "random"][0] < by_start["cdni-ls", "zero"][0])

# %% [markdown]
# ## First: a network that stands still
#
# Our network is 784-128-128-128-10, with batch normalisation and ReLU: four modules, three
# interfaces. Backpropagation trains it for two epochs. Then we freeze it, push all 4,000 training
# images through, and keep the pairs $(h_i, \delta_i)$ at every interface. To predict the second
# from the first is supervised learning. Two numbers say how good a guess is, over all entries of
# all examples:
#
# $$\text{error} = \frac{\sum \|\hat\delta - \delta\|^2}{\sum \|\delta\|^2}, \qquad
# \text{cosine} = \frac{\sum \langle \hat\delta, \delta \rangle}
# {\sqrt{\sum \|\hat\delta\|^2 \sum \|\delta\|^2}} .$$


# %%
loss = SoftmaxCrossEntropy()


def fresh_modules(seed):
    return build_mlp(784, (128, 128, 128), 10, np.random.default_rng(seed), lambda: SGD(0.1))


def pairs_at(modules, x=images, y=labels):
    """Return (h_i, delta_i) at every interface, bottom to top: one forward, one backward."""
    h = []
    for module in modules:
        x = module.forward(x).copy()
        h.append(x)
    _, delta = loss(x, y)
    pairs = []
    for i in reversed(range(1, len(modules))):
        delta = modules[i].backward(delta).copy()
        pairs.append((h[i - 1], delta))
    return pairs[::-1]


def error(guess, delta):
    """Relative squared error: 0 is perfect, and predicting zero scores 1."""
    return float(np.sum((guess - delta) ** 2) / np.sum(delta**2))


def cosine(guess, delta):
    """1 is the right direction; 0 also stands for a guess of zero."""
    norms = np.sqrt(np.sum(guess**2) * np.sum(delta**2))
    return float(np.sum(guess * delta) / norms) if norms else 0.0


frozen = fresh_modules(SEED)
schedule = Backprop(Network(frozen, loss))
for _ in range(2):
    for x, y in minibatches(data.x_train, labels, 128, rng):
        schedule.step(x, y)
pairs = pairs_at(frozen)


# %% [markdown]
# Now fit: at each interface by least squares, with labels and without, and by Adam, on minibatches
# of 128. The solver sees the pairs once, Adam 20 times.

# %%
def fit(h, delta, c, how, passes, order):
    """Return a model fitted to fixed pairs."""
    M = LinearSG(h.shape[1], 0 if c is None else c.shape[1], how)
    for _ in range(passes):
        rows = order.permutation(len(h))
        for start in range(0, len(h) - 127, 128):
            k = rows[start : start + 128]
            M.fit(h[k], None if c is None else c[k], delta[k])
    return M


kinds = {
    "least squares, labels": (onehot, lambda: least_squares(1), 1),
    "Adam, labels": (onehot, gradient_steps, 20),
    "least squares, no labels": (None, lambda: least_squares(1), 1),
}
guesses = {kind: [fit(h, delta, c, how(), passes, rng).predict(h, c) for h, delta in pairs]
           for kind, (c, how, passes) in kinds.items()}
floor, aim = ({kind: [measured(guess, delta) for guess, (_, delta)
                      in zip(guesses[kind], pairs, strict=True)] for kind in kinds}
              for measured in (error, cosine))
for kind in kinds:
    print(f"{kind:25} error", *(f"{e:.2f}" for e in floor[kind]),
          " cosine", *(f"{e:.2f}" for e in aim[kind]), "  (interfaces 1, 2, 3)")

# %% jupyter={"source_hidden": true}
shown = np.arange(0, 4000, 250)  # 16 images, one or two of each digit
delta3 = pairs[2][1]
pictures = {
    "true: $\\delta_3$": delta3,
    "$\\hat\\delta_3$ from $h_3$ and $c$": guesses["least squares, labels"][2],
    "$\\hat\\delta_3$ from $h_3$ alone": guesses["least squares, no labels"][2],
}
fig, panels = plt.subplots(1, 3, figsize=(7.5, 3.4), sharey=True)
size = 0.5 * np.abs(delta3[shown, :24]).max()
for axes, (title, array) in zip(panels, pictures.items(), strict=True):
    image = axes.imshow(array[shown, :24], cmap="PuOr", vmin=-size, vmax=size, aspect="auto",
                        interpolation="nearest")
    axes.set(title=title, xlabel="unit")
    axes.grid(False)
panels[0].set(ylabel="example (true digit)", yticks=range(16), yticklabels=labels[shown])
panels[0].tick_params(axis="y", labelsize=8)
fig.colorbar(image, ax=panels, label="gradient of the loss", extend="both", shrink=0.9)
plt.show()

# %% [markdown]
# Most rows of the true gradient are nearly white: of these images the network is sure, and right.
# A few examples carry most of the gradient. With labels the guess finds these rows and their
# pattern, at less contrast: the error at the top is 0.23 and the cosine 0.88, at the bottom 0.64
# and 0.60. Without labels little is left; the error at the top is 0.90.
#
# **No more training would help.** Least squares *is* the minimum (but for the ridge), and Adam is a
# little above it after twenty passes. At the minimum what is missed is at right angles to what is
# guessed, so by Pythagoras $\text{cosine}^2 = 1 - \text{error}$.

# %% tags=["guard"] jupyter={"source_hidden": true}
# Checks what the text says.
LABELS, NONE = "least squares, labels", "least squares, no labels"
by_size = np.sort(np.sum(delta3**2, axis=1))[::-1]
stated("A few examples carry most of the gradient", by_size[:400].sum() > 0.5 * by_size.sum())
stated("at less contrast", np.linalg.norm(guesses[LABELS][2]) < np.linalg.norm(delta3))
stated("Without labels little is left",
       np.linalg.norm(guesses[NONE][2]) < 0.4 * np.linalg.norm(delta3))
quoted("0.23", floor[LABELS][2], within=0.03)
quoted("0.88", aim[LABELS][2], within=0.03)
quoted("0.64", floor[LABELS][0], within=0.03)
quoted("0.60", aim[LABELS][0], within=0.03)
quoted("0.90", floor[NONE][2], within=0.03)
stated("a little above it after twenty passes",
       all(0 < floor["Adam, labels"][i] - floor[LABELS][i] < 0.06 for i in range(3)))
stated("$\\text{cosine}^2 = 1 - \\text{error}$",
       all(abs(aim[kind][i] ** 2 + floor[kind][i] - 1) < 0.01
           for kind in (LABELS, NONE) for i in range(3)))

# %% [markdown]
# ## What is linear in a gradient
#
# Above the top interface are one dense layer and the loss: $h_4 = h_3 W_4 + b_4$. Lesson 1 gives
# the gradient at its input:
#
# $$\delta_3 = \delta_4 W_4^\top = \underbrace{\mathrm{softmax}(h_3 W_4 + b_4)\,
# W_4^\top}_{\text{from } h_3} \; - \underbrace{c\, W_4^\top}_{\text{from } c} .$$
#
# The second term is **linear in $c$**: the model has it exactly if $C_3 = -W_4^\top$. Did it find
# that? (A row added to every row of $C_3$ and taken off $b_3$ changes nothing, since $c$ adds up
# to 1; so compare without the mean row.) And how good was the guess at the very start, before the
# two epochs?

# %%
W4 = frozen[3].params["0.W"]
C3 = fit(*pairs[2], onehot, least_squares(1), 1, rng).C
likeness = cosine(C3 - C3.mean(axis=0), -(W4.T - W4.T.mean(axis=0)))
print(f"cosine of C_3 and -W_4 transposed, constants taken off: {likeness:.3f}")

floor_at_start = {
    kind: [error(fit(h, delta, c, least_squares(1), 1, rng).predict(h, c), delta)
           for h, delta in pairs_at(fresh_modules(SEED))]
    for kind, c in (("least squares, labels", onehot), ("least squares, no labels", None))
}
for kind, errors in floor_at_start.items():
    print(f"fresh network, {kind:25} error", *(f"{e:.3f}" for e in errors))

# %% [markdown]
# It did: 0.99, and nobody told it $W_4$. What is left is the first term, which is nonlinear only
# as far as the softmax is. In a network that knows nothing all scores are small, and there the
# softmax is nearly linear; in a trained one it is nearly a switch. So at the top 0.003 became
# 0.23. (With a squared error for a loss the gradient *is* linear in $h_3$ and $c$.)
#
# **Lower down** there is more in the way. Even in the fresh network the error at the bottom is
# 0.63. There $\delta_1$ has come through two ReLUs. Each multiplies, entry by entry, what comes
# from the label by a mask $[a > 0]$ that comes from $h_1$. A linear model can *add* something
# from $h$ to something from $c$; it cannot *multiply* the two. A **nonlinear** $M$ with a hidden
# layer could, but has no closed form and must follow a moving network by small steps. Better
# models have the gradient's own form, an error times a matrix: *local error*, in lesson 4.
#
# **Why labels matter.** Without $c$ the best guess of any model is the average gradient of all
# images that have this $h_3$, and the average of $c$ over them is a vector of probabilities:
#
# $$\mathrm{E}[\delta_3 \mid h_3] = \bigl(\mathrm{softmax}(h_4) - \Pr(\text{label} \mid
# h_3)\bigr)\, W_4^\top .$$
#
# Training brings the network's probabilities nearer to the right ones, and where they are right
# this is **zero**. The gradient that is left is the surprise in the label, and $h_3$ does not
# contain it. So without labels the error at the top was 0.54 in the fresh network and is 0.90
# after two epochs, on its way to 1. A model that sees $c$ is told the surprise.

# %% tags=["guard"] jupyter={"source_hidden": true}
# Checks what the text says.
quoted("0.99", likeness, within=0.01)
quoted("0.003", floor_at_start[LABELS][2], within=0.002)
stated("at the top 0.003 became 0.23", floor_at_start[LABELS][2] < 0.1 * floor[LABELS][2])
quoted("0.63", floor_at_start[LABELS][0], within=0.04)
quoted("0.54", floor_at_start[NONE][2], within=0.05)

# %% [markdown]
# ## Then: a network that trains
#
# In training the network changes at every step, and with it the map from $h_i$ to $\delta_i$: the
# target **moves**. To see that alone, let backpropagation train the network, and let models learn
# beside it without any influence on its weights. Some are told the true gradient; others, of
# which more below, only what the model above them guessed.


# %%
def teach_beside_backprop(modules, x, y, by_truth, bootstrapped):
    """One step of backprop on the modules. Beside it, M_1 .. M_3 of every student learn from it.

    Students are Networks of these modules, with interfaces of their own. Those in `by_truth` are
    fitted to the true gradient; at interface i those in `bootstrapped` are fitted to M_{i+1}'s
    guess, carried back through module i+1.
    """
    h = [x]
    for module in modules:
        h.append(module.forward(h[-1]).copy())
    _, delta = loss(h[4], y)
    c = {student: student.context(x, y) for student in (*by_truth, *bootstrapped)}
    guesses = [[interface.predict(h_i, c_i).copy() for interface, h_i, c_i
                in zip(student.interfaces, h[1:4], c[student], strict=True)]
               for student in bootstrapped]
    for i in (3, 2, 1):  # the interface below module i + 1
        for student, guess in zip(bootstrapped, guesses, strict=True):
            target = modules[i].backward(delta if i == 3 else guess[i])
            student.interfaces[i - 1].fit(h[i], c[student][i - 1], target)
            modules[i].forward(h[i])  # a layer promises one backward for each forward
        delta = modules[i].learn(delta)  # backward with the weights from before its update
        for student in by_truth:
            student.interfaces[i - 1].fit(h[i], c[student][i - 1], delta)
    modules[0].learn(delta, input_gradient=False)


def student(modules, how, n_context=10):
    return Network(modules, loss, [Interface(LinearSG(128, n_context, how())) for _ in range(3)])


def best_now(modules):
    """Models fitted to the true gradients of this moment: the least error that can be had."""
    return Network(modules, loss, [
        Interface(fit(h, delta, onehot, least_squares(1), 1, np.random.default_rng(0)))
        for h, delta in pairs_at(modules)])


moving = fresh_modules(SEED)
by_truth = {"least squares, forgetting": student(moving, least_squares),
            "least squares, never forgetting": student(moving, lambda: least_squares(1)),
            "no labels": student(moving, least_squares, n_context=0)}
bootstrapped = {"bootstrapped, Adam": student(moving, gradient_steps),
                "bootstrapped, least squares": student(moving, least_squares)}

# %% [markdown]
# The next cell, which is folded, lets them all learn for nine epochs and draws what it saw.

# %% jupyter={"source_hidden": true}
students = by_truth | bootstrapped
probe = [(x.copy(), y) for x, y in minibatches(data.x_train, labels, 128, rng)][:16]
seen, steps = {name: [] for name in [*students, "best now"]}, []
for step in range(9 * 31 + 1):
    if step % 31 == 0:
        batches = minibatches(data.x_train, labels, 128, rng)
    if step % 31 == 0 or step in (4, 8, 16):
        steps.append(step)
        for name, network in {**students, "best now": best_now(moving)}.items():
            seen[name].append([(q.relative_error, q.cosine, q.target_error)
                               for q in measure(network, probe)])
    x, y = next(batches)
    teach_beside_backprop(moving, x, y, by_truth.values(), bootstrapped.values())
seen = {name: np.array(values) for name, values in seen.items()}
at = {name: dict(zip(steps, values, strict=True)) for name, values in seen.items()}
last = {name: values[-1] for name, values in seen.items()}
print(f"after 9 epochs, interfaces 1, 2, 3 {'error':>12} {'cosine':>20}")
for name, values in last.items():
    print(f"{name:38}", *(f"{e:.2f}" for e in values[:, 0]), "     ",
          *(f"{e:.2f}" for e in values[:, 1]))

fig, (left, right) = plt.subplots(1, 2, figsize=(7.5, 4.2), sharey=True)
looks = {
    "best now": {"color": "0.45", "linestyle": ":", "label": "best linear map of the moment"},
    "least squares, forgetting": {"color": BLUE, "marker": "s"},
    "least squares, never forgetting": {"color": ORANGE, "marker": "^"},
    "no labels": {"color": GREEN, "marker": "d", "label": "forgetting, no labels"},
}
for key, look in looks.items():
    left.plot(steps, seen[key][:, 2, 0], markersize=4, **{"label": key} | look)
left.set(title="Top interface, told the truth", xlabel="steps of backprop (31 an epoch)",
         ylabel="relative squared error", ylim=(0, 1.4))
right.plot(steps, seen["bootstrapped, least squares"][:, 0, 0], color=SYNTHETIC, linestyle="--",
           marker="o", markersize=4, label="bootstrapped, against the truth")
right.plot(steps, seen["least squares, forgetting"][:, 0, 0], color=BLUE, marker="s",
           markersize=4, label="told the truth")
right.plot(steps, seen["bootstrapped, least squares"][:, 0, 2], color=SYNTHETIC, linestyle=":",
           marker="^", markersize=4, label="bootstrapped, against its target")
right.set(title="Bottom interface, least squares", xlabel="steps of backprop (31 an epoch)")
for axes in (left, right):
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), fontsize=9)
plt.show()

# %% [markdown]
# The left panel first. The dotted line is the target itself moving away: at each moment the best
# that any linear map could do, from 0.00 to 0.60.
#
# - **Least squares that forgets** (with $\lambda$ of `0.98` it remembers about the last fifty
#   minibatches) stays close, and ends at 0.62.
# - **Least squares that never forgets** remembers networks that are gone. Early gradients were
#   large and later ones are small, so its guesses become too long: at the end its error is
#   1.15, as bad as predicting zero or worse. But its cosine is 0.63, like the other's.
# - **Without labels** the error is soon near 1 and the cosine near 0.22.
#
# ## And then: targets that are guesses themselves
#
# So far every model was told the true $\delta_i$, for which somebody had to run the whole of
# backpropagation. The way out is in the picture at the top: module $i+1$ has an error signal of
# its own, $\hat\delta_{i+1}$, and carries it back through its own layers anyway, to update itself.
# What arrives at its input becomes the target for the model there:
#
# $$\text{target of } M_i = \hat\delta_{i+1}\,
# \frac{\partial h_{i+1}}{\partial h_i} , \qquad \text{and only at the top the true } \delta .$$
#
# A target that is made from a guess is called **bootstrapped**: carried back exactly, but of a
# signal that is a guess. **So errors grow faster downwards** than in models told the truth. What
# $M_{i+1}$ gets wrong comes down with its guess and is part of the target of $M_i$, which learns it
# as if it were true, and then adds what it gets wrong itself.
#
# The models named `bootstrapped` were taught so, beside the same network. In the right panel the
# dotted line is all that the bottom one can know: it follows its *target*
# with an error of 0.44, better than anyone follows the truth. But the target is off, so against
# the truth its error is 0.98, where the model that was told the truth has 0.84. The direction
# suffers less: the cosine is 0.39 instead of 0.43. **Read errors against a target with care:** a
# model can be close to its target and far from the truth.
#
# With Adam the start is slow, for good targets come down one interface at a time: while
# the model above still guesses near zero, its guess teaches nothing. After one epoch the cosines
# were 0.57 at the top, 0.27 below and 0.11 at the bottom.

# %% tags=["guard"] jupyter={"source_hidden": true}
# Checks what the text says.
FORGETS, NEVER = "least squares, forgetting", "least squares, never forgetting"
quoted("0.00", seen["best now"][0, 2, 0], within=0.005)
quoted("0.60", last["best now"][2, 0], within=0.06)
quoted("0.62", last[FORGETS][2, 0], within=0.11)
quoted("1.15", last[NEVER][2, 0], within=0.4)
stated("as bad as predicting zero or worse", last[NEVER][2, 0] > 0.95)
quoted("0.63", last[NEVER][2, 1], within=0.06)
stated("like the other's",
       abs(last[NEVER][2, 1] - last[FORGETS][2, 1]) < 0.03)
after_an_epoch = seen["no labels"][np.array(steps) >= 31, 2, 0]
stated("the error is soon near 1", np.abs(after_an_epoch - 1).max() < 0.12)
quoted("0.22", last["no labels"][2, 1], within=0.04)
BOOT, SLOW = "bootstrapped, least squares", "bootstrapped, Adam"
quoted("0.44", last[BOOT][0, 2], within=0.05)
stated("better than anyone follows the truth",
       last[BOOT][0, 2] < min(last[name][0, 0] for name in last))
quoted("0.98", last[BOOT][0, 0], within=0.1)
quoted("0.84", last[FORGETS][0, 0], within=0.05)
stated("where the model that was told the truth has 0.84", last[FORGETS][0, 0] < last[BOOT][0, 0])
stated("So errors grow faster downwards", last[BOOT][0, 0] > last[BOOT][1, 0] > last[BOOT][2, 0]
       and last[BOOT][0, 0] - last[BOOT][2, 0]
       > last[FORGETS][0, 0] - last[FORGETS][2, 0] + 0.05)
quoted("0.39", last[BOOT][0, 1], within=0.05)
quoted("0.43", last[FORGETS][0, 1], within=0.05)
quoted("0.57", at[SLOW][31][2, 1], within=0.05)
quoted("0.27", at[SLOW][31][1, 1], within=0.1)
quoted("0.11", at[SLOW][31][0, 1], within=0.1)
stated("good targets come down one interface at a time",
       at[SLOW][31][0, 1] < at[SLOW][31][1, 1] < at[SLOW][31][2, 1])

# %% [markdown]
# ## Why that is enough
#
# To learn, a module needs a direction in which the loss falls, no more. If it steps by $-\eta\,
# \hat g$ in place of $-\eta\, g$, with $g$ and $\hat g$ the gradients of its parameters made from
# $\delta$ and from $\hat\delta$, then
#
# $$L(\theta - \eta \hat g) \approx L(\theta) - \eta\, \langle g, \hat g \rangle ,$$
#
# and **the loss falls whenever $\langle g, \hat g \rangle > 0$**, if the step is short. What counts
# is the *cosine*; the length goes into the learning rate. The relative error counts both, which is
# how a guess can have an error above 1 and a good direction, as that of the model that never
# forgets.
#
# Let the lowest module of the frozen network take one step with each of four signals. And then
# train for longer, decoupled.


# %%
module, (h1, delta1) = frozen[0], pairs[0]
signals = {"true gradient": delta1, **{kind: guesses[kind][0] for kind in kinds}}


def losses_after(delta, rates):
    """Mean losses of the frozen network after one step of its lowest module, then taken back."""
    module.forward(images)
    module.backward(delta, input_gradient=False)
    step = {name: g / len(images) for name, g in module.grads.items()}
    before = {name: p.copy() for name, p in module.params.items()}
    losses = []
    for rate in rates:
        for name, p in module.params.items():
            p[...] = before[name] - rate * step[name]
        h = images
        for m in frozen:
            h = m.forward(h)
        losses.append(loss(h, labels)[0].mean())
    for name, p in module.params.items():
        p[...] = before[name]
    return losses, np.concatenate([g.ravel() for g in step.values()])


rates = np.linspace(0, 1.5, 7)
after = {name: losses_after(delta, rates) for name, delta in signals.items()}
direction = {name: cosine(g, after["true gradient"][1]) for name, (_, g) in after.items()}
print(f"{'':25} cosine of the guess, of the parameters' gradient")
for name, delta in signals.items():
    print(f"{name:25} {cosine(delta, delta1):19.2f} {direction[name]:28.2f}")
histories = {}
for method in ("backprop", "cdni-ls", "dni"):
    trainer = build_trainer(method, settings, data)
    histories[method] = [trainer.epoch() for _ in range(12)]

# %% jupyter={"source_hidden": true}
fig, (left, right) = plt.subplots(1, 2, figsize=(7.5, 3.5))
looks = {
    "true gradient": {"color": TRUE, "marker": "s"},
    "least squares, labels": {"color": SYNTHETIC, "linestyle": "--", "marker": "o"},
    "Adam, labels": {"color": BLUE, "marker": "^"},
    "least squares, no labels": {"color": GREEN, "linestyle": ":", "marker": "d"},
}
for name, look in looks.items():
    left.plot(rates, after[name][0], label=name, markersize=4, **look)
left.set(xlabel="learning rate of the one step", ylabel="loss of the frozen network",
         title="One step of the lowest module")
left.legend(loc="lower left", fontsize=9)
looks = {"backprop": {"color": TRUE, "marker": "s"},
         "cdni-ls": {"color": SYNTHETIC, "linestyle": "--", "marker": "o",
                     "label": "synthetic: labels, least squares"},
         "dni": {"color": ORANGE, "marker": "v", "label": "synthetic: no labels, Adam"}}
for method, look in looks.items():
    right.plot([r.epoch for r in histories[method]],
               [100 * r.test_accuracy for r in histories[method]], markersize=4,
               **{"label": method} | look)
right.set(xlabel="epochs", ylabel="test accuracy (%)", ylim=(60, 100), xticks=range(2, 13, 2),
          title="Training with them")
right.legend(loc="lower right", fontsize=9)
plt.show()
ends = {method: history[-1] for method, history in histories.items()}
for method, record in ends.items():
    guessed = ["error", *(f"{e:.2f}" for e in record.sg_relative_error),
               " cosine", *(f"{e:.2f}" for e in record.sg_cosine)]
    print(f"{method:9} {record.test_accuracy:.1%}", *(guessed if record.sg_cosine else []))

# %% [markdown]
# On the left, all four steps go down, and the true gradient's goes down furthest.
#
# **Mind which cosine.** That of the *guess*, over the entries of $\hat\delta_1$, is the one used so
# far: 0.60 for least squares and 0.58 for Adam. That of the *parameters' gradients* is the one in
# the formula, and there the two differ: 0.71 and 0.53. Between the two is a sum over all examples,
# in which mistakes cancel. For a least-squares fit more of them do: at the minimum $F^\top (F W -
# \Delta) = 0$, so its errors add up to zero over each class, and are uncorrelated with each unit of
# $h_1$. Without labels 0.23 becomes 0.56, but the guess is so short that the loss falls least.
#
# On the right, the network whose guesses end with an error of 0.77 at the bottom and a cosine of
# 0.48 learns more slowly at first, and ends at about 92%, within a point of backpropagation. (It
# moved by its guesses, unlike the network above; hence not 0.98 and 0.39.) Rough gradients cost
# time; they do not prevent learning.
#
# And the limits. In training without labels (`dni`) the cosine at the bottom is near zero: nothing
# of use arrives there (here an error above 1 comes with a bad direction). The network still gets to
# about 85%, for its top module has the true loss. $\langle g, \hat g \rangle > 0$ promises a
# lower loss only for one short step of one module.

# %% tags=["guard"] jupyter={"source_hidden": true}
# Checks what the text says.
FINAL, NO = ends["cdni-ls"], ends["dni"]
missed = {kind: np.linalg.norm(onehot.T @ (signals[kind] - delta1))
          for kind in (LABELS, "Adam, labels")}
stated("all four steps go down", all(values[1] < values[0] for values, _ in after.values()))
stated("the true gradient's goes down furthest",
       after["true gradient"][0][-1] == min(values[-1] for values, _ in after.values()))
quoted("0.58", aim["Adam, labels"][0], within=0.03)
quoted("0.71", direction["least squares, labels"], within=0.06)
quoted("0.53", direction["Adam, labels"], within=0.08)
quoted("0.56", direction[NONE], within=0.08)
quoted("0.23", aim[NONE][0], within=0.03)
stated("the guess is so short that the loss falls least",
       after[NONE][0][-1] == max(values[-1] for values, _ in after.values()))
stated("there the two differ", direction[LABELS] > direction["Adam, labels"] + 0.05)
stated("its errors add up to zero over each class",
       missed[LABELS] < 0.1 * np.linalg.norm(onehot.T @ delta1)
       and missed[LABELS] < 0.5 * missed["Adam, labels"])
quoted("0.77", FINAL.sg_relative_error[0], within=0.06)
quoted("0.48", FINAL.sg_cosine[0], within=0.05)
quoted("92%", FINAL.test_accuracy, within=0.01)
stated("within a point of backpropagation",
       abs(FINAL.test_accuracy - ends["backprop"].test_accuracy) < 0.01)
stated("learns more slowly at first",
       all(a.test_accuracy < b.test_accuracy for a, b in
           zip(histories["cdni-ls"][:4], histories["backprop"][:4], strict=True)))
stated("the cosine at the bottom is near zero", abs(NO.sg_cosine[0]) < 0.1)
stated("here an error above 1 comes with a bad direction",
       NO.sg_relative_error[0] > 1 and abs(NO.sg_cosine[0]) < 0.1)
quoted("85%", NO.test_accuracy, within=0.02)

# %% [markdown]
# ## What to try next
#
# - Freeze the network after one epoch, or after six. How do the errors of the fits change?
# - `pairs_at(frozen, scale_pixels(data.x_test), data.y_test)` are pairs that no model has seen.
#   Are the guesses as good there?
# - Give $M$ features that multiply: `h` times each column of `c`, one after the other. At which
#   interface does it help most?
# - Double a guess. What happens to the error, to the cosine, and to the curves on the left of the
#   last figure?
# - Do the [exercises](exercises/03_a_synthetic_gradient.ipynb): error, cosine and the best
#   length; one step of $M$; the ridge solution; a bootstrapped target.
# - Next lesson: [decoupled training](04_decoupled_training.ipynb).
#
# ## Sources
#
# - M. Jaderberg et al., *Decoupled Neural Interfaces using Synthetic Gradients*, 2016,
#   [arXiv:1608.05343](https://arxiv.org/abs/1608.05343): synthetic gradients, conditioning on
#   labels, bootstrapped targets.
# - W. M. Czarnecki et al., *Understanding Synthetic Gradients and Decoupled Neural Interfaces*,
#   2017, [arXiv:1703.00522](https://arxiv.org/abs/1703.00522): linear models of the gradient.
# - Fitting by least squares is this project's: [`fitting.py`](../sgdni/synthetic/fitting.py). The
#   measures are in [`quality.py`](../sgdni/analysis/quality.py).
# - The images: MNIST, by Yann LeCun and Corinna Cortes, CC BY-SA 3.0.
