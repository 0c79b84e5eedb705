# %% [markdown]
# # 7. Synthetic gradients in time
#
# - **You will do**: cut a stream into windows and see which gradient is lost; put an interface at
#   the window's end; check it against a closed form; teach an LSTM to remember for longer than its
#   window; make a run that fools its own instruments; let a fast network learn from a slow one
#   without waiting.
# - **You will learn**: what truncated backpropagation cannot learn and why; what stands for the
#   future at the end of a window; how far ahead a bootstrapped model looks; what context and
#   $\gamma$ do; what it costs beside a longer window; where it did not help.
# - **You need**: lesson 3, a linear model of a gradient and bootstrapped targets, and lesson 4, the
#   four moves of a step. What an LSTM is; it is used here, not taught.
# - **Time**: 35 minutes to read, under 60 s to run.
# - **Exercises**: [07_synthetic_gradients_in_time](exercises/07_synthetic_gradients_in_time.ipynb),
#   about 45 minutes.
# - **Words**: [glossary](glossary.md).

# %% jupyter={"source_hidden": true}
import inspect
import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from sgdni import (
    RNN,
    SGD,
    Dense,
    Interface,
    LeastSquaresFit,
    LinearSG,
    MeanSquaredError,
    Module,
    Network,
    SyntheticGradient,
    load,
)
from sgdni.data.recall import DelayedRecall
from sgdni.data.streams import Stream
from sgdni.data.tallies import Tallies
from sgdni.data.window import Window, told
from sgdni.experiments import copying, delayed_recall, in_time, two_clocks
from sgdni.networks.recurrent import build_lstm
from sgdni.plotting.colours import BLUE, GREEN, ORANGE, SYNTHETIC, TRUE
from sgdni.schedules import Truncated
from sgdni_course import quoted, stated, style

style()
plt.rcParams["figure.dpi"] = 84  # five figures in a small file

# %%
SEED = 0
DELAY, T, STREAMS, CELLS = 12, 3, 32, 24
RECORDS = Path("../benchmarks/records")

# %% [markdown]
# ## What a window cannot see
#
# A recurrent network reads a stream, tick after tick. Its **state** $h_t$ is all that it knows of
# the past. Backpropagation through time (BPTT) runs the whole stream forward, keeps every
# activation, and goes all the way back. For a stream without end the usual way out is **truncated**
# backpropagation through time (TBPTT): cut it into windows of $T$ ticks. The state goes on from
# window to window. The gradient does not: it stops where the window began.
#
# What does that lose? Here is a task made to show it, *delayed recall*. Tick 0 shows one of four
# symbols. Distractors follow, drawn from the same four symbols. At tick $D = 12$ comes a cue, and
# the network is to say what it saw at tick 0. (It can tell that symbol from the others by the state
# that meets it: 0 at the beginning of an episode.) Windows have $T = 3$ ticks. Thirty-two streams
# run side by side, each at a place of its own, so an episode may begin anywhere in a window.


# %%
def ticks_first(episodes):
    """Return inputs (L, E, n), labels (L, E) and contexts (E, m) of E episodes."""
    return (np.ascontiguousarray(episodes.inputs.swapaxes(0, 1)),
            np.ascontiguousarray(episodes.labels.T), episodes.context[:, 0])


def from_tick(network, x, y, begin):
    """Run to the end, and backpropagate to tick `begin`. Return the state there, and the gradients
    of the inputs, of the outputs and of that state."""
    core, read_out = (m.layers[0] for m in network.modules)
    state = np.zeros((x.shape[1], core.n_state), x.dtype)
    if begin:
        state = core.forward((x[:begin], state))[1].copy()
    outputs, _ = core.forward((x[begin:], state))
    _, delta = network.loss(read_out.forward(outputs), y[begin:])
    d_outputs = read_out.backward(delta)
    d_x, d_state = core.backward((d_outputs, np.zeros_like(state)))
    return state, d_x.copy(), d_outputs.copy(), d_state.copy()


def rms(values, axis=None):
    return np.sqrt(np.mean(values**2, axis=axis))


x, y, _ = ticks_first(DelayedRecall(DELAY).draw(400, np.random.default_rng(SEED)))
network = build_lstm(5, CELLS, 4, np.random.default_rng(SEED), lr=3e-3, forget_bias=2.0)
whole = rms(from_tick(network, x, y, 0)[1], axis=(1, 2))
cut = rms(from_tick(network, x, y, 11)[1], axis=(1, 2))


# %% jupyter={"source_hidden": true}
def sketch(axes, interface):
    """Draw an episode, its windows, and where gradients flow (right to left)."""
    ends = np.arange(1.5, DELAY, T)
    symbols = np.random.default_rng(3).integers(4, size=DELAY)
    for t in range(DELAY + 1):
        text, face = ("?", "0.85") if t == DELAY else ("abcd"[symbols[t]], "white")
        axes.text(t, 0, text, ha="center", va="center", fontsize=11,
                  color=BLUE if t == 0 else "0.2", weight="bold" if t in (0, DELAY) else None,
                  bbox={"boxstyle": "square,pad=0.35", "facecolor": face,
                        "edgecolor": BLUE if t == 0 else "0.6"})

    def arrow(start, end, y, **look):
        axes.annotate("", (end, y), (start, y), arrowprops={"arrowstyle": "->", "lw": 2} | look)

    arrow(DELAY, ends[-1] + 0.1, 0.75, color=TRUE)
    axes.text(DELAY, 1.05, "answer", ha="center", fontsize=9)
    for end in ends:
        axes.plot([end, end], [-0.6, 1.2], color="0.6", linestyle=":", linewidth=1.2)
        if interface:
            axes.plot(end, 0.75, "D", color=SYNTHETIC, markersize=8)
            axes.text(end, 1.2, "$M$", color=SYNTHETIC, ha="center", fontsize=11)
            arrow(end - 0.2, max(end - T + 0.2, -0.6), 0.75, color=SYNTHETIC, linestyle="--")
    if not interface:
        axes.text(ends[-1] - 0.15, 0.75, "stops here", ha="right", va="center", fontsize=9)
    axes.set(xlim=(-0.8, DELAY + 0.8), ylim=(-0.7, 1.6), yticks=[])
    axes.grid(False)
    axes.spines["left"].set_visible(False)


