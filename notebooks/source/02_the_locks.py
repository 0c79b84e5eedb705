# %% [markdown]
# # 2. The locks
#
# - **You will do**: give three modules a worker each, draw who computes what when, and play five
#   ways of training through, first with round numbers, then with costs measured on your machine.
# - **You will learn**: the three locks of backpropagation and how long each makes a worker wait;
#   what a slow link costs; what synthetic gradients cost; two formulas for the time of a step.
# - **You need**: [lesson 1](01_backprop_by_hand.ipynb). What a synthetic gradient is inside does
#   not matter yet: it takes time.
# - **Time**: 30 minutes to read, under 40 s to run.
# - **Exercises**: [02_the_locks](exercises/02_the_locks.ipynb), about 40 minutes.
# - **Words**: [glossary](glossary.md).

# %% jupyter={"source_hidden": true}
import matplotlib.pyplot as plt
import numpy as np

from sgdni import Settings, load
from sgdni.plotting.colours import BLUE, PINK, SYNTHETIC, TRUE
from sgdni.runs.methods import build_network
from sgdni.timeline import (
    SCHEDULES,
    Links,
    ModuleCost,
    idle_shares,
    measure_costs,
    measure_link,
    step_seconds,
)
from sgdni.timeline.balance import merged
from sgdni.timeline.gantt import draw
from sgdni.training.batches import minibatches
from sgdni_course import quoted, stated, style

style()
plt.rcParams["figure.dpi"] = 90  # a smaller file

# %%
SEED = 0
rng = np.random.default_rng(SEED)
data = load("mnist-5k")
ms = 1e-3  # seconds

# %% [markdown]
# ## Three modules, three workers
#
# Cut a network into $K = 3$ modules and put each on a worker of its own: a core, a processor, a
# machine. Module $i$ takes $h_{i-1}$ from below and sends $h_i$ up; the error $\delta_i$ comes
# down. For one minibatch let them take these times, made up so that you can follow on paper:
#
# | ms | forward | learn: own gradients, update | target: $\delta_{i-1}$ for the module below |
# |---|---:|---:|---:|
# | module 3 (top) | 2 | 2 | 2 |
# | module 2 | 2 | 2 | 2 |
# | module 1 (bottom) | 2 | 2 | - |
#
# Nobody needs the gradient of the images, so the bottom module leaves it out. Together: 16 ms.
#
# `sgdni.timeline` plays a schedule through by one rule: **an operation starts when its worker is
# free and what it needs has arrived.** Ordinary backpropagation over three workers
# (*model-parallel*), two minibatches:

# %%
costs = [  # bottom to top; predict and fit are the synthetic gradient's, of which more below
    ModuleCost(forward=2 * ms, learn=2 * ms, predict=1 * ms, fit=1 * ms),
    ModuleCost(forward=2 * ms, learn=2 * ms, target=2 * ms, predict=1 * ms, fit=1 * ms),
    ModuleCost(forward=2 * ms, learn=2 * ms, target=2 * ms),
]
LOCKS = {"forward lock": "////", "update lock": "....", "backward lock": "xxxx"}


def waits(intervals):
    """Yield (worker, step, lock, start, end) for the gaps between what each worker does."""
    top = max(i.worker for i in intervals)
    all_forward = {i.step: i.end for i in intervals if i.worker == top and i.kind == "forward"}
    for worker in range(top + 1):
        free = 0.0
        for i in (i for i in intervals if i.worker == worker):
            if i.kind == "forward":
                yield worker, i.step, "forward lock", free, i.start
            else:
                reached = max(free, all_forward[i.step])
                yield worker, i.step, "update lock", free, reached
                yield worker, i.step, "backward lock", reached, i.start
            free = i.end


two = SCHEDULES["model-parallel backprop"](costs, 2)

# %% jupyter={"source_hidden": true}
figure = draw({"model-parallel backpropagation: every gap is a lock": two})
for lock, hatch in LOCKS.items():
    for worker, _, name, start, end in waits(two):
        if name == lock and end > start:
            figure.axes[0].broken_barh([(1e3 * start, 1e3 * (end - start))], (worker - 0.4, 0.8),
                                       facecolor="none", edgecolor="0.6", hatch=hatch, linewidth=0)
    figure.axes[0].broken_barh([], (0, 0), facecolor="none", edgecolor="0.6", hatch=hatch,
                               label=lock)
