# %% [markdown]
# # 4. Decoupled training
#
# - **You will do**: read the dozen lines of the decoupled training step, train a network cut into
#   two to seven modules with them, measure its synthetic gradients, mend their model, and break it
#   on purpose.
# - **You will learn**: what synthetic gradients cost in accuracy, and what they are worth against
#   a fair control; why their errors add up downwards; what a model with the structure of a gradient
#   gains, and when a local loss is enough; what a failure looks like before it is one.
# - **You need**: lessons 1 and 3: delta per example, a linear model of a gradient, its error.
# - **Time**: 35 minutes to read, under 60 s to run.
# - **Exercises**: [04_decoupled_training](exercises/04_decoupled_training.ipynb), about 40 minutes.
# - **Words**: [glossary](glossary.md).

# %% jupyter={"source_hidden": true}
import inspect
import json
import textwrap
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from sgdni import (
    Backprop,
    Decoupled,
    Interface,
    Settings,
    SyntheticGradient,
    build_trainer,
    load,
)
from sgdni.analysis.quality import measure
from sgdni.experiments.accuracy.compare import compare
from sgdni.experiments.contenders import Contender
from sgdni.plotting.colours import BLUE, GREEN, ORANGE, PINK, SKY, SYNTHETIC, TRUE
from sgdni.runs.methods import build_network
from sgdni.schedules import DivergenceError, DivergenceGuard, Recorder
from sgdni.training.batches import minibatches
from sgdni_course import quoted, stated, style

style()
plt.rcParams["figure.dpi"] = 84  # six figures in a small file

# %%
SEED = 0
rng = np.random.default_rng(SEED)
data = load("mnist-5k")
# 784-128-128-128-10 with batch normalisation, SGD with momentum, learning rate 0.1, B = 128.
settings = Settings(hidden=(128, 128, 128), seed=3 * SEED)

# %% [markdown]
# ## The step
#
# Cut a network into modules $f_1, \dots, f_K$, bottom to top. At each of the $K - 1$ interfaces
# stands a linear model $M_i$ that guesses the gradient there, $\hat\delta_i = M_i(h_i, c)$, from
# the activation $h_i$ and the one-hot labels $c$. For one minibatch, module after module:
#
# 1. **forward**: $h_i = f_i(h_{i-1})$;
# 2. **predict**: $\hat\delta_i = M_i(h_i, c)$; at the top there is a loss, and $\delta_K$ is true;
# 3. **learn**: backpropagate $\hat\delta_i$ through $f_i$ and update $\theta_i$ at once. What comes
#    out at the module's input is a gradient with respect to $h_{i-1}$;
# 4. **fit**: give that gradient to $M_{i-1}$ below, as its target for $h_{i-1}$.
#
# Here is the loop that trains every decoupled network of this lesson: not a copy, but the source
# that runs. Below it is the loop of ordinary backpropagation, made of the same moves.

# %%
print(inspect.getsource(Decoupled.step))
print(inspect.getsource(Backprop.step))

# %% [markdown]
# Modules and interfaces are counted from 0 here, from 1 in the text, and `c[i]` is what $M_{i+1}$
# is told besides $h$: the one-hot labels, or nothing. `updates` and `wants_target` stand for
# options that come later; without them every module learns and every $M$ is fitted on every
# minibatch.
#
# Backprop has two loops, and the second cannot begin before the first has ended: those are the
# locks. Decoupled training has one, and each module has learned before the next one runs forward.
#
# Three things in these lines are easy to get wrong:
#
# - The target comes out of the *same* backward pass that gives the module its own gradients, so
#   it belongs to the weights from before the update.
# - Module $i$ has learned before the fit of $M_i$ on this minibatch. Its guess is always made
#   with what $M_i$ knew before. Fitting first would bring the waiting back.
# - The target is a constant. No gradient of the fit flows on into the module above.
#
# Clocks, checks and records live inside the moves, each as short as this one (`learn_locally` is
# for local error, below):

# %%
print(inspect.getsource(Decoupled.predict))

# %% [markdown]
# So a `Recorder` put into the schedule hears of every move. Let the loop take one step, with two
# modules, and read its record in order of time. (A record calls learning `backward`, and the loss
# is part of the top module's `forward`.)

# %%
two_modules = replace(settings, cuts=(2,))  # one interface, after the second hidden layer
network = build_network("cdni-ls", two_modules, data.n_features, data.n_classes, rng)
schedule = Decoupled(network)
recorder = schedule.recorder = Recorder(network.modules)
x, y = next(minibatches(data.x_train, data.y_train, settings.batch_size, rng))
schedule.step(x, y)
moves = [(move.kind, move.worker + 1)
         for move in sorted(recorder.intervals, key=lambda move: move.start)]
for kind, number in moves:
    print(f"{kind:8} of {'M_' if kind in ('predict', 'fit') else 'module '}{number}")

# %% tags=["guard"] jupyter={"source_hidden": true}
# Checks what the text says.
stated("The bottom module has learned before the top one runs forward", moves == [
    ("forward", 1), ("predict", 1), ("backward", 1), ("forward", 2), ("backward", 2), ("fit", 1)])