fig, (top, bottom) = plt.subplots(2, 1, figsize=(7.5, 4.2), sharex=True, height_ratios=(1, 1.4))
sketch(top, interface=False)
top.set_title("One episode, windows of three ticks (dotted): the gradient of the answer")
bottom.plot(range(DELAY + 1), whole, "o-", color=TRUE, label="through all time")
bottom.plot(range(DELAY + 1), [0] * 11 + list(cut), "s", color=ORANGE, markersize=10,
            fillstyle="none", markeredgewidth=2, label="through the window alone")
bottom.set(xlabel="tick", xticks=range(DELAY + 1), ylabel="rms gradient of the input")
bottom.legend(loc="upper left")
plt.show()

# %% [markdown]
# The lower panel has the gradient itself, of an LSTM that has learned nothing yet. Inside the last
# window both are the same. Before it, the truncated one is *zero*, though the true one is nearly as
# large at tick 0 as at tick 11. No gradient ever says that taking in the symbol of tick 0 was worth
# it.

# %% tags=["guard"] jupyter={"source_hidden": true}
# Checks what the text says.
stated("Inside the last window both are the same", np.allclose(whole[11:], cut, rtol=1e-3))
stated("the true one is nearly as large at tick 0 as at tick 11", 0.5 < whole[0] / whole[11] < 1.5)

# %% [markdown]
# ## An interface in time
#
# Lesson 4 cut a network between layers: a module is followed by a model $M$ that guesses the
# gradient at its output, and the module above sends a target down. In time the picture is the same.
# **A window is a module**, one that shares its weights with all other windows. The interface stands
# at the state after the window. $M$ guesses the gradient of *all later losses* with respect to that
# state, $\hat\delta = M(h, c)$. The next window plays the module above.

# %% jupyter={"source_hidden": true}
fig, axes = plt.subplots(figsize=(7.5, 1.7))
sketch(axes, interface=True)
axes.set(title="With an interface at the end of each window", xlabel="tick",
         xticks=range(DELAY + 1))
plt.show()

# %% [markdown]
# Here is the source that trains all the recurrent networks of this lesson, made of the same four
# moves. Without an interface it is TBPTT.

# %%
print(inspect.getsource(Truncated.step))
print(inspect.getsource(Truncated._teach))

# %% [markdown]
# - `forward(0, ...)`: the recurrent module, number 0, runs through the window from the state that
#   the last window left (`carried`). It returns outputs at every tick, and the state at the end.
# - The modules above read the outputs and learn from the true loss. Their `learn` returns the
#   gradient of the outputs, `delta`.
# - `later` is $\gamma\hat\delta$, the gradient of the final state: what all later windows will say,
#   as $M$ guesses. $\gamma \le 1$ is a **discount**. It acts once for each window's end that a
#   gradient crosses: a loss $k$ windows on counts $\gamma^k$ for what this window learns.
# - `later[x.ends] = 0`: where an episode ends with this window, nothing comes after.
# - `learn(0, (delta, later), ...)` goes back through the window with both gradients. What arrives
#   at the state *before* the window comes **for nothing**; TBPTT throws it away. It contains this
#   window's losses, which are true, and $\gamma \hat\delta$ from the window's end, which is a
#   guess. A bootstrapped target.
# - `target=False`: nobody below asks for the gradient of the inputs. (`c` is empty without an
#   interface.)
# - `_teach` fits $M$ at the state before the window, with the context of back then, to that target.
#   Only in streams whose episode went on (`_goes_on`): the others were never asked.
# - `x.starts` says where an episode begins, which may be amid a window: there the state is set to
#   zero, and no gradient crosses. So three things end with an episode: state, guess and fit.
#
# In lesson 4 the target came later in the same minibatch; here it comes one window later. With
# $J_{ij} = \partial h'_i / \partial h_j$ from the state $h$ before the window to $h'$ after it, and
# $m = 0$ where an episode ended between them, else 1,
#
# $$\text{target} = \underbrace{\partial L_\text{window} / \partial h}_{\text{true}}
# + \;\gamma\, m\, M(h', c')\, J .$$
#
# ## An oracle
#
# Does that find the gradient of all later losses? There is a case where we know the answer. Let
# the network be linear and its loss quadratic, with the same aim $d$ at every tick:
#
# $$h_t = h_{t-1} A + b, \qquad L_t = \tfrac12 \| h_t C - d \|^2 .$$
#
# Suppose the gradient of all losses after a tick is $\delta = h P + q$. The next state $h' = hA +
# b$ has a loss of its own, whose gradient is $(h' C - d) C^\top$, and later ones, $h' P + q$. Taken
# back through $A$, both together must be $\delta$ again. Compare the terms with $h$ and those
# without:
#
# $$P = A (C C^\top + P) A^\top, \qquad q = \bigl( (bC - d) C^\top + b P + q \bigr) A^\top .$$
#
# Start from $P = 0, q = 0$ and apply this once: the gradient of the next loss alone. Apply it $n$
# times: that of the next $n$ losses. It converges when $A$ forgets, and a **linear $M$ can be
# exact**.