handles = figure.legends[0].legend_handles + figure.axes[0].get_legend_handles_labels()[0]
figure.legends[0].remove()
figure.legend(handles=handles, loc="outside lower center", ncols=5, frameon=False, fontsize=9)
figure.set_size_inches(7.5, 2.8)
figure

# %% [markdown]
# - **Forward lock.** A module waits for the output of the module below.
# - **Update lock.** Done with forward, it waits until all modules above have run forward as well:
#   before that there is no loss.
# - **Backward lock.** Then it waits until all modules above have run backward: before that there
#   is no $\delta_i$.
#
# How long, for the second minibatch:

# %%
waited = {(worker, lock): sum(end - start for w, step, name, start, end in waits(two)
                              if (w, step, name) == (worker, 1, lock)) / ms
          for worker in range(3) for lock in LOCKS}
print("waits, ms  " + "".join(f"{lock:>15}" for lock in LOCKS) + "     all")
for worker in (2, 1, 0):
    row = [waited[worker, lock] for lock in LOCKS]
    print(f"worker {worker + 1}   " + "".join(f"{t:15.0f}" for t in row) + f"{sum(row):8.0f}")

# %% [markdown]
# A step takes 16 ms, as long as with one worker. The bottom worker computes for 4 of them and
# waits 12; the backward lock is the longest of its waits and grows with every module on top. At
# the other end it is the forward lock: the top worker has its next input only when the bottom one
# is through with backward and has sent it.

# %% tags=["guard"] jupyter={"source_hidden": true}
# Checks what the text says.
stated("A step takes 16 ms, as long as with one worker",
       np.isclose(step_seconds(two, 2), 16 * ms)
       and np.isclose(sum(c.forward + c.learn + c.target for c in costs), 16 * ms))
stated("The bottom worker computes for 4 of them and waits 12",
       np.isclose(sum(waited[0, lock] for lock in LOCKS), 12))
stated("the backward lock is the longest of its waits",
       max(LOCKS, key=lambda lock: waited[0, lock]) == "backward lock")
stated("At the other end it is the forward lock", np.isclose(waited[2, "forward lock"], 10)
       and waited[2, "update lock"] == waited[2, "backward lock"] == 0)

# %% [markdown]
# ## Five ways to train
#
# - **Locked backprop**: one worker does everything.
# - **Model-parallel backprop**: the picture above.
# - **Pipelined backprop**: each minibatch is divided into micro-batches (four here), which follow
#   each other up and then down. The gradients are the same (but for batch normalisation, which
#   then sees a micro-batch) and the locks stay, but each holds up a quarter of a minibatch.
# - **Decoupled**: each module but the top one has a synthetic-gradient (SG) model. It *predicts*
#   $\hat\delta_i$ from $h_i$, and the module updates at once with it. What the module above finds
#   for $\delta_i$ comes later, as a message, and the model is *fitted* to it. No update lock, no
#   backward lock. Let predict and fit take 1 ms each.
# - **Fully unlocked**: the module's input is predicted as well, so there is no forward lock
#   either. We let that model cost as much as the SG model; it is hatched below.

# %%
FIVE = ("locked backprop", "model-parallel backprop", "pipelined backprop", "decoupled",
        "fully unlocked")
figure = draw({name: SCHEDULES[name](costs, 8) for name in FIVE}, until=32 * ms)
figure.set_size_inches(7.5, 7.2)
figure

# %% [markdown]
# *Work* in the next table is what all workers together compute for a minibatch, *step* the time
# from one minibatch to the next once all are busy. Check some of them by hand.

# %%
work, step, idle = {}, {}, {}
print(f"{'':25} {'work':>5} {'step':>5}   idle share of each worker, bottom first")
for name in FIVE:
    play = SCHEDULES[name]
    intervals = play(costs, 400)
    work[name] = sum(i.end - i.start for i in intervals) / 400 / ms
    step[name] = step_seconds(intervals, 400) / ms
    idle[name] = idle_shares(intervals, 400)
    shares = "".join(f"{abs(share):8.1%}" for share in idle[name])
    print(f"{name:25} {work[name]:5.1f} {step[name]:5.1f}  {shares}")

