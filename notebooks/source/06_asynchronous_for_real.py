# %% [markdown]
# # 6. Asynchronous for real
#
# - **You will do**: put two modules into two threads, record what each does when, and lay the
#   measured timeline beside the predicted one; slow the link between them down; make targets late
#   on purpose; break a worker.
# - **You will learn**: the update lock as a measured number; what a bounded queue does; how late
#   targets come and what that costs.
# - **You need**: lessons 2 and 4, the locks and decoupled training in one thread. And a Python with
#   threads, on a machine of your own or a server. A browser's Python (Pyodide) has neither threads
#   nor processes: read this lesson there with its stored outputs, and train with
#   `engine="sequential"`, the default, as the other lessons do.
# - **Time**: 30 minutes to read, under 60 s to run.
# - **Exercises**: [06_asynchronous_for_real](exercises/06_asynchronous_for_real.ipynb), about 45
#   minutes.
# - **Words**: [glossary](glossary.md).

# %% jupyter={"source_hidden": true}
import sys
import threading
from dataclasses import replace

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import FixedLocator, NullLocator

from sgdni import Layer, Settings, build_trainer, load
from sgdni._util.blas import blas_threads
from sgdni.plotting.colours import BLUE, GREEN, ORANGE, PINK, SYNTHETIC, TRUE
from sgdni.runs.methods import build_network
from sgdni.schedules import Recorder
from sgdni.timeline import SCHEDULES, Links, measure_costs, measure_link, step_seconds
from sgdni.timeline.gantt import draw
from sgdni.training.batches import minibatches
from sgdni.training.evaluation import evaluate
from sgdni_course import quoted, stated, style

style()
if sys.platform == "emscripten":
    print("This Python runs in a browser and has no threads: the cells below stop with an error. "
          'What needs no workers runs: engine="sequential".')

# %%
SEED = 0
rng = np.random.default_rng(SEED)
data = load("mnist-5k")
# Two modules: 784-256-256 below the interface, 256-256-256-10 above it.
settings = Settings(hidden=(256, 256, 256, 256), cuts=(2,), lr=0.05, seed=SEED)
STEPS = len(data.x_train) // settings.batch_size  # minibatches in an epoch
STEPS

# %% [markdown]
# ## Two modules, two workers
#
# So far the modules took turns in one thread. Now each gets a **worker** of its own, here a
# thread, and the workers talk through two queues. Up goes $h_1$ with the labels; down comes what
# the module below needs to learn. There are two ways to train over the same queues:
#
# - **Model-parallel backprop** (`ModelParallel`). The bottom worker sends $h_1$ and *waits*. The
#   top one runs forward, backward and sends $\delta_1$. Then the bottom one runs backward. The
#   weights are those of ordinary backprop.
# - **Decoupled** (`Asynchronous`). The bottom worker sends $h_1$, predicts $\hat\delta_1 =
#   M_1(h_1, c)$, updates at once and takes the next minibatch. The top worker sends a
#   target and no more: the bottom one has kept the $h_1$ and $c$ that it belongs to, and fits $M_1$
#   whenever a target arrives.
#
# A `Recorder` notes who did what from when to when. It is all that the measurements below use.


# %%
def record(method, **changes):
    """Train for an epoch in two threads; return the recorder."""
    trainer = build_trainer(method, replace(settings, engine="threads", **changes), data)
    recorder = trainer.schedule.recorder = Recorder(trainer.schedule.network.modules)
    trainer.epoch()
    return recorder


locked, decoupled = record("backprop"), record("cdni-ls", queue_size=8)

# %% [markdown]
# ## Measured, and predicted
#
# Lesson 2 drew such a timeline from costs that we made up. Now we measure the costs: each
# operation of each module, timed while both workers are busy (for backprop, while the other one
# waits), and messages between two threads. `SCHEDULES` plays the two ways of training through
# with these numbers.


# %%
def forever():
    while True:
        yield from minibatches(data.x_train, data.y_train, settings.batch_size, rng)


spare = build_network("cdni-ls", settings, data.n_features, data.n_classes, rng)
costs = {"decoupled": measure_costs(spare, forever(), "threads"),
         # one worker at a time is at work
         "model-parallel backprop": measure_costs(spare, forever(), "threads", together=False)}
h1 = np.zeros((settings.batch_size, 256), np.float32)
c = np.zeros((settings.batch_size, data.n_classes), np.float32)
y = data.y_train[: settings.batch_size]
links = {"decoupled": Links(up=measure_link((h1, y, c), "threads"),
                            down=measure_link((h1,), "threads")),  # a target: like h1
         "model-parallel backprop": Links(up=measure_link((h1, y), "threads"),
                                          down=measure_link((h1,), "threads"))}