# %% [markdown]
# The bottom module has learned before the top one runs forward, and $M_1$ is fitted at the end.
#
# Note that this is *not* faster: one process does all the moves in turn, and the products of $M$
# come on top.
#
# ## Does it learn?
#
# The contenders, each an entry in [`methods.py`](../sgdni/runs/methods.py), with an interface after
# each of the three hidden layers (`cdni-stochastic` comes later):
#
# | name | $M$ sees | $M$ is fitted by |
# |---|---|---|
# | `backprop` | no $M$: the true gradient | |
# | `dni` | $h$ | a step of Adam per minibatch |
# | `cdni` | $h$ and the labels $c$ | a step of Adam per minibatch |
# | `cdni-ls` | $h$ and the labels $c$ | least squares, the past fading |
#
# And a control. If every $M$ answered zero for ever, the lower modules would keep their random
# weights, and only the top module, here one dense layer, would learn. A random projection of
# digits is a decent start for that. **A synthetic gradient is worth something only if it beats
# zero.** The control is `untaught`.


# %%
class Untaught(SyntheticGradient):
    """Answers zero, whatever it is told."""

    def predict(self, h, c):
        return np.zeros_like(h)

    def fit(self, h, c, target):
        pass


def build_untaught(settings, data):
    trainer = build_trainer("cdni-ls", settings, data)
    network = trainer.schedule.network
    network.interfaces[:] = [Interface(Untaught()) for _ in network.interfaces]
    return trainer


EPOCHS, REPEATS = 6, 3  # seeds: settings.seed and the two after it
contenders = [Contender(name)
              for name in ("backprop", "cdni-ls", "cdni", "dni", "cdni-stochastic")]
runs = compare([*contenders, Contender("untaught", build=build_untaught)], data, settings,
               epochs=EPOCHS, repeats=REPEATS)
slow = replace(settings, lr=0.03)
for name, run in compare([Contender("dni"), Contender("untaught", build=build_untaught)], data,
                         slow, epochs=EPOCHS, repeats=REPEATS).items():
    runs[f"{name}, rate 0.03"] = run
for name, cuts in (("1 interface", (2,)), ("2 interfaces", (1, 3))):  # after hidden layers
    runs[name] = compare([Contender("cdni-ls")], data, replace(settings, cuts=cuts),
                         epochs=EPOCHS, repeats=REPEATS)["cdni-ls"]


def stack(run, key="test_accuracy"):
    """What each epoch of each repeat recorded: (repeats, epochs) or (repeats, epochs, K - 1)."""
    return np.array([[getattr(record, key) for record in history] for history in run.histories])


def band(axes, x, values, **look):
    """Median over repeats as a line, from the least to the largest as a band."""
    axes.plot(x, np.median(values, axis=0), markersize=5, **look)
    axes.fill_between(x, values.min(axis=0), values.max(axis=0), color=look["color"], alpha=0.15,
                      linewidth=0)


# %% jupyter={"source_hidden": true}
epochs = np.arange(1, EPOCHS + 1)
looks = {
    "backprop": {"color": TRUE, "marker": "o"},
    "cdni-ls": {"color": SYNTHETIC, "marker": "D", "linestyle": "--"},
    "cdni": {"color": SKY, "marker": "s"},
    "dni, rate 0.03": {"color": ORANGE, "marker": "v", "linestyle": "-."},
    "dni": {"color": ORANGE, "marker": "^"},
    "untaught": {"color": "0.45", "marker": "x", "linestyle": ":"},
    "1 interface": {"color": BLUE, "marker": "s"},
    "2 interfaces": {"color": GREEN, "marker": "^", "linestyle": "-."},
}
fig, (left, right) = plt.subplots(1, 2, figsize=(7.5, 3.8), width_ratios=(5, 4))
for axes, names in ((left, ("backprop", "cdni-ls", "cdni", "dni, rate 0.03", "dni", "untaught")),
                    (right, ("backprop", "1 interface", "2 interfaces", "cdni-ls"))):
    for name in names:
        label = "3 interfaces" if axes is right and name == "cdni-ls" else name
        band(axes, epochs, 100 * stack(runs[name]), label=label, **looks[name])
    axes.legend(loc="lower right")
    axes.set(xlabel="epochs")
left.set(ylabel="test accuracy (%)", title="Three interfaces", ylim=(40, 97))
right.set(title="cdni-ls, by number of interfaces", ylim=(70, 97))
plt.show()
first, final = ({name: float(np.median(stack(run)[:, k])) for name, run in runs.items()}
                for k in (0, -1))
print(f"{'medians':19} epoch 1   epoch {EPOCHS}")
for name in runs:
    print(f"{name:19} {first[name]:7.1%}   {final[name]:7.1%}")

# %% [markdown]
# Lines are medians over three seeds, bands their range. (Numbers in the text are those of the run
# stored here. In yours the last digits may differ, and more where a run is unsteady, as `dni` is
# and the failures below.)
#
# - **`cdni-ls` is at 93.1% after six epochs, backprop at 94.2%.** It starts lower, since the
#   models $M_i$ begin at zero and those below have to wait until those above make sense. The more
#   interfaces, the slower the start: 88.3% after the first epoch with one, 84.8% with two, 79.8%
#   with three.
# - **`cdni`**, the same models by steps of Adam, is at 86.8% and still rising.
# - **`dni` at this learning rate ends below the control**: 72.1% against 75.4%. What the lower
#   modules learned was worse than leaving them alone. With a rate of 0.03 it comes out at 83.8%,
#   the control at about 74%: slowly, it does learn. It has a hard time because the gradient at the
#   top is softmax minus one-hot, and it does not see the label.