# %% [markdown]
# - Three workers, model-parallel, bring *nothing*: the same 16 ms.
# - Pipelining brings 8.5 ms. A micro-batch, a quarter, takes a quarter of the times: half a
#   millisecond forward, 1 ms back (learn and target), and half of that in the bottom worker,
#   which has no target. Follow worker 3 in the picture. The first micro-batch reaches it after
#   $\frac12 + \frac12 = 1$ ms. Then it runs four forward without a gap, $4 \cdot \frac12 = 2$, and
#   four back, $4 \cdot 1 = 4$: now it is 7 ms. The last micro-batch has still to come down, 1 in
#   worker 2 and $\frac12$ in worker 1. Together $1 + 2 + 4 + 1 + \frac12 = 8.5$. Only then have all
#   weights changed, and the next minibatch may start.
# - Decoupled, the workers do more, 20 ms instead of 16, and are done sooner, in 8. Nobody waits for
#   an error any more. A step takes as long as the *slowest* worker, number 2: forward, predict,
#   fit, learn and a target, 2 + 1 + 1 + 2 + 2. The others wait a quarter of the time: the bottom
#   one, after the picture's end, because it may be only four minibatches ahead (its *queue*, see
#   below), the top one for input.
# - The last lock is not worth breaking here. Without it nobody waits, but with the pipeline full
#   the forward lock does not lengthen a step, and the models that predict inputs do: 10 ms. Each
#   worker goes at its own pace, by the costs 6, 10 and 8 ms, and a step is as long as the slowest.
#   The top one runs ahead on predicted inputs, the bottom one ahead of its targets: it fits fewer,
#   so work is a little less than 24 ms.

# %% tags=["guard"] jupyter={"source_hidden": true}
# Checks what the text says.
mp, pipe, dni, free = (step[name] for name in FIVE[1:])
stated("the same 16 ms", np.isclose(mp, 16) and np.isclose(step["locked backprop"], 16))
stated("Pipelining brings 8.5 ms", np.isclose(pipe, 8.5))
one = SCHEDULES["pipelined backprop"](costs, 1)
stated("now it is 7 ms", np.isclose(max(i.end for i in one if i.worker == 2), 7 * ms)
       and np.isclose(min(i.start for i in one if i.worker == 2), 1 * ms))
stated("1 in worker 2 and $\\frac12$ in worker 1",
       np.allclose([max(i.end for i in one if i.worker == w) for w in (1, 0)], [8 * ms, 8.5 * ms]))
stated("20 ms instead of 16, and are done sooner, in 8",
       np.isclose(work["decoupled"], 20, atol=0.05) and np.isclose(dni, 8))
stated("The others wait a quarter of the time", np.allclose(idle["decoupled"], [0.25, 0, 0.25]))
stated("the models that predict inputs do: 10 ms",
       np.isclose(free, 10) and max(idle["fully unlocked"]) < 1e-9)
stated("work is a little less than 24 ms", 23 < work["fully unlocked"] < 24)

# %% [markdown]
# ## What a slow link costs
#
# Between two machines messages take time, the latency $L$. In backpropagation every minibatch
# crosses each of the $K - 1$ links twice, up and down, and everyone waits. Decoupled workers go on:
# messages queue up, and while one is on the way its sender is at the next minibatch. A queue has
# room for $d$ minibatches, those on the way included; with $d = 4$ and with $d = 1$:

# %%
latencies = np.arange(0, 61, 4)
lines = {
    "locked backprop, one worker": ("locked backprop", {}, TRUE, "-", ""),
    "model-parallel": ("model-parallel backprop", {}, BLUE, "-", "s"),
    "pipelined": ("pipelined backprop", {}, PINK, "-", "^"),
    "decoupled, $d = 1$": ("decoupled", {"queue_size": 1}, SYNTHETIC, ":", "v"),
    "decoupled, $d = 4$": ("decoupled", {"queue_size": 4}, SYNTHETIC, "--", "o"),
}
times, idle_time = {}, {}
for label, (name, options, *_) in lines.items():
    played = [SCHEDULES[name](costs, 80, latency=t * ms, **options) for t in latencies]
    times[label] = [step_seconds(p, 80) / ms for p in played]
    idle_time[label] = [100 * np.mean(idle_shares(p, 80)) for p in played]