def predicted(schedule, latency=0.0, steps=STEPS, **options):
    return SCHEDULES[schedule](costs[schedule], steps, latency=latency, links=links[schedule],
                               **options)


def from_step(intervals, first=12):
    """Return the intervals from minibatch `first` on, time counted from there."""
    begin = next(i.start for i in intervals
                 if (i.worker, i.step, i.kind) == (0, first, "forward"))
    return [replace(i, start=max(i.start - begin, 0), end=i.end - begin)
            for i in intervals if i.kind != "queued" and i.end > begin]


rows = {
    "model-parallel backprop, measured": locked.intervals,
    "model-parallel backprop, predicted": predicted("model-parallel backprop"),
    "decoupled, measured": decoupled.intervals,
    "decoupled, predicted": predicted("decoupled", queue_size=8),
}
figure = draw({name: from_step(intervals) for name, intervals in rows.items()},
              until=4 * step_seconds(locked.intervals, STEPS),
              title="Two modules in two threads, from the 13th minibatch on")
figure.set_size_inches(7.5, 4.8)
figure

# %% [markdown]
# Worker 1 holds the bottom module, time runs to the right, the numbers count minibatches. In the
# upper two panels one works while the other waits: worker 1 has sent $h_1$ and needs $\delta_1$.
# In the lower two both are at work at once, and the pink pieces are targets of earlier minibatches
# being fitted. (Most fits only add to the sums; every eighth solves for new weights and takes
# longer. The prediction gives each the mean.) Little is won by that here: what worker 1 no longer
# waits it spends on predicting and fitting.
#
# The predicted panels are tidier. In the measured ones an operation takes now longer, now
# shorter, because threads share caches, memory and the interpreter, and the system has other
# things to do. (Messages belong to no move, so what sending and taking them costs is white in the
# measured panels, as is fetching the minibatch before each forward pass of worker 1. The prediction
# counts them to the forward, backward or fit beside them. The loss is part of worker 2's forward
# in both.)


# %% tags=["guard"] jupyter={"source_hidden": true}
# Checks what the text says.
def both_busy(intervals):
    """Return the share of the time in which both workers are at work."""
    work = [i for i in intervals if i.kind != "queued"]
    ends = sorted({t for i in work for t in (i.start, i.end)})
    both = sum(b - a for a, b in zip(ends[:-1], ends[1:], strict=True)
               if {0, 1} <= {i.worker for i in work if i.start <= a and b <= i.end})
    return both / (ends[-1] - ends[0])


stated("In the upper two panels one works while the other waits",
       both_busy(predicted("model-parallel backprop")) < 1e-6)
stated("In the lower two both are at work at once",
       both_busy(decoupled.intervals) > both_busy(locked.intervals))

# %% [markdown]
# ## The lock, as a number
#
# How long is a module locked? From the start of its forward pass on a minibatch until its weights
# have been updated for it: `recorder.locked_seconds()`. Measure it over direct queues, and again
# over a link on which each message takes 20 ms, up and down. (The link is simulated: a message
# cannot be taken before its time.)

# %%
LATENCY = 20e-3
slow_locked = record("backprop", latency=LATENCY)
slow_decoupled = record("cdni-ls", latency=LATENCY, queue_size=8)

# %% jupyter={"source_hidden": true}
fig, axes = plt.subplots(figsize=(7.5, 3.6))
groups = [("direct queues", locked, decoupled), ("links of 20 ms", slow_locked, slow_decoupled)]
ticks, labels = [], []
for g, (where, *recorders) in enumerate(groups):
    for worker, module in enumerate(("bottom", "top")):
        at = 2.4 * g + worker
        ticks.append(at)
        labels.append(f"{module} module\n{where}")
        for shift, recorder, name, color, marker in (
                (-0.17, recorders[0], "model-parallel backprop", TRUE, "o"),
                (0.17, recorders[1], "decoupled", SYNTHETIC, "^")):
            values = 1e3 * np.array(recorder.locked_seconds()[worker])
            spread = np.linspace(-0.11, 0.11, len(values))
            axes.plot(at + shift + spread, values, marker, color=color, markersize=4, alpha=0.45,
                      label=name if not ticks[1:] else None, markeredgewidth=0)
            axes.plot([at + shift - 0.14, at + shift + 0.14], 2 * [np.median(values)],
                      color=color, linewidth=2.5)