# %% tags=["guard"] jupyter={"source_hidden": true}
# Checks what the text says.
quoted("93.1%", final["cdni-ls"], within=0.012)
quoted("94.2%", final["backprop"], within=0.012)
quoted("88.3%", first["1 interface"], within=0.025)
quoted("84.8%", first["2 interfaces"], within=0.035)
quoted("79.8%", first["cdni-ls"], within=0.04)
quoted("86.8%", final["cdni"], within=0.025)
quoted("72.1%", final["dni"], within=0.07)
quoted("75.4%", final["untaught"], within=0.02)
quoted("83.8%", final["dni, rate 0.03"], within=0.03)
quoted("74%", final["untaught, rate 0.03"], within=0.015)
quoted("0.03", slow.lr, within=0)
stated("The more interfaces, the slower the start",
       first["1 interface"] > first["2 interfaces"] > first["cdni-ls"])
stated("`dni` at this learning rate ends below the control", final["dni"] < final["untaught"])
stated("slowly, it does learn", final["dni, rate 0.03"]
       > max(final["untaught"], final["untaught, rate 0.03"]) + 0.05)

# %% [markdown]
# ## How good are the gradients?
#
# After every epoch the trainer measures each $M_i$, always on the same minibatches, as in lesson 3:
# the relative squared error $\sum \|\hat\delta_i - \delta_i\|^2 / \sum \|\delta_i\|^2$ against
# the true gradient (0 is perfect, zero guesses score 1), the same against the *target* it is
# fitted to, and the cosine. A deep stack shows best what happens: six hidden layers, an interface
# after each.

# %%
deep = replace(settings, hidden=(128,) * 6)
deep_runs = compare([Contender(name) for name in ("backprop", "cdni-ls")], data, deep,
                    epochs=5, repeats=2)
truth, target, cosine = (stack(deep_runs["cdni-ls"], f"sg_{key}")[:, -1]  # (repeats, 6)
                         for key in ("relative_error", "target_error", "cosine"))

# %% jupyter={"source_hidden": true}
interfaces = np.arange(1, 7)
fig, axes = plt.subplots(figsize=(6.4, 3.6))
band(axes, interfaces, truth, color=TRUE, marker="o", label="error against the true gradient")
band(axes, interfaces, target, color=SYNTHETIC, marker="D", linestyle="--",
     label="error against its own target")
band(axes, interfaces, cosine, color=BLUE, marker="s", linestyle=":",
     label="cosine to the true gradient")
axes.axhline(1, color="0.5", linestyle=":", linewidth=1.2)
axes.annotate("guessing zero: error 1", (1, 1.02), color="0.3", fontsize=10)
axes.set(xlabel="interface (1 is the lowest)", xticks=interfaces, ylim=(0, 1.6),
         ylabel="relative squared error; cosine", title="Guesses of $M_i$, six interfaces")
axes.legend(loc="upper right")
plt.show()
deep_final = {name: float(np.median(stack(run)[:, -1])) for name, run in deep_runs.items()}
print({name: f"{value:.0%}" for name, value in deep_final.items()})
truth, target, cosine = (np.median(values, axis=0) for values in (truth, target, cosine))

# %% [markdown]
# The dashed line is nearly flat: wherever it stands, a model follows its *target* about equally
# well, with an error between 0.2 and 0.35. The black line climbs from 0.2 at the top to 0.88 at the
# bottom: the lower, the less the target has to do with the truth. The reason takes two lines. The
# target of $M_i$ is $\hat\delta_{i+1}$ taken back through module $i + 1$: each example's row times
# that module's Jacobian, $J_{i+1}$. The true gradient is multiplied by the same one, so
#
# $$\hat\delta_i - \delta_i = \underbrace{(\hat\delta_i - \mathrm{target}_i)}_{\text{own error}}
# + \underbrace{(\hat\delta_{i+1} - \delta_{i+1})\, J_{i+1}}_{\text{error from above}} .$$
#
# **Every interface adds its own error to that of the one above.** At the top interface the target
# is the truth, and the two lines meet.
#
# And yet the lowest module learns from a gradient of error 0.88 and cosine 0.4. To go downhill a
# small step only has to point to the right side, with a cosine above 0. The deep net is at 90%
# after five epochs, backprop at 94%.

# %% tags=["guard"] jupyter={"source_hidden": true}
# Checks what the text says.
stated("nearly flat", np.ptp(target) < 0.25 and target.max() < 0.45)
quoted("0.2", truth[-1], within=0.06)
quoted("0.35", target.max(), within=0.06)
quoted("0.88", truth[0], within=0.05)
quoted("0.4", cosine[0], within=0.05)
quoted("90%", deep_final["cdni-ls"], within=0.02)
quoted("94%", deep_final["backprop"], within=0.015)
stated("Every interface adds its own error to that of the one above",
       (np.diff(truth) < 0).all() and (np.diff(cosine) > 0).all())
stated("the two lines meet", abs(truth[-1] - target[-1]) < 1e-6)

# %% [markdown]
# ## A model of the right structure
#
# A linear $M$ has to make a gradient out of $h$ and $c$ alone. The true one has a structure. For
# one example, as a row,
#
# $$\delta_i = (p - c)\, J :$$
#
# the error $p - c$ of the network's answer, softmax minus one-hot, taken back by the Jacobian $J$
# of all that is above. **Local error** (`local-error`) copies it in small. At the interface stands
# a *head*, a classifier of its own, here one linear layer, with weights $R$ and bias $r$. It learns
# the label from $h$ by its own cross-entropy, at once and from every minibatch; nobody above is
# asked. Its error $e$ stands in for $p - c$, and a matrix $P$ that is fitted to the targets stands
# in for $J$:
#
# $$e = \mathrm{softmax}(hR + r) - c, \qquad \hat\delta = eP, \qquad
# P = \arg\min_P \sum \|\mathrm{target} - eP\|^2 + \rho\, \bar s\, \|P - R^\top\|^2 .$$
#
# These are lesson 3's least squares, the past fading; $\bar s$, the mean diagonal of $\sum e^\top
# e$, only makes the ridge $\rho$ a pure number. But it is no longer small, and pulls $P$ to the
# head's own weights, not to zero; **$\rho$ says whom to believe**:
#
# - $\rho = 0$: the targets alone, a pure synthetic gradient.
# - $\rho = \infty$: $P = R^\top$, so that $\hat\delta$ is the gradient of the head's own loss. No
#   target is used. That is a **local loss** (`local-loss`), which is known without synthetic
#   gradients.
# - In between, with $\rho = 1$ as the default, both. Until the first target comes, $P = R^\top$.
#
# The deep stack again:

# %%
deep_runs |= compare([Contender("rho = 0", "local-error", changes={"rho": 0.0}),
                      Contender("rho = 1", "local-error"), Contender("local loss", "local-loss")],
                     data, deep, epochs=5, repeats=2)

# %% jupyter={"source_hidden": true}
models = {"cdni-ls": ("linear $M$", looks["cdni-ls"]),
          "rho = 0": (r"local error, $\rho = 0$", {"color": BLUE, "marker": "v"}),
          "rho = 1": (r"local error, $\rho = 1$", {"color": ORANGE, "marker": "s"}),
          "local loss": (r"local loss, $\rho = \infty$",
                         {"color": GREEN, "marker": "^", "linestyle": ":"})}
fig, (left, right) = plt.subplots(1, 2, figsize=(7.5, 3.8))
for name, (label, look) in models.items():
    run = deep_runs[name]
    band(left, interfaces, stack(run, "sg_relative_error")[:, -1], label=label, **look)
    band(right, np.arange(1, 6), 100 * stack(run), **look)
band(right, np.arange(1, 6), 100 * stack(deep_runs["backprop"]), label="backprop",
     **looks["backprop"])
left.axhline(1, color="0.5", linestyle=":", linewidth=1.2)
left.set(xlabel="interface (1 is the lowest)", xticks=interfaces, ylim=(0, 1.1),
         ylabel="error against the true gradient", title="Six interfaces, after 5 epochs")
right.set(xlabel="epochs", xticks=np.arange(1, 6), ylabel="test accuracy (%)",
          title="Test accuracy")
fig.legend(loc="outside lower center", ncols=3)
plt.show()
errors = {name: np.median(stack(deep_runs[name], "sg_relative_error")[:, -1], axis=0)
          for name in models}
start, end = ({name: float(np.median(stack(run)[:, k])) for name, run in deep_runs.items()}
              for k in (0, -1))
for name in models:
    print(f"{name:10} errors " + " ".join(f"{e:.2f}" for e in errors[name])
          + f"   accuracy after epoch 1: {start[name]:.0%}, after 5: {end[name]:.0%}")

# %% [markdown]
# With the right structure the guesses at the top interface are nearly exact, and those below are
# better than linear $M$'s, the lowest hardly. With $\rho = 0$ they are the best of all, yet the net
# ends at 89%, no higher than with linear $M$: here, with two seeds, better gradients did not help.
# With $\rho = 1$ training starts much sooner: after one epoch it is at 85%, where linear $M$ has
# 62%. The local loss's gradients are further from the truth than those with $\rho = 1$ nearly
# everywhere, and the net learns just as well. They are no guesses: it goes down a hill of its own,
# on which labels are told apart, too.
#
# ## Is that still a synthetic gradient, or just a local loss?
#
# With a finite $\rho$ it is a synthetic gradient: what the modules above want comes in by the
# targets. Is that of any use? The control is now the local loss with the same head: `untaught` asks
# whether guesses help at all, this one whether targets do. Two records hold the two against each
# other, each method at a learning rate of its own that was chosen on images set aside (medians over
# three seeds, all of MNIST, [docs/results.md](../docs/results.md)):

# %%
records = Path("../benchmarks/records")
sums, steps = (json.loads((records / name / "results.json").read_text())["findings"]
               for name in ("sums", "steps"))
print("interfaces                      backprop  linear M  local error  local loss")
for k in (1, 4):
    four = [sums["backprop"], *(sums[f"{name}_{k}"] for name in (
        "linear_m", "local_error_hidden_head", "local_loss_hidden_head"))]
    print(k, " sum of two digits, accuracy {:8.1%}  {:8.1%} {:12.1%} {:11.1%}".format(*four))
print(f"{'4  the same, linear heads':30}{sums['local_error_linear_head_4']:32.1%}")
for k, late in ((1, 8), (4, 8), (8, 8), (8, 24)):
    three = [f"{steps.get(f'{name}_{k}_{late}', np.nan):.2f}".replace("nan", "-")
             for name in ("cdni_ls", "local_error", "local_loss")]
    print(k, f" steps to 97%, {late:2} late      ", "{:>8}  {:>8} {:>12} {:>11}".format(1, *three))

# %% [markdown]
# - **The sum task** is made to be hard for a head: two digits side by side, asked for their sum
#   modulo 10, of which a linear read-out of the first layer knows next to nothing. So the heads
#   have a hidden layer here; with linear heads local error reaches 84.4%. Linear $M$ falls to
#   80.5% with depth, local error keeps 92.1%, backprop has 94.0%. The local loss has 92.9%.
# - **Late targets** (lesson 6 makes them late for real): by local error it takes 1.17 times
#   backprop's steps to 97% with eight interfaces, and the same whether targets come 8 minibatches
#   late or 24. So three times as late costs nothing more. (The record has no run with targets on
#   time, so the cost of lateness itself is unknown.) The local loss waits for none and takes 1.04
#   times the steps.
# - **Depth**: linear $M$ takes 2.23 times the steps with four interfaces, and with eight nobody
#   got it there, so it is not in the record. Local error takes 1.19 times, the local loss 1.05.
#
# So **in depth, on these tasks, no synthetic gradient of ours beats the local loss**, which is
# simpler and asks nobody above. A local loss is enough where a label tells each module what to be
# good for and a head can read it; where a linear head cannot, take a larger head first. Synthetic
# gradients are for where no label says that: a state whose use shows only later (lesson 7), a
# network that feeds another one.