# %%
rng = np.random.default_rng(SEED)
N, OUT = 3, 2
A = 0.9 * np.linalg.qr(rng.standard_normal((N, N)))[0]  # turns the state, and forgets a tenth
b, C, d = rng.standard_normal(N), rng.standard_normal((N, OUT)), rng.standard_normal(OUT)
core, read_out = RNN(1, N, rng, activation="identity", dtype=float), Dense(N, OUT, rng, dtype=float)
core.params["A"][...], core.params["b"][...], read_out.params["W"][...] = A, b, C


class Still(SGD):
    """Leaves the weights as they are."""

    def step(self, grads, scale=1.0):
        pass


linear = Network([Module([layer], Still(1.0), batch_axis=1) for layer in (core, read_out)],
                 MeanSquaredError())  # the mean over two outputs: half the sum


def oracle(horizon):
    """Return P and q for the losses of the next so many ticks."""
    P, q = np.zeros((N, N)), np.zeros(N)
    for _ in range(horizon):
        P, q = A @ (C @ C.T + P) @ A.T, ((b @ C - d) @ C.T + b @ P + q) @ A.T
    return P, q


class Fixed(SyntheticGradient):
    """Says h P + q, and keeps what it is asked to learn."""

    def __init__(self, P, q):
        self.P, self.q, self.states, self.targets = P, q, [], []

    def predict(self, h, c):
        return h @ self.P + self.q

    def fit(self, h, c, target):
        self.states.append(h.copy())
        self.targets.append(target.copy())


def run(windows, ticks, state, model=None):
    """Run through so many windows of 6 streams; return the gradient of A, summed over them."""
    linear.interfaces = [Interface(model)] if model else []
    schedule, total = Truncated(linear, state), np.zeros((N, N))
    x = Window(np.zeros((ticks, 6, 1)), np.zeros((ticks, 6), bool), np.zeros(6, bool))
    for _ in range(windows):
        schedule.step(x, np.tile(d, (ticks, 6, 1)))
        total += linear.modules[0].grads["0.A"]
    return total


exact, one = Fixed(*oracle(1000)), np.ones((6, N))
# All later losses: those of 24 ticks, and by the exact model those from there to the end of time.
all_time = run(1, 24, one, exact)
off_cut, off_exact = (abs(run(8, 3, one, model) - all_time).max() / abs(all_time).max()
                      for model in (None, exact))
print(f"eight windows of three ticks against one of 24, gradient of A: "
      f"truncated {off_cut:.0%} off, with the exact model {off_exact:.0e}")

# %% [markdown]
# Truncation is far off. With the exact model, eight short windows give the gradient of one long
# one, up to rounding. So **the interface loses nothing; only $M$'s error does.** Nobody hands us
# the exact $M$. Start from $M = 0$ and sweep: run the windows with the $M$ of the last sweep, and
# fit a new one by least squares to the targets that come out.

# %% tags=["guard"] jupyter={"source_hidden": true}
# Checks what the text says.
stated("Truncation is far off", off_cut > 0.15)
stated("eight short windows give the gradient of one long one, up to rounding", off_exact < 1e-12)


# %%
def sweeps(ticks, count):
    """Return W = [P; q] of the model after each sweep over windows of so many ticks."""
    found = [np.zeros((N + 1, N))]
    for _ in range(count):
        model = Fixed(found[-1][:-1], found[-1][-1])
        run(4, ticks, 10 * rng.standard_normal((6, N)), model)
        h = np.vstack(model.states)
        found.append(np.linalg.lstsq(np.column_stack([h, np.ones(len(h))]),
                                     np.vstack(model.targets), rcond=None)[0])
    return found[1:]


COUNT = 12
swept = {ticks: sweeps(ticks, COUNT) for ticks in (1, 3, 6)}

# %% jupyter={"source_hidden": true}
infinite = np.vstack(oracle(1000))
off = {ticks: [np.linalg.norm(W - infinite) / np.linalg.norm(infinite) for W in found]
       for ticks, found in swept.items()}
known = {n: np.linalg.norm(np.vstack(oracle(n)) - infinite) / np.linalg.norm(infinite)
         for n in range(6 * COUNT + 1)}
apart = max(np.linalg.norm(W - np.vstack(oracle(ticks * j))) / np.linalg.norm(infinite)
            for ticks, found in swept.items() for j, W in enumerate(found, start=1))
fig, axes = plt.subplots(figsize=(7.5, 3.4))
for ticks, colour, marker in ((1, BLUE, "s"), (3, GREEN, "^"), (6, ORANGE, "o")):
    axes.semilogy(range(COUNT + 1), [known[ticks * j] for j in range(COUNT + 1)], color="0.6",
                  linewidth=1.2, label="closed form, $jT$ ticks ahead" if ticks == 1 else None)
    axes.semilogy(range(1, COUNT + 1), off[ticks], marker, color=colour,
                  label=f"after $j$ sweeps, $T = {ticks}$")
