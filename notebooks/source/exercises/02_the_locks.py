# %% [markdown]
# # Exercises 2. The locks
#
# Lesson: [The locks](../02_the_locks.ipynb). About 40 minutes.
#
# Replace each `raise NotImplementedError` and run the cell after it: it says what is wrong, if
# anything is. `pytest notebooks/exercises` runs the same checks from a terminal.
# The checks play the schedules of `sgdni.timeline` through; you write the formulas. Costs are
# arrays with one entry a module (or layer), the bottom one first, in seconds.

# %%
import numpy as np

from sgdni_course import exercise02

# %% [markdown]
# ## 1. Backprop over several workers
#
# Model-parallel training: worker $i$ needs `forward[i]` and `backward[i]` (with its update) for a
# minibatch, and every message between neighbours takes `latency`. Draw three workers on paper, and
# follow one minibatch from the first forward until worker 1 can start with the next.
#
# How long is that? And which share of it does each worker wait?


# %%
def model_parallel(forward, backward, latency):
    """Step time and idle shares of backprop split over K workers.

    forward, backward (K,) seconds; latency in seconds. Returns step, a number of seconds, and
    idle (K,), shares between 0 and 1.
    """
    ### BEGIN SOLUTION
    work = forward + backward
    links = len(work) - 1
    step = work.sum() + 2 * links * latency
    idle = 1 - work / step
    return step, idle
    ### END SOLUTION


# %% points=2
exercise02.check_model_parallel(model_parallel)

# %% [markdown]
# ## 2. Decoupled
#
# Now each worker has, besides, its synthetic-gradient model. On every step it runs forward,
# predicts, and learns. On every $k$-th step only, it computes the target for the module below and
# fits its own model. The queues are large enough. How long is a step on average, in the long run?
#
# `target[0]` is 0, since nobody is below the bottom module; `predict[-1]` and `fit[-1]` are 0,
# since the top module has the true gradient.


# %%
def decoupled_step(forward, learn, target, predict, fit, k):
    """Mean time of a decoupled step, in seconds, from the costs (K,) of K modules."""
    ### BEGIN SOLUTION
    always = forward + predict + learn
    sometimes = target + fit
    return (always + sometimes / k).max()
    ### END SOLUTION


# %% points=2
exercise02.check_decoupled_step(decoupled_step)

# %% [markdown]
# ## 3. How large a queue?
#
# A queue between two modules has room for $d$ minibatches, those still on the way included; its
# sender waits while there is no room. The workers need `step` seconds for a minibatch, a message
# takes `latency`. What is the smallest $d$ with which the latency costs no time?


# %%
def queue_size(latency, step):
    """Return the smallest size, a whole number of at least 1; latency and step in seconds."""
    ### BEGIN SOLUTION
    return max(1, int(np.ceil(latency / step)))
    ### END SOLUTION


# %% points=1
exercise02.check_queue_size(queue_size)

# %% [markdown]
# ## 4. Where to cut (harder)
#
# Two workers, $N$ layers, decoupled training with one interface. Put it after layer `cut`, so that
# the lower worker has layers 1 to `cut` and the upper one the rest. A step takes as long as the
# slower of the two. Find the `cut` from 1 to $N - 1$ for which it is shortest, and how long it is.
#
# The arrays have one entry a layer. Inside a module plain backprop runs: it computes `target`, the
# gradient for the layer below, of every layer but its lowest on *every* step. Only the one that
# crosses the interface waits for the $k$-th step. `predict[j]` and `fit[j]` are what an SG model
# costs that stands on top of that layer. `target[0]` is 0 again.


# %%
def best_cut(forward, learn, target, predict, fit, k):
    """Best cut of N layers for two workers, and the mean time of a step with it.

    All costs (N,), in seconds, of the layers from the bottom up; models are fitted every k-th
    step. Returns cut, the number of layers that the lower worker gets, and step, in seconds.
    """
    ### BEGIN SOLUTION
    plain = forward + learn + target
    steps = []
    for cut in range(1, len(plain)):
        crossing = target[cut]
        lower = plain[:cut].sum() + predict[cut - 1] + fit[cut - 1] / k
        upper = plain[cut:].sum() - crossing + crossing / k
        steps.append(max(lower, upper))
    best = int(np.argmin(steps))
    return best + 1, steps[best]
    ### END SOLUTION


# %% points=3
exercise02.check_best_cut(best_cut)