# %% tags=["guard"] jupyter={"source_hidden": true}
# Checks what the text says.
stated("the guesses at the top interface are nearly exact, and those below are better than linear "
       "$M$'s", errors["rho = 1"][-1] < 0.08
       and (errors["rho = 1"][1:] < errors["cdni-ls"][1:]).all())
quoted("85%", start["rho = 1"], within=0.03)
quoted("62%", start["cdni-ls"], within=0.05)
quoted("89%", end["rho = 0"], within=0.03)
stated("With $\\rho = 0$ they are the best of all",
       (errors["rho = 0"] < errors["rho = 1"] + 0.03).all()
       and errors["rho = 0"].sum() < min(errors[m].sum() for m in models if m != "rho = 0"))
stated("no higher than with linear $M$", end["rho = 0"] < end["cdni-ls"] + 0.01)
stated("further from the truth than those with $\\rho = 1$ nearly everywhere",
       (errors["local loss"] > errors["rho = 1"]).sum() >= 5)
stated("and the net learns just as well", end["local loss"] > end["rho = 1"] - 0.02)
quoted("84.4%", sums["local_error_linear_head_4"], within=0.0005)
quoted("80.5%", sums["linear_m_4"], within=0.0005)
quoted("92.1%", sums["local_error_hidden_head_4"], within=0.0005)
quoted("94.0%", sums["backprop"], within=0.0005)
quoted("92.9%", sums["local_loss_hidden_head_4"], within=0.0005)
quoted("1.17", steps["local_error_8_8"], within=0.005)
quoted("1.17", steps["local_error_8_24"], within=0.005)
quoted("1.04", steps["local_loss_8_24"], within=0.005)
quoted("97%", 0.97, within=0)
quoted("2.23", steps["cdni_ls_4_8"], within=0.005)
quoted("1.19", steps["local_error_4_8"], within=0.005)
quoted("1.05", steps["local_loss_4_8"], within=0.005)

# %% [markdown]
# ## Stochastic updates
#
# A module that needs nobody can also skip. In `cdni-stochastic`, which is `cdni-ls` but for this,
# each module tosses a coin of its own for every minibatch, and learns with probability $p = 0.2$:
# that is what `updates` in the loop is for. It always runs forward, because the module above needs
# its input. A module that does not learn makes no target either, so the model below it is not
# fitted on that step. A `Recorder` on the schedule shows who did what.

# %%
trainer = build_trainer("cdni-stochastic", settings, data)
recorder = trainer.schedule.recorder = Recorder(trainer.schedule.network.modules)
trainer.epoch()
kinds = {kind: np.zeros((4, trainer.steps_per_epoch), bool) for kind in ("backward", "fit")}
for interval in recorder.intervals:
    if interval.kind in kinds:
        later = interval.kind == "fit"  # noted when its module is already at the next minibatch
        kinds[interval.kind][interval.worker, interval.step - later] = True

# %% jupyter={"source_hidden": true}
fig, (left, right) = plt.subplots(1, 2, figsize=(7.5, 3.2), width_ratios=(5, 4))
for kind, look in (("backward", {"marker": "s", "color": BLUE, "s": 55, "label": "module learns"}),
                   ("fit", {"marker": "o", "facecolor": "none", "edgecolor": PINK, "s": 110,
                            "linewidth": 1.8, "label": "its $M$ is fitted"})):
    worker, step = np.nonzero(kinds[kind])
    left.scatter(step + 1, worker + 1, **look)
left.set(xlabel="minibatch", ylabel="module", yticks=range(1, 5), ylim=(0.5, 4.5),
         title="Who learns in the first epoch")
left.legend(loc="upper center", bbox_to_anchor=(0.5, -0.22), ncols=2)
updates = trainer.steps_per_epoch * epochs
band(right, updates, 100 * stack(runs["cdni-ls"]), label="cdni-ls, $p = 1$", **looks["cdni-ls"])
band(right, 0.2 * updates, 100 * stack(runs["cdni-stochastic"]), color=GREEN, marker="s",
     label="cdni-stochastic, $p = 0.2$")
right.set(xlabel="updates of each module (mean)", ylabel="test accuracy (%)", xscale="log",
          title="The same runs, by updates", xticks=[6, 12, 31, 62, 186],
          xticklabels=[6, 12, 31, 62, 186])
right.minorticks_off()
right.legend(loc="lower right")
plt.show()
after_31 = {"cdni-ls": first["cdni-ls"],
            "cdni-stochastic": float(np.median(stack(runs["cdni-stochastic"])[:, 4]))}
print("after 31 updates:", {name: f"{value:.1%}" for name, value in after_31.items()})

# %% [markdown]
# On the left, a ring at module $i$ stands wherever there is a square at module $i + 1$: the teacher
# has learned. On the right, five epochs at $p = 0.2$ are as many updates as one epoch at $p = 1$,
# and give about the same accuracy, 82.7% and 79.8%. What is saved is backward passes; what is spent
# is four more forward passes for each. Five times as much data is seen for the same number of
# updates, so accuracy *after an epoch* is lower, and images per second flatter the method.