# %% jupyter={"source_hidden": true}
fig, (left, right) = plt.subplots(1, 2, figsize=(7.5, 3.8))
for label, (_, _, colour, dashes, marker) in lines.items():
    look = {"color": colour, "linestyle": dashes, "marker": marker, "markersize": 4}
    left.plot(latencies, times[label], label=label, **look)
    right.plot(latencies, idle_time[label], **look)
left.set(xlabel="latency of a message (ms)", ylabel="step time (ms)", ylim=(0, 100),
         title="Time of a step")
right.set(xlabel="latency of a message (ms)", ylabel="mean over workers (%)", ylim=(-3, 100),
          title="Share of time idle")
fig.legend(loc="outside lower center", ncols=3, fontsize=9)
plt.show()

# %% [markdown]
# Two formulas to carry away. $w_i$ is what worker $i$ computes for a minibatch (with its SG
# model, when it has one):
#
# $$T_\text{model-parallel} = \sum_{i=1}^{K} w_i + 2 (K - 1) L, \qquad
# T_\text{decoupled} = \max\Bigl(\max_i w_i,\; \frac{L}{d}\Bigr).$$
#
# A *sum* became a *maximum*. Backprop adds all work and all latency. Decoupled, a step is as long
# as the slowest worker's work, **whatever the latency, as long as the queues are large enough**:
# $d \cdot \max_i w_i \ge L$. That is the bend in the dashed line, at 4 times 8 ms. Beyond it, $d$
# minibatches pass in each $L$.
#
# Do the formulas hold in general? Play 200 random networks through: two to eight modules, random
# costs, latencies, queue sizes, and a target and a fit for every $k$-th minibatch only.


# %%
def random_case(rng):
    """Return K costs, k, d and a latency of up to twice what the queues cover."""
    costs = [ModuleCost(*rng.uniform(0, 3, 5)) for _ in range(rng.integers(2, 9))]
    costs[0] = ModuleCost(costs[0].forward, costs[0].learn, 0, costs[0].predict, costs[0].fit)
    costs[-1] = ModuleCost(costs[-1].forward, costs[-1].learn, costs[-1].target)
    k, d = int(rng.integers(1, 5)), int(rng.integers(1, 9))
    slowest = max(c.forward + c.learn + c.predict + (c.target + c.fit) / k for c in costs)
    return costs, k, d, slowest, rng.uniform(0, 2 * d * slowest)


off, covered = {"model-parallel": [], "decoupled": []}, []
for _ in range(200):
    random_costs, k, d, slowest, L = random_case(rng)
    played = SCHEDULES["model-parallel backprop"](random_costs, 8, latency=L)
    formula = (sum(c.forward + c.learn + c.target for c in random_costs)
               + 2 * (len(random_costs) - 1) * L)
    off["model-parallel"].append(step_seconds(played, 8) / formula - 1)
    played = SCHEDULES["decoupled"](random_costs, 240, latency=L, fit_every=k,
                                     queue_size=d)
    off["decoupled"].append(step_seconds(played, 240) / max(slowest, L / d) - 1)
    covered.append(d * slowest > 2 * L)
off, covered = {name: np.array(values) for name, values in off.items()}, np.array(covered)
print(f"model-parallel: at most {abs(off['model-parallel']).max():.0e} from the formula")
print("decoupled, queues twice as large as needed: at most "
      f"{abs(off['decoupled'][covered]).max():.1%}")
print(f"decoupled, any: at most {abs(off['decoupled']).max():.1%}, "
      f"median {np.median(abs(off['decoupled'])):.1%}")

# %% [markdown]
# The first is exact. The second is exact to within 1% where the queues are twice as large as
# needed. Near the bend a step can take longer than the formula says, here by up to 3.4%. Steps are
# not alike: not every one has a target, and a fit comes when its target happens to arrive. Leave
# slack to even that out.

# %% tags=["guard"] jupyter={"source_hidden": true}
# Checks what the text says.
stated("at 4 times 8 ms", np.allclose([t for t, L in zip(times["decoupled, $d = 4$"], latencies,
                                       strict=True) if L <= 32], 8)
       and times["decoupled, $d = 4$"][-1] > 14)
stated("The first is exact", abs(off["model-parallel"]).max() < 1e-9)
stated("exact to within 1% where the queues are twice as large as needed",
       abs(off["decoupled"][covered]).max() < 0.01)