axes.axhline(2e3 * LATENCY, color="0.5", linestyle=":", linewidth=1.2)
axes.annotate("two messages of 20 ms", (-0.4, 2.1e3 * LATENCY), fontsize=10, color="0.3")
axes.set(xticks=ticks, xticklabels=labels, ylabel="locked for (ms)", yscale="log",
         title="From forward to update: each minibatch a mark, bars are medians")
axes.yaxis.set_major_locator(FixedLocator([1, 2, 5, 10, 20, 50, 100, 200]))
axes.yaxis.set_major_formatter("{x:g}")
axes.yaxis.set_minor_locator(NullLocator())
axes.legend(loc="upper left", bbox_to_anchor=(0, 0.87))
plt.show()

# %% [markdown]
# With backprop the bottom module is locked while the top one computes and while the messages
# travel: over the slow link never less than 40 ms for a minibatch, since $h_1$ must go up and
# $\delta_1$ come down. Decoupled, it is locked for its own work only, whatever the link costs.
# The top module sees the true loss in either case and never waits for an answer.
#
# Over direct queues there is little in it, since the bottom module now predicts and fits. It also
# shares the interpreter with another thread at work: only one of them runs Python code at a time,
# though the matrix products, in which most of the time goes, need no interpreter and run side by
# side. Locks cost most where waiting is long.
#
# `locked_seconds` starts when the forward pass starts. `recorder.update_latencies()` starts when
# the input has *arrived*, so it counts the time in the queue as well. For the top module of a
# decoupled pair that can be much longer: minibatches wait before it. That is a queue, not a lock.

# %% tags=["guard"] jupyter={"source_hidden": true}
# Checks what the text says.
stated("over the slow link never less than 40 ms for a minibatch",
       min(slow_locked.locked_seconds()[0]) >= 2 * LATENCY)
stated("Decoupled, it is locked for its own work only, whatever the link costs",
       np.median(slow_decoupled.locked_seconds()[0]) < 2 * LATENCY)
stated("so it counts the time in the queue as well",
       all(np.less_equal(a, b).all() for a, b in zip(slow_decoupled.locked_seconds(),
                                                     slow_decoupled.update_latencies(),
                                                     strict=True)))

# %% [markdown]
# ## Slow links, predicted
#
# Move the slider: the latency of each message, in ms, with the costs measured above. It needs a
# running kernel; three of its positions are drawn below for those who read.


# %%
def both_ways(latency):
    return {f"{name}, {1e3 * latency:.0f} ms":
            from_step(predicted(name, latency, steps=100, **options), 16)
            for name, options in (("model-parallel backprop", {}),
                                  ("decoupled", {"queue_size": 8}))}


def at_latency(ms):
    figure = draw(both_ways(1e-3 * ms), until=50e-3)
    figure.set_size_inches(7.5, 2.6)
    return figure


slider = ipywidgets.IntSlider(value=5, min=0, max=20, description="latency (ms)",
                              style={"description_width": "initial"}, continuous_update=False)
_ = ipywidgets.interact(at_latency, ms=slider)

# %%
figure = draw(both_ways(0) | both_ways(5e-3) | both_ways(20e-3), until=50e-3,
              title="Predicted: the same costs, three latencies, from the 17th minibatch on")
figure.set_size_inches(7.5, 6)
figure

# %% [markdown]
# Each of the panels shows the same 50 ms. Backprop loses two latencies for every minibatch.
# Decoupled, a latency only decides *which* minibatch the top worker is at, as long as the queue has
# room. (At 20 ms it is full now and then, and worker 1 waits.)

# %% tags=["guard"] jupyter={"source_hidden": true}
# Checks what the text says.
def per_step(schedule, latency, **options):
    return step_seconds(predicted(schedule, latency, **options), STEPS)


stated("Backprop loses two latencies for every minibatch",
       np.isclose(per_step("model-parallel backprop", 20e-3)
                  - per_step("model-parallel backprop", 0), 40e-3))

# %% [markdown]
# ## How large a queue?
#
# The queue between two modules is **bounded**: at most `queue_size` minibatches may be on the way
# or waiting, and a sender who finds it full waits for room. Without a bound a fast bottom module
# would run ahead of a slow top one for ever, and memory would fill with $h_1$.
#
# The bound has a price when messages take time. A message occupies its place until it is taken,
# so at most `queue_size` minibatches pass in one latency:
#
# $$\text{time for a minibatch} \;\ge\; \max\left(\text{the busiest worker's time},\;
# \frac{\text{latency}}{\text{queue size}}\right).$$