# %% tags=["guard"] jupyter={"source_hidden": true}
# Checks what the text says.
stated("a ring at module $i$ stands wherever there is a square at module $i + 1$",
       np.array_equal(kinds["fit"][:-1], kinds["backward"][1:]))
quoted("82.7%", after_31["cdni-stochastic"], within=0.03)
quoted("79.8%", after_31["cdni-ls"], within=0.03)

# %% [markdown]
# ## Watch it break
#
# Now leave out batch normalisation. Every schedule has a `DivergenceGuard` that looks at the
# activations of every module and the gradient that it learns from, and raises `DivergenceError`
# when their root mean square (rms) passes a limit. This one also takes notes:


# %%
class Watch(DivergenceGuard):
    """A guard that keeps each rms it sees: seen["activations"][module] is one number a step."""

    def __init__(self):
        super().__init__()
        self.seen = {kind: {m: [] for m in range(1, 5)} for kind in ("activations", "gradients")}

    def check(self, module, quantity, array):
        self.seen[quantity][module].append(float(np.sqrt(np.mean(np.square(array)))))
        super().check(module, quantity, array)


def watch(settings, epochs=2):
    """Train with cdni-ls; return what the guard saw, the quality by step, losses, the error."""
    trainer = build_trainer("cdni-ls", settings, data)
    trainer.schedule.guard = guard = Watch()
    set_aside = minibatches(data.x_train[::16], data.y_train[::16], 125, np.random.default_rng(0))
    probe = [(x.copy(), y) for x, y in set_aside]
    quality, losses, failure = [], [], None

    def look(result):
        quality.append(measure(trainer.schedule.network, probe))
        losses.append(result.loss)

    try:
        for _ in range(epochs):
            trainer.epoch(look)
    except DivergenceError as error:
        failure = error
    return guard.seen, quality, losses, failure


watched = {"with batch normalisation": watch(slow),
           "without": watch(replace(slow, batch_norm=False))}
failure = watched["without"][3]
print(textwrap.fill(str(failure), 88))

# %% jupyter={"source_hidden": true}
fig, panels = plt.subplots(1, 3, figsize=(7.5, 4.4), sharex=True)
for name, (seen, quality, _, _) in watched.items():
    lines = [[values for values in seen[kind].values()] for kind in ("activations", "gradients")]
    lines.append([[step[i].relative_error for step in quality] for i in range(3)])
    for axes, curves in zip(panels, lines, strict=True):
        for i, values in enumerate(curves):
            look = {"color": (BLUE, ORANGE, GREEN, PINK)[i], "linestyle": ("-", "--", "-.", ":")[i]}
            if axes is panels[1] and i == 3:
                look["color"] = TRUE
            if name != "without":
                look = {"color": "0.75", "linestyle": "-", "linewidth": 1.2, "zorder": 1}
            axes.semilogy(np.arange(1, len(values) + 1), np.maximum(values, 1e-4), **look)
names = (["module 1", "module 2", "module 3", "module 4"],
         [r"$\hat\delta_1$", r"$\hat\delta_2$", r"$\hat\delta_3$", r"$\delta_4$, true"],
         ["$M_1$", "$M_2$", "$M_3$"])
titles = ("rms of activations", "rms of gradients", "error against truth")
for axes, title, labels in zip(panels, titles, names, strict=True):
    axes.set(title=title, xlabel="minibatch")
    axes.legend(axes.lines[-len(labels):] + axes.lines[:1], [*labels, "with batch norm"],
                loc="upper center", bbox_to_anchor=(0.45, -0.2), fontsize=9)
panels[0].set(ylim=(1e-1, 1e7))
panels[1].set(ylim=(1e-3, 1e7))
panels[2].set(ylim=(1e-3, 1e5))
panels[2].axhline(1, color="0.5", linestyle=":", linewidth=1.2)
plt.show()
error = np.array([[q.relative_error for q in step] for step in watched["without"][1]])
first_sign = int(np.argmax((error > 1.3).any(axis=1))) + 1  # minibatch, counted from 1
last_seen = len(error) + 1  # the minibatch at which the guard spoke
activations = np.array(watched["without"][0]["activations"][3])
doubled = int(np.argmax(activations > 2 * activations[0])) + 1
print(f"module 3's activations doubled: minibatch {doubled}")
print(f"an error above 1.3: minibatch {first_sign}")
print(f"stopped: minibatch {last_seen}")

# %% [markdown]
# The grey lines are the same network with batch normalisation, where nothing happens: the $h_i$
# keep their scale (module 4 makes the scores, which should grow). Without it, in order of time:
#
# 1. **The scale of $h$ creeps up.** Module 3's activations are twice as large by minibatch 23. $M$
#    is linear, so an $h$ twice as large gets a gradient nearly twice as large. That makes larger
#    updates, and here these make $h$ larger still. The true gradient offers far less feedback:
#    it starts from softmax minus one-hot, which lies between $-1$ and 1 however large $h$ is, and
#    grows only with the weights above (the black line). Batch normalisation cuts the loop: it
#    resets the scale of each layer on every minibatch.
# 2. **The error of the lowest model leaves 1 behind.** At minibatch 25 it is above 1.3: module 1
#    learns from something worse than no gradient, while every rms is still of ordinary size.
# 3. **The error message comes**, 9 minibatches later. It names the module in which a number passed
#    the limit first. That is near the top, where the growth of all modules multiplies, and *not*
#    the lowest, where the guesses failed first.
#
# When an error falls back to 1 at the very end, that is no recovery: the weights above have
# exploded, and the true gradient with them.