quoted("3.4%", off["decoupled"].max(), within=0.02)

# %% [markdown]
# Two warnings. First, the ratio of the two formulas has no limit: with a slow enough link,
# decoupled training is as many times faster as you like. A speed-up quoted without the link, the
# number of workers and the baseline says nothing. Second, latency has not vanished. The target
# for $\hat\delta_i$ comes back $2L$ later or more, and in that time the module has made about $2L
# / T$ updates. By how many minibatches a target is late is called its **staleness**. The timeline
# knows nothing of how well a network learns from stale targets; that has to be measured (lesson 6).
#
# ## What synthetic gradients cost
#
# Count matrix products of $B \times n$ by $n \times n$, which take most of the time. In
# backpropagation a hidden layer has three: forward, $dW$ and $\delta$ for below. An interface,
# with a linear model $M$ as wide as the layer, adds
#
# - 1 to predict, on every step;
# - 2 to fit, by least squares (lesson 3 says which) or by gradient steps (prediction and $dW$);
# - and it *saves* one: $\delta$ for the module below is needed only as $M$'s target.
#
# Fit on every $k$-th step only, and compute the target only then. Per interface that is $1 +
# \frac{2}{k} - (1 - \frac{1}{k}) = \frac{3}{k}$ products more than backprop. Cut $N$ equal layers
# into $K$ modules, and the busiest worker has $3N/K + 3/k$ products against $3N$ in one worker:
#
# $$\text{speed-up} \approx \frac{3N}{3N/K + 3/k} = \frac{K}{1 + K/(kN)} .$$
#
# For 64 layers, counted by the timeline, a product taking 1 ms:


# %%
def layers_of(layer, count):
    """Return the costs of `count` equal layers, lowest without target, highest without SG."""
    bottom = ModuleCost(layer.forward, layer.learn, 0, layer.predict, layer.fit)
    top = ModuleCost(layer.forward, layer.learn, layer.target)
    return [bottom, *[layer] * (count - 2), top]


N = 64
products = layers_of(ModuleCost(1 * ms, 1 * ms, 1 * ms, predict=1 * ms, fit=2 * ms), N)
backprop = sum(c.forward + c.learn + c.target for c in products)
ratio, gain = {}, {}
print(" k   work of one worker   speed-up with 64 workers")
print("     over backprop's      counted    by the formula")
for k in (1, 2, 4, 8):
    everything = sum(c.forward + c.learn + c.predict + (c.target + c.fit) / k for c in products)
    played = SCHEDULES["decoupled"](products, 160, fit_every=k)
    ratio[k], gain[k] = everything / backprop, backprop / step_seconds(played, 160)
    print(f"{k:2} {ratio[k]:15.2f} {gain[k]:17.1f} {N / (1 + 1 / k):14.1f}")

# %% [markdown]
# With $k = 1$ and an interface at every layer the work doubles, and half of what 64 workers could
# bring is gone. With $k = 4$ a quarter is added. The price is a model fitted to fewer targets.
#
# One worker that does all of it is *slower* than with backprop, for every $k$.

# %% tags=["guard"] jupyter={"source_hidden": true}
# Checks what the text says.
stated("the work doubles, and half of what 64 workers could bring is gone",
       abs(ratio[1] - 2) < 0.05 and abs(gain[1] - 32) < 1)
stated("With $k = 4$ a quarter is added", abs(ratio[4] - 1.25) < 0.03)
stated("is *slower* than with backprop, for every $k$", min(ratio.values()) > 1)

# %% [markdown]
# ## Measured here
#
# Now real costs: 784-256-256-256-256-10 with batch normalisation, cut after every hidden layer,
# minibatches of 128, least-squares SG models, one thread for the matrix products. The timeline
# gives each of the five workers a core of its own, which your machine may not have; times of
# single operations are measured, the schedule is computed.

# %%
settings = Settings(hidden=(256,) * 4, seed=SEED)
network = build_network("cdni-ls", settings, data.n_features, data.n_classes, rng)


def forever():
    while True:
        yield from minibatches(data.x_train, data.y_train, settings.batch_size, rng)


measured = measure_costs(network, forever(), repeats=100)
h, c = (np.zeros((settings.batch_size, n), np.float32) for n in (256, data.n_classes))
y = np.zeros(settings.batch_size, np.int64)
# Down goes one array of the shape of h: a gradient, or a target.
up, up_with_context, down = (measure_link(message, "threads", latency=1 * ms)
                             for message in ((h, y), (h, y, c), (h,)))