# %%
latencies = [0, 10e-3, 20e-3]
contenders = {  # name: method, schedule, options, look
    "model-parallel backprop": ("backprop", "model-parallel backprop", {},
                                {"color": TRUE, "marker": "o"}),
    **{f"decoupled, queue of {size}": ("cdni-ls", "decoupled", {"queue_size": size}, look)
       for size, look in ((1, {"color": BLUE, "marker": "s"}), (2, {"color": GREEN, "marker": "D"}),
                          (8, {"color": ORANGE, "marker": "^"}))},
}
runs = {(name, latency): record(method, latency=latency, **options)
        for name, (method, _, options, _) in contenders.items() for latency in latencies}
measured = {key: step_seconds(recorder.intervals, STEPS) for key, recorder in runs.items()}

# %% [markdown]
# The price of a large queue is **staleness**: by how many minibatches a target is late. The target
# of minibatch $t$ is of use from the first prediction after its fit on; if that is the one for
# minibatch $s$, its staleness is $s - t$, and always one with the modules in turn, as in lesson 4.
# Here it can be counted from the record: targets are fitted in order, one for each minibatch, and
# every `fit` notes the minibatch that its worker was at.


# %%
def staleness(recorder):
    """Return s - t for every target t that a later prediction made use of."""
    at = [i.step for i in recorder.intervals if (i.worker, i.kind) == (0, "fit")]
    return [s - t for t, s in enumerate(at) if s < STEPS]  # the rest are fitted after the end


# %% jupyter={"source_hidden": true}
fig, (left, right) = plt.subplots(1, 2, figsize=(7.5, 3.8))
fine = np.linspace(0, 20e-3, 41)
for name, (_, schedule, options, look) in contenders.items():
    left.plot(1e3 * fine, [1e3 * per_step(schedule, latency, **options) for latency in fine],
              color=look["color"], linewidth=1.5)
    left.plot([1e3 * latency for latency in latencies],
              [1e3 * measured[name, latency] for latency in latencies], linestyle="",
              label=name, markersize=7, **look)
    if schedule == "decoupled":
        late = [staleness(runs[name, latency]) for latency in latencies]
        right.errorbar([1e3 * latency + 0.3 * (np.log2(options["queue_size"]) - 1)
                        for latency in latencies], [np.median(values) for values in late],
                       [[np.median(values) - min(values) for values in late],
                        [max(values) - np.median(values) for values in late]],
                       capsize=3, linewidth=1.5, markersize=7, **look)
left.set(xlabel="latency of a message (ms)", ylabel="time for a minibatch (ms)",
         title="Marks measured, lines predicted", ylim=(0, None))
right.set(xlabel="latency of a message (ms)", ylabel="staleness (minibatches)",
          title="Staleness of targets: median and range", ylim=(0, None))
fig.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=2)
plt.show()

# %% [markdown]
# Left, the lower bounds: backprop cannot take less than two latencies for a minibatch, and a queue
# of 1 not less than one, for a queue with one place waits for each message to arrive before it
# takes the next. With a queue of 8 most of the latency is hidden. Right, what hides it: over slow
# links a large queue holds many minibatches on the way, and the targets come correspondingly late.
#
# Over direct queues staleness has a strict bound: `queue_size + 1`. If minibatch $s$ has just gone
# into a queue with $q$ places, then $s - q$ has been taken out of it. So the top worker had
# finished $s - q - 1$, and its target is there. Over a slow link add the minibatches that pass
# while a target travels. (Staleness can even be 0: if the top worker is quick, the target of $s$
# arrives before the prediction for $s$ itself.)

# %% tags=["guard"] jupyter={"source_hidden": true}
# Checks what the text says.
stated("backprop cannot take less than two latencies for a minibatch",
       all(measured["model-parallel backprop", latency] > 1.9 * latency for latency in latencies))
stated("and a queue of 1 not less than one",
       all(measured["decoupled, queue of 1", latency] > 0.9 * latency for latency in latencies))
stated("With a queue of 8 most of the latency is hidden", measured["decoupled, queue of 8", 20e-3]
       < measured["model-parallel backprop", 20e-3] - 20e-3)
stated("the targets come correspondingly late",
       np.median(staleness(runs["decoupled, queue of 8", 20e-3]))
       > np.median(staleness(runs["decoupled, queue of 1", 20e-3])))