axes.set(xlabel="sweeps $j$", ylabel="distance from the gradient\nof all later losses",
         title="Each sweep looks one window further ahead")
axes.legend(loc="lower left")
plt.show()
print(f"the marks are at most {apart:.0e} from the closed forms")

# %% [markdown]
# The marks lie on the lines. The first sweep has only the losses of one window to learn from. Its
# model, used in the second sweep, brings in the next window's, and so on: **after $j$ sweeps $M$
# looks $jT$ ticks ahead**. So knowledge of the answer at tick 12 comes back to tick 0, one window
# per sweep. In training there are no separate sweeps; $M$ is fitted a little at every window and
# the same happens by degrees, while the network moves under it.
#
# With $T = 1$ the same horizon takes six times as many sweeps as with $T = 6$. And each sweep
# passes through $M$: where $M$ is not exact, its error goes back with the rest, as errors added up
# downwards in lesson 4.

# %% tags=["guard"] jupyter={"source_hidden": true}
# Checks what the text says.
stated("The marks lie on the lines", apart < 1e-6)
stated("after $j$ sweeps $M$ looks $jT$ ticks ahead", all(
    np.allclose(found[j - 1], np.vstack(oracle(ticks * j)), rtol=1e-5, atol=1e-6)
    for ticks, found in swept.items() for j in (1, 5, COUNT)))
stated("With $T = 1$ the same horizon takes six times as many sweeps as with $T = 6$",
       np.isclose(off[1][11], off[6][1], rtol=1e-3))

# %% [markdown]
# ## Remember for longer than the window
#
# Back to delayed recall: an LSTM with 24 cells, Adam for the network, and a linear $M$ of the state
# (the outputs and the cells, 48 numbers), fitted by least squares that forgets. $\gamma$ is `0.3`.
# Four contenders, from the same first weights, one run each:
#
# - **truncated**: no interface;
# - **untaught**: the recurrent weights stay as they were drawn, and only the read-out learns. The
#   control, as in lesson 4;
# - **synthetic, label**: while training, $M$ is told the answer that will be asked for, as context
#   $c$;
# - **synthetic, state only**: $M$ sees the state and nothing else.
#
# The context goes into $M$ alone. The network never sees it, and once trained it needs neither $M$
# nor label.


# %%
def learner(delay, gamma=None, *, label=True, lr=3e-3, forget_bias=2.0):
    """Return a schedule, truncated where gamma is None, and its stream."""
    rng, task = np.random.default_rng(SEED), DelayedRecall(delay, with_label=label)
    settings = {"cells": CELLS, "streams": STREAMS, "forget_bias": forget_bias, "gamma": gamma,
                "forgetting": 0.99, "solve_every": 8}
    schedule = in_time.build(task, settings, lr, rng, synthetic=gamma is not None)
    return schedule, Stream(task, STREAMS, T, rng)


def right(schedule, stream, windows):
    """Train; return the share of right answers in every 100 windows, given before it learned."""
    return [answers.right for answers in in_time.looks(schedule, stream, windows, 100)]


def against_truth(network, delay, label=True):
    """Compare M's guesses with the true gradient on new episodes: the cosine at each tick, the
    error, and the size of guesses over that of the loss's own gradient at the outputs."""
    x, y, c = ticks_first(DelayedRecall(delay).draw(200, np.random.default_rng(9)))
    found = [from_tick(network, x, y, t + 1) for t in range(delay)]  # after each tick
    model = network.interfaces[0].model
    guesses = np.array([LinearSG.predict(model, state, c if label else None).copy()
                        for state, *_ in found], float)
    true = np.array([d_state for *_, d_state in found], float)
    cosines = np.mean(true * guesses, axis=(1, 2)) / rms(true, (1, 2)) / rms(guesses, (1, 2))
    return (cosines, np.sum((guesses - true) ** 2) / np.sum(true**2),
            rms(guesses) / rms(found[0][2][-1]))


WINDOWS, EARLY = 1500, 300
curves, cosines = {}, {}
for name, options in {"truncated": {}, "untaught": {}, "synthetic, label": {"gamma": 0.3},
                      "synthetic, state only": {"gamma": 0.3, "label": False}}.items():
    schedule, stream = learner(DELAY, **options)
    if name == "untaught":
        schedule.network.modules[0].optimizer.lr = 0.0
    curves[name] = right(schedule, stream, EARLY)
    if options:
        cosines[name] = against_truth(schedule.network, DELAY, options.get("label", True))[0]
    curves[name] += right(schedule, stream, WINDOWS - EARLY)

# %% jupyter={"source_hidden": true}
looks = {"truncated": {"color": TRUE, "marker": "o"},
         "untaught": {"color": "0.45", "marker": "x", "linestyle": ":"},
         "synthetic, label": {"color": SYNTHETIC, "marker": "D", "linestyle": "--"},
         "synthetic, state only": {"color": ORANGE, "marker": "^", "linestyle": "-."}}
fig, (left, middle) = plt.subplots(1, 2, figsize=(7.5, 3.9), width_ratios=(5, 3.4))
for name, look in looks.items():
    left.plot(range(100, WINDOWS + 1, 100), curves[name], label=name, markersize=5, **look)
    if name in cosines:
        middle.plot(range(DELAY), cosines[name], markersize=5, **look)