links = {"model-parallel backprop": Links(up, down), "decoupled": Links(up_with_context, down)}

parts = ("forward", "learn", "target", "predict", "fit")
print("ms, this run " + "".join(f"{part:>8}" for part in parts))
for i, cost in reversed(list(enumerate(measured, start=1))):
    print(f"module {i}     " + "".join(f"{getattr(cost, part) / ms:8.2f}" for part in parts))

# %%
shown = {
    f"{name}, messages of 1 ms{', fitted every 4th step' if name == 'decoupled' else ''}":
        SCHEDULES[name](measured, 40, latency=1 * ms, links=link,
                        **({"fit_every": 4} if name == "decoupled" else {}))
    for name, link in links.items()
}
until = 2 * step_seconds(next(iter(shown.values())), 40)
figure = draw(shown, until=until)
figure.set_size_inches(7.5, 4.8)
figure

# %% [markdown]
# Real modules are not alike. The bottom one has 784 inputs and does the most in forward and learn;
# the top one, with ten outputs, has next to nothing to do. Decoupled training goes at the pace of
# the slowest, so this network is badly cut: the top worker waits most of the time. **Cut where the
# work is, not where the layers are** (an exercise; `sgdni.timeline.balance` does it). And a fit
# costs more than a prediction: two products against one.

# %% tags=["guard"] jupyter={"source_hidden": true}
# Checks what the text says.
own = [cost.forward + cost.learn for cost in measured]
stated("The bottom one has 784 inputs and does the most in forward and learn",
       own[0] == max(own))
stated("has next to nothing to do", own[-1] < 0.5 * min(own[:-1]))
stated("the top worker waits most of the time",
       idle_shares(list(shown.values())[-1], 40)[-1] > 0.5)
stated("a fit costs more than a prediction",
       all(cost.fit > cost.predict for cost in measured[:-1]))

# %% [markdown]
# ## Up to 64 workers
#
# Take 64 hidden layers, each at the measured cost of module 3, and cut them evenly: two workers
# with 32 layers each, ... , 64 with one each. Queues with room for 32 minibatches.

# %%
layers = layers_of(measured[2], N)
one_worker = sum(c.forward + c.learn + c.target for c in layers)
counts = 2 ** np.arange(7)
lines = {
    "model-parallel": ("model-parallel backprop", {}, BLUE, "-", "s"),
    "pipelined, 4 micro-batches": ("pipelined backprop", {}, PINK, "-", "^"),
    "decoupled, $k = 1$": ("decoupled", {"queue_size": 32}, SYNTHETIC, ":", "v"),
    "decoupled, $k = 4$": ("decoupled", {"queue_size": 32, "fit_every": 4}, SYNTHETIC, "--", "o"),
}