# %% tags=["guard"] jupyter={"source_hidden": true}
# Checks what the text says.
seen = watched["without"][0]
kept_scale = watched["with batch normalisation"][0]["activations"]
stated("the $h_i$ keep their scale", max(max(kept_scale[m]) / min(kept_scale[m])
                                         for m in (1, 2, 3)) < 1.5)
stated("Module 3's activations are twice as large by minibatch 23",
       18 <= doubled <= 28 and doubled <= first_sign)
stated("The error of the lowest model leaves 1 behind", error[first_sign - 1].argmax() == 0)
stated("it is above 1.3", error[first_sign - 1, 0] > 1.3)
stated("At minibatch 25", 20 <= first_sign <= 30)
stated("while every rms is still of ordinary size",
       max(values[first_sign - 1] for kind in seen.values() for values in kind.values()) < 5)
stated("grows only with the weights above (the black line)",
       max(seen["gradients"][4]) < 1 < 100 < max(seen["gradients"][3]))
stated("9 minibatches later", 6 <= last_seen - first_sign <= 16)
stated("That is near the top", failure.module in (3, 4))

# %% [markdown]
# ## What it survives, and what it does not
#
# The same network under ten conditions, two seeds each, five epochs: backprop, `cdni-ls`, and the
# control, `untaught` under that very condition.


# %%
def scaled(contender):
    """The same contender, its first weights three times as large."""
    def build(settings, data):
        trainer = contender.trainer(settings, data)
        for module in trainer.schedule.network.modules:
            for key, array in module.params.items():
                if key.endswith("W"):
                    array *= 3
        return trainer
    return Contender(contender.name, build=build)


three = [Contender("backprop"), Contender("cdni-ls"),
         Contender("untaught", build=build_untaught)]
only = three[1:2]  # the others would be as in the first row
large = [scaled(contender) for contender in three]
plain = replace(settings, batch_norm=False)
conditions = {
    "first weights 3 times as large": (large, settings),
    "$M$ fitted every 4th step": (only, replace(settings, fit_every=4)),
    "$M$ fitted every 16th step": (only, replace(settings, fit_every=16)),
    "learning rate 1": (three, replace(settings, lr=1.0)),
    "no batch norm, rate 0.003": (three, replace(plain, lr=0.003)),
    "the same, weights 3 times as large": (large, replace(plain, lr=0.003)),
    "no batch norm, rate 0.1": (three, plain),
    "the same, tanh for ReLU": (three, replace(plain, activation="tanh")),
}
deep_runs |= compare(three[2:], data, deep, epochs=5, repeats=2)
table = {"as in the first figure": runs, "6 hidden layers, 6 interfaces": deep_runs}
table |= {label: runs | compare(methods, data, chosen, epochs=5, repeats=2)
          for label, (methods, chosen) in conditions.items()}


def outcomes(run):
    """Accuracy after epoch 5 of two repeats; None for one that a DivergenceError stopped."""
    return [history[4].test_accuracy if len(history) > 4 else None for history in run.histories[:2]]


# %% jupyter={"source_hidden": true}
fig, axes = plt.subplots(figsize=(7.5, 4.2))
for row, results in enumerate(table.values()):
    for name, look in (("untaught", {"marker": "|", "color": "0.45", "s": 160, "linewidth": 2}),
                       ("backprop", {"marker": "o", "color": TRUE, "s": 45}),
                       ("cdni-ls", {"marker": "D", "color": SYNTHETIC, "s": 45})):
        reached = [100 * a for a in outcomes(results[name]) if a is not None]
        axes.scatter(reached, [row] * len(reached), zorder=3,
                     label=name if row == 0 else None, **look)
        if len(reached) < 2:
            epoch = min(len(history) for history in results[name].histories) + 1
            axes.scatter([2], [row], marker="x", color=look["color"], s=60, linewidth=2)
            axes.annotate(f"DivergenceError in epoch {epoch}", (5, row), va="center",
                          fontsize=10, color=look["color"])
axes.set(yticks=range(len(table)), yticklabels=table, xlim=(0, 100), ylim=(len(table) - 0.5, -0.5),
         xlabel="test accuracy after 5 epochs (%)",
         title="Two seeds each, every condition with its control")
fig.legend(loc="outside lower center", ncols=3)
plt.show()
reached = {label: {contender.name: outcomes(results[contender.name]) for contender in three}
           for label, results in table.items()}
print(f"{'after 5 epochs':35}" + "".join(f"{contender.name:>18}" for contender in three))
for label, results in reached.items():
    print(f"{label.replace('$', ''):34}", *("diverged" if a is None else f"{a:8.1%}"
                                            for both in results.values() for a in both))

# %% [markdown]
# Backprop learns under all ten. For synthetic gradients by linear $M$:
#
# - **With batch normalisation** a bad first scale and a deep stack cost little, and fitting $M$ on
#   every fourth step costs a few points. Fitting on every 16th fails *silently*: no number
#   explodes, training runs to its end, and the net is far below the control that never taught its
#   lower modules. (Local error bears every 8th: its head learns on every minibatch.) So compare
#   with the control, and with that of the same condition. A learning rate of 1, which
#   backprop bears, breaks it.
# - **Without**, it takes a rate of 0.003 and a good first scale. Then it stays behind backprop, but
#   above its own control: there the top module alone gets no further than 45%.
# - **Tanh never raises an error.** Its outputs cannot pass 1, so nothing explodes. The net ends at
#   10% all the same, which is guessing. The loop is the one above: $\hat\delta$ grows with $h$, and
#   each update pushes $h$ on. But here $h$ runs into the ends of tanh. In the upper layers nearly
#   every unit now puts out $+1$ or $-1$, *the same for every image*, so that the top module has
#   nothing to tell digits apart by; and since tanh is flat there, even a true gradient would hardly
#   get through to mend it. Backprop's $\delta$ fades as the net gets right, a linear guess does not
#   know when to stop.