left.axhline(0.25, color="0.6", linewidth=1)
left.annotate("guessing", (1100, 0.265), fontsize=9, color="0.3")
left.set(xlabel="windows", ylabel="share of right answers", ylim=(0.15, 1.03),
         title=f"Delay {DELAY}, windows of {T}")
middle.set(xlabel="tick of the state", xticks=range(0, 12, 3), ylim=(-0.3, 1),
           ylabel="cosine to the true gradient", title=f"$M$ after {EARLY} windows")
middle.axhline(0, color="0.6", linewidth=1)
fig.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=9)
plt.show()
end = {name: float(np.mean(curve[-3:])) for name, curve in curves.items()}
print("share right, last 300 windows:",
      ", ".join(f"{name} {share:.0%}" for name, share in end.items()))

# %% [markdown]
# With the label the LSTM learns to remember, and answers nearly everything right. The symbol lies
# four windows back, and the gradient came to it through four guesses.
#
# The truncated network is at about 60%, far above guessing. Has it learned to remember? Look at the
# control: with random recurrent weights the read-out alone gets to about half. A random LSTM keeps
# a fading trace of its inputs, and the read-out finds it. Truncated training makes the trace
# somewhat clearer, no more in this time: all ticks share their weights, so what the last window
# teaches about holding on serves the earlier ones too. With more time truncation gets there in this
# task, for the state is zero at tick 0 and marks the first symbol. The experiment `delayed-recall`
# hides it among the first five. There, over 17 ticks and more, the synthetic gradient was right in
# 95% of the answers (over 200 windows) after 1,800 to 2,800 windows, in all three seeds; truncation
# in none within 20,000 ([picture](../benchmarks/records/delayed-recall/delayed-recall.png)).
#
# On the right, $M$ early in training. With the label its guesses point the right way near the
# answer, and the further back, the less so: each window adds an error. But with the label cosines
# are above zero everywhere, and a short step needs no more (lesson 3).
#
# Why does the label matter? The gradient of the state says *towards which answer* the state should
# move. From the state alone $M$ can see which symbol the network seems to remember. It cannot see
# when this is wrong, which is what the gradient is about, as in lesson 3 at the top of a
# classifier. Still, state only gets further than truncation here: that a memory is worth keeping
# can be said without knowing of what. But slowly and unsteadily. (Is it cheating to tell $M$ the
# answer before it is asked for? The network learns from the label in any case, a few windows
# later.)

# %% tags=["guard"] jupyter={"source_hidden": true}
# Checks what the text says.
stated("answers nearly everything right", end["synthetic, label"] > 0.97)
quoted("60%", end["truncated"], within=0.09)
recall = json.loads((RECORDS / "delayed-recall/results.json").read_text())
stated("after 1,800 to 2,800 windows, in all three seeds; truncation in none within 20,000",
       (recall["findings"]["tbptt_solved"], recall["findings"]["sg_solved"]) == (0, 3)
       and (recall["settings"]["delay"], recall["settings"]["lead"]) == (17, 4)
       and recall["settings"]["windows"] == 20000
       and min(recall["findings"]["sg_windows"]) == 1800
       and max(recall["findings"]["sg_windows"]) == 2800)
quoted("95%", delayed_recall.ENOUGH, within=0)
stated("the read-out alone gets to about half", 0.4 < end["untaught"] < 0.57)
stated("Truncated training makes the trace somewhat clearer, no more in this time",
       end["untaught"] + 0.03 < end["truncated"] < 0.75)
stated("But with the label cosines are above zero everywhere",
       min(cosines["synthetic, label"]) > 0)
stated("the further back, the less so",
       np.mean(cosines["synthetic, label"][-4:]) > np.mean(cosines["synthetic, label"][:4]) + 0.03)
stated("state only gets further than truncation here",
       end["synthetic, state only"] > end["truncated"] + 0.03)
stated("But slowly and unsteadily", end["synthetic, state only"] < end["synthetic, label"] - 0.05)

# %% [markdown]
# ### What it costs
#
# There is another way to reach far back, 24 ticks, say: windows of 25. From a record of this
# project:

# %% jupyter={"source_hidden": true}
cost = {(row["window"], "synthetic" in row["contender"]): row for row in json.loads(
    (RECORDS / "window_cost.json").read_text())["rows"]}
print("relative to truncation, T = 3:   an update     a tick     memory kept")
for (window_ticks, synthetic), row in cost.items():
    if synthetic or window_ticks in (3, 12, 25):
        print(f"  {'synthetic' if synthetic else 'truncated'}, T = {window_ticks:<3}"
              f"{row['update_vs_short']:22.2f}{row['tick_vs_short']:12.2f}"
              f"{row['bytes'] / 1024:11.0f} KiB")

# %% [markdown]
# A longer window takes longer and keeps more, but it has more ticks, and a tick in it is cheaper:
# one product of larger matrices instead of several of small ones. So **on one machine a longer
# window is the cheaper way to reach far**, as long as its activations fit in memory, nobody needs
# an update sooner, and the horizon has an end. A synthetic gradient has none: it reaches as far as
# its own guesses do.

# %% tags=["guard"] jupyter={"source_hidden": true}
# Checks what the text says.
stated("A longer window takes longer and keeps more", all(
    cost[25, False][key] > cost[3, True][key] for key in ("update_vs_short", "bytes")))