def pace(name, options, K, latency):
    """Times backprop's in one worker, with K workers; a long pipeline takes long to fill."""
    steps = 160 + 2 * latency * K if name == "decoupled" else 8
    intervals = SCHEDULES[name](merged(layers, range(N // K, N, N // K)), steps,
                                latency=latency * ms, **options)
    return one_worker / step_seconds(intervals, steps)


speed = {(label, latency): [pace(name, options, K, latency) for K in counts]
         for label, (name, options, *_) in lines.items() for latency in (0, 5)}

# %% jupyter={"source_hidden": true}
fig, panels = plt.subplots(1, 2, figsize=(7.5, 4.2), sharey=True)
for axes, latency in zip(panels, (0, 5), strict=True):
    for label, (*_, colour, dashes, marker) in lines.items():
        axes.plot(counts, speed[label, latency], color=colour, linestyle=dashes, marker=marker,
                  markersize=5, label=label if latency else None)
    axes.plot(counts, counts, color="0.6", linewidth=1, zorder=0)
    axes.annotate("ideal", (9, 13), fontsize=9, color="0.4", ha="right")
    axes.axhline(1, color=TRUE, linewidth=1.5, label="backprop, one worker" if latency else None)
    axes.set(xscale="log", yscale="log", xlabel="workers", title=f"messages of {latency} ms",
             xticks=counts, yticks=counts, ylim=(0.02, 90))
    axes.minorticks_off()
    axes.set_xticklabels(counts)
panels[0].set(ylabel="minibatches per second,\nbackprop in one worker = 1",
              yticks=[1 / 32, 0.125, 0.5, 1, 2, 4, 8, 16, 32, 64])
panels[0].set_yticklabels(["1/32", "1/8", "1/2", 1, 2, 4, 8, 16, 32, 64])
fig.legend(loc="outside lower center", ncols=3, fontsize=9)
plt.show()

# %% [markdown]
# - **Model-parallel** training never gains: one worker at a time is at work, whoever it is. It
#   makes large networks fit, and it pays two latencies a link for it.
# - **Pipelining** gains, at most as many times as there are micro-batches (with $m$ of them a step
#   is $(m + K - 1)/m$ times a worker's share). Without latency and with two workers it is near
#   decoupled training, with the true gradient and without a model to fit. Latency hits it as hard
#   as model-parallel training: at 5 ms eight workers are slower than one.
# - **Decoupled** training follows the ideal line for long, then SG's own cost, which does not
#   shrink with the module, bends it away, for $k = 1$ more than for $k = 4$. The 5 ms change
#   little, as the formula says. (For $k = 1$ the steps in which 64 workers fill their
#   pipeline still weigh in.)

# %% tags=["guard"] jupyter={"source_hidden": true}
# Checks what the text says.
k1, k4, pipes = (
    {L: np.array(speed[label, L]) for L in (0, 5)}
    for label in ("decoupled, $k = 1$", "decoupled, $k = 4$", "pipelined, 4 micro-batches"))
stated("training never gains", max(speed["model-parallel", 0] + speed["model-parallel", 5]) < 1.01)
stated("at most as many times as there are micro-batches", pipes[0].max() < 4)
stated("with two workers it is near decoupled training", 0.7 < pipes[0][1] / k4[0][1] < 1)
stated("at 5 ms eight workers are slower than one", (pipes[5][3:] < 1).all())
stated("follows the ideal line for long", (k4[0][:4] > 0.8 * counts[:4]).all())
stated("bends it away, for $k = 1$ more than for $k = 4$", k1[0][-1] < k4[0][-1] < 64)
stated("The 5 ms change little, as the formula says",
       (k4[5] > 0.7 * k4[0]).all() and (k1[5] > 0.7 * k1[0]).all())

# %% [markdown]
# ## Where decoupling cannot help
#
# - **One worker**: more work, and nobody to share it.
# - **One module with most of the work**: the maximum is nearly the sum.
# - **Small modules**: predicting and fitting cost as much as the layers between.
# - **Fewer cores than workers**: a core of its own for each is an assumption of every figure
#   here.
# - **When a minibatch teaches less.** All of this counts minibatches per second. A rough, late
#   gradient may need more of them for the same accuracy, and the more interfaces are stacked the
#   rougher it gets. What counts in the end is the time to an accuracy: lesson 5.
#
# ## What to try next
#
# - Give module 2 a `learn` of 6 ms. Which schedules suffer, and by how much? Predict it first.
# - Replace four micro-batches by 16 in the last figure (`{"micro_batches": 16}`). The timeline
#   takes an $m$-th of a minibatch to cost an $m$-th of the time; are your matrix products as fast
#   with 8 rows as with 128?
# - Measure with all modules at work at once: `measure_costs(network, forever(), "threads")`. What
#   do the workers take from each other on your machine?
# - Do the [exercises](exercises/02_the_locks.ipynb): both formulas, the size of a queue, and
#   where to cut.
# - Next lesson: [the synthetic gradient itself](03_a_synthetic_gradient.ipynb).
#
# ## Sources
#
# - M. Jaderberg et al., *Decoupled Neural Interfaces using Synthetic Gradients*, 2016,
#   [arXiv:1608.05343](https://arxiv.org/abs/1608.05343): the three locks, and how to break them.
# - Y. Huang et al., *GPipe: Efficient Training of Giant Neural Networks using Pipeline
#   Parallelism*, 2019, [arXiv:1811.06965](https://arxiv.org/abs/1811.06965): micro-batches.
# - In this project: [`schedules.py`](../sgdni/timeline/schedules.py), the five schedules, and
#   [`costs.py`](../sgdni/timeline/costs.py), how costs are measured.