# %% tags=["guard"] jupyter={"source_hidden": true}
# Checks what the text says.
low = {label: min(a or 0 for a in r["cdni-ls"]) for label, r in reached.items()}
high = {label: max(a or 0 for a in r["cdni-ls"]) for label, r in reached.items()}
ended = {label: all(a is not None for a in r["cdni-ls"]) for label, r in reached.items()}
base = low["as in the first figure"]
stated("Backprop learns under all ten", len(reached) == 10
       and min(a or 0 for r in reached.values() for a in r["backprop"]) > 0.78)
stated("a bad first scale and a deep stack cost little",
       min(low["first weights 3 times as large"], low["6 hidden layers, 6 interfaces"])
       > base - 0.05)
stated("fitting $M$ on every fourth step costs a few points",
       base - 0.06 < low["$M$ fitted every 4th step"]
       and high["$M$ fitted every 4th step"] < base)
stated("Fitting on every 16th fails *silently*", ended["$M$ fitted every 16th step"]
       and high["$M$ fitted every 16th step"]
       < min(reached["$M$ fitted every 16th step"]["untaught"]) - 0.1)
stated("A learning rate of 1, which backprop bears, breaks it", not ended["learning rate 1"])
gentle = reached["no batch norm, rate 0.003"]
stated("Then it stays behind backprop, but above its own control",
       low["no batch norm, rate 0.003"] > max(gentle["untaught"]) + 0.05
       and high["no batch norm, rate 0.003"] < max(gentle["backprop"]))
quoted("45%", max(gentle["untaught"]), within=0.1)
stated("it takes a rate of 0.003 and a good first scale",
       not ended["the same, weights 3 times as large"] and not ended["no batch norm, rate 0.1"])
quoted("0.003", conditions["no batch norm, rate 0.003"][1].lr, within=0)
quoted("10%", high["the same, tanh for ReLU"], within=0.02)
stated("Tanh never raises an error", ended["the same, tanh for ReLU"])
stuck, images = [], data.x_test[:500] / np.float32(255)
for learner in table["the same, tanh for ReLU"]["cdni-ls"].learners:
    h = images
    for module in learner.schedule.network.modules[:3]:
        h = module.forward(h, training=False)
    stuck.append((np.mean(abs(h) > 0.99), h.std(axis=0).mean()))
stated("nearly every unit now puts out $+1$ or $-1$, *the same for every image*",
       all(share > 0.9 and varies < 0.02 for share, varies in stuck))

# %% [markdown]
# ## What to look at first
#
# When a decoupled net does not learn, its loss says little. Look at these, in this order. The
# first three are in every record of `trainer.history`, as `sg_relative_error`, `sg_target_error`
# and `sg_cosine`, with one number for each interface.
#
# 1. **Error against the truth at the top interface.** It should be clearly below 1. If not, nothing
#    below can be right: mend this fit first.
# 2. **Error against the target, where the first kind is 1 or more.** If it is 1 or more as well,
#    $M$ does not follow: fit it more often, by least squares, with labels, or make the learning
#    rate smaller. If it is small, the model is fine and its target is not: go up one interface.
# 3. **Both, on the way down.** Target good, truth ever worse: errors add up. Use fewer interfaces.
# 4. **Cosine.** At 0 or below, the module is driven at random or uphill.
# 5. **The rms of each $h_i$ over minibatches**, as `Watch` takes it. If it climbs, scale feeds on
#    itself: batch normalisation, a smaller learning rate.
# 6. **Accuracy against `untaught`.** Below it, the gradients do harm.
#
# ## What to try next
#
# - Put the interface of the one-interface net after layer 1 or 3 instead of 2. Where does it cost
#   least, and does $M$'s error tell?
# - Give `cdni` a larger `sg_lr` (the rate of $M$'s Adam). Does it reach `cdni-ls`?
# - Write a model of your own, as `Untaught` shows, that clips $\hat\delta$ to the size of its
#   recent targets. Does it save the net without batch normalisation?
# - Set `update_probability` of `Decoupled` to one half. How does accuracy go with updates, with
#   epochs?
# - Do the [exercises](exercises/04_decoupled_training.ipynb): a step for two modules, who learns
#   on a stochastic one, own error and error from above, and finding the first failure.
# - Next lesson: [speed and accuracy](05_speed_and_accuracy.ipynb).
#
# ## Sources
#
# - M. Jaderberg et al., *Decoupled Neural Interfaces using Synthetic Gradients*, 2016,
#   [arXiv:1608.05343](https://arxiv.org/abs/1608.05343): the method, conditioning on labels,
#   bootstrapped targets.
# - A. Nokland and L. H. Eidnes, *Training Neural Networks with Local Error Signals*, 2019,
#   [arXiv:1901.06656](https://arxiv.org/abs/1901.06656): local losses.
# - W. M. Czarnecki et al., *Understanding Synthetic Gradients and Decoupled Neural Interfaces*,
#   2017, [arXiv:1703.00522](https://arxiv.org/abs/1703.00522).
# - The images: MNIST, by Yann LeCun and Corinna Cortes, CC BY-SA 3.0.