stated("a tick in it is cheaper", cost[25, False]["tick_vs_short"] < 0.7)

# %% [markdown]
# ## A run that explains itself
#
# The target contains $M$'s own guess. Let a longer task show what can come of that: $D = 24$, a
# larger learning rate, a larger bias of the forget gates, and two values of $\gamma$. With $\gamma
# = 1$ the losses of all later windows count fully, which is what we want to know. So why not always
# take 1?


# %%
class Watched(LinearSG):
    """Takes notes: squared error against each target, and the target's own square."""

    notes = ()

    def fit(self, h, c, target):
        error = LinearSG.predict(self, h, c) - target
        self.notes += ((np.sum(error**2, dtype=float), np.sum(target**2, dtype=float)),)
        super().fit(h, c, target)


runs, options = {}, {"lr": 1e-2, "forget_bias": 3.0}
for gamma in (0.1, 1.0):
    schedule, stream = learner(24, gamma, **options)
    model = Watched(2 * CELLS, 4, LeastSquaresFit(0.99, 1e-2))
    schedule.network.interfaces = [Interface(model, told)]
    shares, judged = [], []
    for _ in range(6):
        shares += right(schedule, stream, 100)
        judged.append(against_truth(schedule.network, 24))
    cosine, truth, size = zip(*judged, strict=True)
    target = [np.divide(*np.sum(part, axis=0)) for part in np.array_split(model.notes, 6)]
    runs[gamma] = {"right": shares, "target": target, "truth": truth, "cosine": cosine,
                   "size": gamma * np.mean(size)}
schedule, stream = learner(24, **options)
schedule.network.modules[0].optimizer.lr = 0.0
untaught = right(schedule, stream, 600)

# %% jupyter={"source_hidden": true}
windows = np.arange(100, 601, 100)
fig, panels = plt.subplots(1, 3, figsize=(7.5, 3.4))
for gamma, look in ((0.1, {"color": GREEN, "marker": "s"}), (1.0, {"color": BLUE, "marker": "v"})):
    for axes, key in zip(panels, ("right", "target", "truth"), strict=True):
        axes.plot(windows, runs[gamma][key], label=rf"$\gamma = {gamma:g}$", markersize=5, **look)
panels[0].plot(windows, untaught, "x:", color="0.45", label="untaught")
panels[0].axhline(0.25, color="0.6", linewidth=1)
panels[0].annotate("chance", (110, 0.19), fontsize=9, color="0.3")
panels[0].set(title="share right", ylim=(0, 1))
panels[1].set(title="error against target", ylim=(0, 1.3), ylabel="relative squared error")
panels[2].set(title="error against truth", yscale="log")
for axes in panels:
    axes.set_xlabel("windows")
for axes in panels[1:]:  # what a guess of zero scores
    axes.axhline(1, color="0.6", linewidth=1)
fig.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
plt.show()
for gamma, run in runs.items():
    print(f"gamma {gamma:g}: error against target", *(f"{e:.2f}" for e in run["target"]),
          f"  rms of gamma M, over that of the loss's gradient: {run['size']:.3f}")

# %% [markdown]
# Look at the middle first. By the error against its own targets, the model with $\gamma = 1$ is the
# better one by far: at its best it explains nine tenths of them, the other one a tenth or so. Then
# left: the network is at chance. It is below the control whose cells were never taught. And right:
# against the truth its error is above ten thousand. (The other model scores near 1 as well, as a
# guess of zero does: with so small a $\gamma$ its guesses are much too short. But at every tick
# their cosine to the truth is above zero, and length matters little to Adam.)
#
# What happened? The target is a little true gradient and a lot of $\gamma M J$. When the guesses
# grow, the true part is soon lost among them, and $M$ is fitted to itself, one window on. **A model
# can explain its targets because it made them.** The network in turn takes full-size steps along
# these guesses, for Adam divides the length out. No error is raised.
#
# $\gamma$ below 1 stops the loop: what is passed on shrinks with every window. The price is that
# far losses count less: at `0.1`, one that lies eight windows on counts $10^{-8}$, though Adam
# hears even a weak voice where nothing else is said.
#
# How to read a run without the truth:
#
# 1. **Share right against the control** `untaught`. Below it, the gradients do harm.
# 2. **The size of guesses against the size of the loss's own gradient** at the outputs, which is
#    true and which every schedule has at hand. Guesses were more than half as large with $\gamma =
#    1$, and less than a hundredth with the other. A loss that comes once in 25 ticks can hardly
#    weigh half as much at each of them as where it stands.
# 3. **Error against target** says something only when 1 and 2 are in order. Near 1: $M$ does not
#    follow. Near 0 can mean that it is right, or that it follows itself.

# %% tags=["guard"] jupyter={"source_hidden": true}
# Checks what the text says.
stated("at its best it explains nine tenths of them", 0.05 < min(runs[1.0]["target"]) < 0.15)
stated("the other one a tenth or so", 0.03 < 1 - min(runs[0.1]["target"]) < 0.2)
stated("the network is at chance", np.mean(runs[1.0]["right"][-3:]) < 0.32)
stated("It is below the control whose cells were never taught",
       np.mean(runs[1.0]["right"][-3:]) < np.mean(untaught[-3:]) - 0.05)
stated("against the truth its error is above ten thousand", max(runs[1.0]["truth"]) > 1e4)
stated("The other model scores near 1 as well", 0.7 < min(runs[0.1]["truth"])
       and max(runs[0.1]["truth"]) < 1.1)