stated("Over direct queues staleness has a strict bound: `queue_size + 1`",
       all(max(staleness(runs[f"decoupled, queue of {size}", 0])) <= size + 1
           for size in (1, 2, 8)))

# %% [markdown]
# ## What do late targets cost?
#
# In a run like those above staleness depends on what else the machine does, and no two runs are
# alike. For an experiment we want it fixed. With `deterministic=True` the target of minibatch $t$
# is applied exactly before the prediction for minibatch $t$ + `queue_size`, and the worker waits
# for it if need be. So `queue_size` *is* the staleness, and a run can be repeated.
#
# At `queue_size=1` that is the order of lesson 4. Then threads must not change anything. Do they?

# %%
in_turn = build_trainer("cdni-ls", settings, data)
in_threads = build_trainer(
    "cdni-ls", replace(settings, engine="threads", queue_size=1, deterministic=True), data)
with blas_threads(1):  # as in the workers: a product in two threads may round differently
    in_turn.epoch()
in_threads.epoch()
ours, theirs = in_turn.schedule.state(), in_threads.schedule.state()
same = [np.array_equal(ours[name], theirs[name]) for name in ours]
print(f"{sum(same)} of {len(same)} arrays are equal, bit for bit")

# %% [markdown]
# Every weight, running mean, momentum and sum of the SG model is the same to the last bit. A
# parallel program that equals a sequential one in a mode built for it is a program one can trust
# a little more in its other modes.
#
# Now let targets be late by 1, 8, 32 and 96 minibatches. The network is smaller and its interface
# is below the output layer, so that everything but the last layer depends on $M_1$. One more curve
# is by local error, lesson 4's other model, with targets late by 96.

# %% tags=["guard"] jupyter={"source_hidden": true}
# Checks what the text says.
stated("Every weight, running mean, momentum and sum of the SG model is the same to the last bit",
       all(same) and ours.keys() == theirs.keys())

# %%
EVERY, EPOCHS = 8, 9
small = Settings(hidden=(128, 128), cuts=(2,), lr=0.1, seed=SEED, engine="threads",
                 deterministic=True)


