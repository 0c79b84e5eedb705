# %% [markdown]
# # Exercises 6. Asynchronous for real
#
# Lesson: [Asynchronous for real](../06_asynchronous_for_real.ipynb). About 45 minutes.
#
# Replace each `raise NotImplementedError` and run the cell after it: it says what is wrong, if
# anything is. `pytest notebooks/exercises` runs the same checks from a terminal.
#
# A record of a run is a list of `Interval`s. Each has a `worker` (0 at the bottom), a `step` (the
# minibatch, counted from 0), a `kind`, and `start` and `end` in seconds. The kinds: `"queued"` (the
# input has arrived, the worker is not there yet), `"forward"`, `"predict"`, `"backward"` (ends with
# the update) and `"fit"` (of an older minibatch's target).

# %%
import queue
import threading

import numpy as np

from sgdni.schedules import Interval
from sgdni_course import exercise06

Interval(worker=0, step=3, kind="forward", start=0.010, end=0.012)

# %% [markdown]
# ## 1. Update latency
#
# How long from the arrival of a minibatch at a module until the module has learned from it? If it
# had to queue, it arrived when `"queued"` starts; else when `"forward"` starts.


# %%
def update_latency(intervals, worker):
    """Return a list: for each minibatch of `worker`, in order, seconds from arrival to update."""
    ### BEGIN SOLUTION
    mine = [i for i in intervals if i.worker == worker]
    arrived = {}
    latencies = []
    for interval in mine:
        if interval.kind in ("queued", "forward"):
            arrived.setdefault(interval.step, interval.start)
        elif interval.kind == "backward":
            latencies.append(interval.end - arrived[interval.step])
    return latencies
    ### END SOLUTION


# %% points=2
exercise06.check_update_latency(update_latency)

# %% [markdown]
# ## 2. How stale are the targets?
#
# Targets come back in order: the first is that of minibatch 0, and with `fit_every` $= k$ only
# every $k$-th minibatch has one: 0, $k$, $2k$ ... The `step` of a `"fit"` is the minibatch for
# which the worker predicts *next*. If it is $s$ and the target is that of minibatch $t$, the target
# is $s - t$ minibatches late: that is its *staleness*.


# %%
def staleness(intervals, worker, fit_every):
    """Return a list: for each target that `worker` fitted, in order, how many minibatches late."""
    ### BEGIN SOLUTION
    fits = [i.step for i in intervals if i.worker == worker and i.kind == "fit"]
    return [s - fit_every * n for n, s in enumerate(fits)]
    ### END SOLUTION


# %% points=1
exercise06.check_staleness(staleness)

# %% [markdown]
# ## 3. A worker of your own
#
# Write the loop of the **bottom** worker. For each minibatch `(x, c)`:
#
# 1. run the module forward,
# 2. send `(h, c)` up at once, so that the module above can begin. The module writes its next $h$
#    into the same memory: send a copy,
# 3. fit the SG model on **every** target that has arrived, and wait for none,
# 4. predict $\hat\delta$, and let the module learn from it.
#
# After the last minibatch send `None`. Both queues are Python's own `queue.Queue`: `put(message)`
# waits for room, `get()` waits for a message, and `get_nowait()` does not wait but raises
# `queue.Empty` when there is nothing.


# %%
def work(batches, module, model, up, targets):
    """Train the bottom module without a lock.

    batches : iterable of (x, c)
    module : has forward(x) -> h, and learn(delta)
    model : has predict(h, c) -> delta, and fit(h, c, target)
    up : queue.Queue for (h, c); targets : queue.Queue of (h, c, target)
    """
    ### BEGIN SOLUTION
    for x, c in batches:
        h = module.forward(x)
        up.put((h.copy(), c))
        while True:
            try:
                message = targets.get_nowait()
            except queue.Empty:
                break
            model.fit(*message)
        delta = model.predict(h, c)
        module.learn(delta)
    up.put(None)
    ### END SOLUTION


# %% points=3
exercise06.check_work(work)

# %% [markdown]
# The check steps through your loop without any thread, so that it sees each step. Here it is in a
# thread of its own, with somebody above who answers.


# %%
def try_it(minibatches=20):
    up, targets = queue.Queue(maxsize=4), queue.Queue()
    module, model = exercise06.bottom_module(), exercise06.sg_model()
    batches = [(np.ones((8, 5)), np.eye(8, 3)) for _ in range(minibatches)]
    thread = threading.Thread(target=work, args=(batches, module, model, up, targets), daemon=True)
    thread.start()
    answered = 0
    while (message := up.get(timeout=5)) is not None:
        h, c = message
        targets.put((h, c, 0.1 * h))  # as if the loss were half of 0.1 |h|^2
        answered += 1
    thread.join()
    print(f"{answered} minibatches, and nobody waited for an answer")


# %%
# Uncomment when work is written.
# try_it()

# %% [markdown]
# ## 4. The time for a minibatch, in two lines
#
# Given what each module's operations cost, how long does a minibatch take once everything is under
# way? `costs` is a list, bottom to top, of `ModuleCost(forward, learn, target, predict, fit)` in
# seconds, as `sgdni.timeline.measure_costs` returns it: `learn` is backward and update, `target`
# the gradient for the module below; `predict` and `fit` are those of the module's own SG model. The
# bottom module has no `target` and the top one no SG model; those costs are 0. Each message takes
# `latency` seconds.
#
# - Model-parallel backprop: one minibatch under way, everything in turn, and no SG model.
# - Decoupled: all workers at once, and at most `queue_size` minibatches may be under way between
#   two of them. What is slowest decides.


# %%
def minibatch_seconds(costs, latency, queue_size):
    """Return (model_parallel, decoupled): seconds for a minibatch in the long run."""
    ### BEGIN SOLUTION
    work = [c.forward + c.learn + c.target for c in costs]
    model_parallel = sum(work) + 2 * latency * (len(costs) - 1)
    busiest = max(w + c.predict + c.fit for w, c in zip(work, costs, strict=True))
    decoupled = max(busiest, latency / queue_size)
    return model_parallel, decoupled
    ### END SOLUTION


# %% points=2
exercise06.check_minibatch_seconds(minibatch_seconds)