stated("their cosine to the truth is above zero", np.min(runs[0.1]["cosine"][-1]) > 0)
stated("more than half as large with $\\gamma = 1$, and less than a hundredth with the other",
       runs[1.0]["size"] > 0.5 and runs[0.1]["size"] < 0.01)

# %% [markdown]
# ## Two clocks
#
# The same idea between two networks. A fast network A reads a digit at every tick, five in a row,
# and says how many were odd. A slow network B runs at every fifth tick. It sees A's state and
# nothing else, and says how many were 3s. A has no reason of its own to remember 3s: only B's loss
# can teach it. And B's gradient exists only once B has run.
#
# By *joint backpropagation* A waits for B and learns once in a round, through all five ticks. Or it
# does not wait. Windows have one tick here. After each, $M$ guesses the gradient of all that is
# still to come, B's loss included, from A's state and a context: both labels, in training only, and
# the number of the tick. Only the guess at the last tick is fitted to what B sends down. The others
# are bootstrapped, tick by tick. (A reader of single digits, trained before, has turned each image
# into 64 numbers.)

# %%
data = load("mnist-5k")
trained, others = two_clocks.read(data, 256, 5, SEED)
episodes = Tallies(trained, data.y_train, p_three=0.35)
test = Tallies(others, data.y_test, p_three=0.35).draw(1000, np.random.default_rng(SEED))
plan, final = {"look_every": 500, "streams": 128, "steps": 500}, {}
for name in ("joint", "ls-label", "none"):
    clocks = two_clocks.build(name, 16, 6e-3, SEED)
    final[name] = two_clocks.train(clocks, episodes, [test], plan, SEED)[0, -1, 1]
print("B's test accuracy: A waits {joint:.0%}, learns from synthetic gradients {ls-label:.0%}, "
      "hears nothing of B {none:.0%}".format(**final))

# %% [markdown]
# B gets nearly as far when A learns from guesses as when A waits: about 86% with joint
# backpropagation here, and with synthetic gradients within a few points of it. When A hears nothing
# of B, B has to make do with what A happens to keep. In a larger run, with a picture of who waits
# for whom ([record](../benchmarks/records/two-clocks/two-clocks.png)), an $M$ that knows the labels
# is unsteady; one that is told which digits were read so far gets B as far as waiting does.

# %% tags=["guard"] jupyter={"source_hidden": true}
# Checks what the text says.
quoted("86%", final["joint"], within=0.05)
stated("with synthetic gradients within a few points of it", final["ls-label"] > final["joint"]
       - 0.05)
stated("B has to make do with what A happens to keep", final["none"] < final["ls-label"] - 0.2)

# %% [markdown]
# ## More than one step ahead: BP($\lambda$)
#
# With windows of one tick a target has one true gradient in it and a guess for the rest. One can
# wait for a second, or a third, before guessing the rest: less is guessed, more is noise.
# BP($\lambda$) of Pemberton and Costa (2024) mixes all of these, the one that waits $k$ ticks with
# weight $\lambda^k$; $\lambda = 0$ is the bootstrapped target from above. (How nobody has to wait
# for it says [`traces.py`](../sgdni/synthetic/traces.py).) In our
# [record](../benchmarks/records/bp-lambda/bp-lambda.png), for the network of the oracle with noise,
# it matters little where memory is short. With a longer memory a large $\lambda$ halves the error.

# %% tags=["guard"] jupyter={"source_hidden": true}
# Checks what the text says.
traces = json.loads((RECORDS / "bp-lambda/results.json").read_text())["findings"]
small, large = (np.median(traces[f"rho_97_{name}"]) for name in ("lambda_0", "lambda_90"))
stated("With a longer memory a large $\\lambda$ halves the error", 0.4 < large / small < 0.65)

# %% [markdown]
# ## What the papers say, and what did not help
#
# Jaderberg et al. (2016) measure the longest sequence that an LSTM learns to copy, with a
# curriculum: sequences get longer whenever the network has mastered a length. (*Repeat copy* asks
# for the sequence several times over. In the *auxiliary task* the network is to predict, too, what
# $M$ will say one window on, so that its state holds what $M$ needs.) And they model text,
# character by character: the Penn Treebank. Their $M$ sees **the state only**.

# %% jupyter={"source_hidden": true}
print("longest sequence, Jaderberg et al. 2016      T = 2    3    4    5")
for repeat, task in ((False, "copy"), (True, "repeat copy")):
    for method, longest in copying.PAPER[repeat].items():
        print(f"  {task:12} {method:26}" + "".join(f"{n:9}" if t == 2 else f"{n:5}"
                                                    for t, n in longest.items()))
TREEBANK = {"BPTT": {2: 1.39, 3: 1.38, 4: 1.37, 5: 1.37, 8: 1.35, 20: 1.35, 40: 1.34},
            "DNI": {2: 1.37, 3: 1.36, 4: 1.35, 5: 1.35, 8: 1.34}}
print("\nPenn Treebank, bits a character          T =", *(f"{t:5}" for t in TREEBANK["BPTT"]))
for method, bits in TREEBANK.items():
    print(f"  {method:42}" + "".join(f"{value:6.2f}" for value in bits.values()))
records = {name: json.loads((RECORDS / name / "results.json").read_text())
           for name in ("copy", "repeat-copy", "characters")}