def learning_curve(stale, method="cdni-ls"):
    """Return the test accuracy after every EVERY minibatches, targets late by `stale`."""
    schedule = build_trainer(method, replace(small, queue_size=stale), data).schedule
    recorder = schedule.recorder = Recorder(schedule.network.modules, snapshot_every=EVERY,
                                            most=EPOCHS * STEPS // EVERY)
    order = np.random.default_rng(SEED)
    for _ in schedule.run(batch for _ in range(EPOCHS)
                          for batch in minibatches(data.x_train, data.y_train, 128, order)):
        pass
    accuracy = []
    for k in range(len(recorder.snapshots())):
        recorder.load(k, schedule.network.modules)
        accuracy.append(evaluate(schedule.network, data.x_test, data.y_test, np.float32)[1])
    return np.array(accuracy)


curves = {stale: learning_curve(stale) for stale in (1, 8, 32, 96)}
local_error_late = learning_curve(96, "local-error")

# %% jupyter={"source_hidden": true}
fig, axes = plt.subplots(figsize=(7.5, 3.6))
looks = ({"color": BLUE}, {"color": GREEN, "linestyle": "--"}, {"color": ORANGE, "linestyle": "-."},
         {"color": "0.35", "linestyle": ":"})
for (stale, accuracy), look in zip(curves.items(), looks, strict=True):
    axes.plot(EVERY * np.arange(1, len(accuracy) + 1), 100 * accuracy, label=f"late by {stale}",
              **look)
    if stale > 8:
        axes.annotate(f"first target\n(late by {stale})", (stale, 100 * accuracy[stale // 8 - 1]),
                      (stale + 12, 64.5), fontsize=9, color="0.3", va="top",
                      arrowprops={"arrowstyle": "-", "color": "0.6"})
axes.plot(EVERY * np.arange(1, len(local_error_late) + 1), 100 * local_error_late, color=PINK,
          linewidth=1.5, label="local error, late by 96")
axes.set(xlabel="minibatches", ylabel="test accuracy (%)", ylim=(60, 98),
         title="Learning with late targets, mnist-5k, 784-128-128-10")
axes.legend(loc="lower right")
plt.show()

# %% [markdown]
# Until the first target comes, $\hat\delta_1 = 0$: the bottom module stands still and the last
# layer learns on random features. That gets it to 80% and no further. When the targets do come,
# accuracy first *falls*: the features begin to move under a last layer that was fitted to the old
# ones. Then it climbs to nearly the same height. Late by 8 costs nothing that one could see at
# the end; late by 96 costs most of the first hundred minibatches.
#
# So here a late target costs a late start, some unrest after it, and little in the end. $M_1$ is
# fitted to pairs of $h_1$ and target that belong together, however old they are, and what it
# learned from them changes slowly. Nobody says that it must be so: with a larger learning rate, or
# a deeper stack of bootstrapped targets, try it. And even the late start is the linear model's,
# which begins at zero. Local error follows its head's own loss until a target comes, and has
# learned all the while.

# %% tags=["guard"] jupyter={"source_hidden": true}
# Checks what the text says.
early = {stale: accuracy[96 // EVERY - 1] for stale, accuracy in curves.items()}
late_by_96 = curves[96]
quoted("80%", early[96], within=0.04)
stated("When the targets do come, accuracy first *falls*",
       late_by_96[96 // EVERY] < late_by_96[96 // EVERY - 1])
end = {stale: np.mean(accuracy[-4:]) for stale, accuracy in curves.items()}
stated("Late by 8 costs nothing that one could see at the end", abs(end[8] - end[1]) < 0.01)
stated("late by 96 costs most of the first hundred minibatches", early[1] > early[96] + 0.08)
stated("Then it climbs to nearly the same height", end[96] > end[1] - 0.035)
stated("and has learned all the while",
       local_error_late[96 // EVERY - 1] > early[96] + 0.05)

# %% [markdown]
# ## When a worker breaks
#
# A worker that dies while the others wait for it is the classic way to hang a parallel program.
# Here whatever ends one worker ends all, and the exception comes out of the training loop as what
# it was. Put a layer that breaks on its 20th minibatch into the top module:


# %%
class BreaksAt20(Layer):
    def __init__(self):
        super().__init__()
        self.calls = 0

    def forward(self, x, training=True):
        self.calls += 1
        if self.calls == 20:
            raise KeyError("minibatch 20 was too much")
        return x

    def backward(self, dy):
        return dy


def broken(engine):
    trainer = build_trainer("cdni-ls", replace(settings, engine=engine), data)
    trainer.schedule.network.modules[1].layers.insert(0, BreaksAt20())
    return trainer


before = threading.active_count()
for team in ["threads", "processes"] if sys.platform == "linux" else ["threads"]:
    try:
        broken(team).epoch()
    except KeyError as error:
        print(f"{team}: {error!r}")
print("threads left behind:", threading.active_count() - before)

# %% [markdown]
# A `KeyError` went in, a `KeyError` came out, and no thread is left. The bottom worker was
# waiting for room, or predicting, or sending; it was told to end and did. In threads its module
# may now be some minibatches further than the top one: a broken run is no state to go on from.

# %% tags=["guard"] jupyter={"source_hidden": true}
# Checks what the text says.
stated("and no thread is left", threading.active_count() == before)

# %% [markdown]
# ## What to try next
#
# - Cut after the first hidden layer, or after the third (`cuts`). Which worker is the busiest,
#   and what happens to the queue?
# - Set `fit_every=4`. What becomes of the timeline, and of staleness?
# - Three modules on two cores: `cuts=(1, 3)`. Who waits for whom now?
# - On Linux, `engine="processes"` in `record`: processes share no interpreter. Measure the costs
#   and the links anew as well.
# - Do the [exercises](exercises/06_asynchronous_for_real.ipynb): latency and staleness from a
#   record, a worker of your own, and the time for a minibatch in two lines.
# - Next lesson: [synthetic gradients in time](07_synthetic_gradients_in_time.ipynb).
#
# ## Sources
#
# - M. Jaderberg et al., *Decoupled Neural Interfaces using Synthetic Gradients*, 2016,
#   [arXiv:1608.05343](https://arxiv.org/abs/1608.05343): the locks, and training without them.
# - E. Bisong, *Benchmarking Decoupled Neural Interfaces with Synthetic Gradients*, 2017,
#   [arXiv:1712.08314](https://arxiv.org/abs/1712.08314): the claim of asynchronous speed.
# - The code: [`asynchronous.py`](../sgdni/parallel/asynchronous.py),
#   [`model_parallel.py`](../sgdni/parallel/model_parallel.py),
#   [`channel.py`](../sgdni/parallel/workers/channel.py),
#   [`recorder.py`](../sgdni/schedules/recorder.py).
# - The images: MNIST, by Yann LeCun and Corinna Cortes, CC BY-SA 3.0.