print(f"\nthis project, three seeds, T = 3 {'copy':>18}{'repeat copy':>16}")
for label, key in (("truncation", "tbptt"), ("M sees the state only", "sg"),
                   ("the same, with the auxiliary task", "sg_aux"),
                   ("M is told the symbols so far", "sg_context"),
                   ("M is told another episode's symbols", "sg_shuffled")):
    lengths = (records[name]["findings"][f"longest_{key}"] for name in ("copy", "repeat-copy"))
    print(f"  {label:37}", *(f"{' '.join(map(str, each)):>14}" for each in lengths))

# %% [markdown]
# By their table, DNI with windows of five ticks models text as well as backpropagation with windows
# of twenty. It copies sequences about twice as long as BPTT with the same windows, and says them
# again two to more than six times as long. The last lines are what this project found
# ([results](../docs/results.md)), in set-ups that differ from theirs in size, coding and training
# time, so they do not refute their table.
#
# On **copy**, with windows of 3, an $M$ that sees the state only brought nothing: it got to 6
# symbols, as truncation does, and so it did with the auxiliary task. One that is told, in training,
# the symbols already read got to 15 or more in every seed; told another episode's symbols, no
# further than truncation. So it is what the context says that helps, and that is more than the
# paper's models know. **Repeat copy** came out alike: 49 or more with the context in every seed,
# where truncation got to 25. And on a small **character model** three seeds do not tell synthetic
# gradients (1.99 to 2.00 bits) from truncation (1.98 to 2.06), both in windows of five, nor either
# from backpropagation through twenty ticks (1.97 to 2.03). What a character depends on lies mostly
# within a few ticks, and where nothing is lost, a guess can only add noise. **Synthetic gradients
# in time pay where the loss depends on what is far away, and where something in $M$'s input says
# how.**

# %% tags=["guard"] jupyter={"source_hidden": true}
# Checks what the text says.
stated("DNI with windows of five ticks models text as well as backpropagation with windows of "
       "twenty", TREEBANK["DNI"][5] == TREEBANK["BPTT"][20])
ratios = [copying.PAPER[repeat]["DNI"][t] / copying.PAPER[repeat]["BPTT"][t]
          for repeat in (False, True) for t in (2, 3, 4, 5)]
stated("copies sequences about twice as long", 1.7 < min(ratios[:4]) and max(ratios[:4]) < 2.4)
stated("two to more than six times as long", 2 < min(ratios[4:]) < 2.2 and max(ratios[4:]) > 6)
longest = records["copy"]["findings"]
stated("it got to 6 symbols, as truncation does, and so it did with the auxiliary task",
       longest["longest_sg"] == longest["longest_sg_aux"] == longest["longest_tbptt"] == [6, 6, 6])
stated("got to 15 or more in every seed", min(longest["longest_sg_context"]) == 15)
stated("told another episode's symbols, no further than truncation",
       max(longest["longest_sg_shuffled"]) <= 6)
again = records["repeat-copy"]["findings"]
stated("49 or more with the context in every seed", min(again["longest_sg_context"]) == 49)
stated("where truncation got to 25", again["longest_tbptt"] == [25, 25, 25]
       and max(again["longest_sg"]) <= 25)
bits = records["characters"]["findings"]
quoted("1.99", min(bits["bits_sg"]), within=0.005)
quoted("2.00", max(bits["bits_sg"]), within=0.005)
quoted("1.98", min(bits["bits_tbptt"]), within=0.005)
quoted("2.06", max(bits["bits_tbptt"]), within=0.005)
quoted("1.97", min(bits["bits_bptt"]), within=0.005)
quoted("2.03", max(bits["bits_bptt"]), within=0.005)

# %% [markdown]
# ## What to try next
#
# - Give the truncated network windows of $T = 6$, and of 13 (`T` is what `learner` reads). Where
#   does it begin to learn?
# - Take $\gamma$ of `0.1` and of `1.0` for the delay of 12. Which is quicker?
# - Tell $M$ another stream's label: put `Interface(model, lambda x, y: x.context[::-1].copy())`
#   into the network, with the `model` of its interface. What is left of the gain?
# - Do the [exercises](exercises/07_synthetic_gradients_in_time.ipynb).
# - Next lesson: [convolutions, and every lock undone](08_convolutions_and_every_lock.ipynb).
#
# ## Sources
#
# - M. Jaderberg et al., *Decoupled Neural Interfaces using Synthetic Gradients*, 2016,
#   [arXiv:1608.05343](https://arxiv.org/abs/1608.05343).
# - R. J. Williams and J. Peng, *An Efficient Gradient-Based Algorithm for On-Line Training of
#   Recurrent Network Trajectories*, Neural Computation 2, 1990: truncated backpropagation.
# - S. Hochreiter and J. Schmidhuber, *Long Short-Term Memory*, Neural Computation 9, 1997.
# - J. Pemberton and R. P. Costa, *BP(lambda): Online Learning via Synthetic Gradients*, TMLR 2024.
# - The code: [`truncated.py`](../sgdni/schedules/truncated.py),
#   [`two_clocks.py`](../sgdni/schedules/two_clocks.py), [`recall.py`](../sgdni/data/recall.py),
#   [`traces.py`](../sgdni/synthetic/traces.py).
# - The images: MNIST, by Yann LeCun and Corinna Cortes, CC BY-SA 3.0.
