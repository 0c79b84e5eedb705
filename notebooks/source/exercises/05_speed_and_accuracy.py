# %% [markdown]
# # Exercises 5. Speed and accuracy
#
# Lesson: [Speed and accuracy](../05_speed_and_accuracy.ipynb). About 40 minutes.
#
# Replace each `raise NotImplementedError` and run the cell after it: it says what is wrong, if
# anything is. `pytest notebooks/exercises` runs the same checks from a terminal.
# *Ours* is the method that is claimed to be faster, *theirs* its rival. Times are in seconds, and
# a ratio above 1 always means that ours is faster.

# %%
import numpy as np

from sgdni_course import exercise05

# %% [markdown]
# ## 1. Time to an accuracy
#
# Each of $R$ repeats of a training was tested $T$ times. When was the target reached *first*? A
# learning curve goes up and down; reached once is reached. A repeat that never gets there has an
# infinite time, `np.inf`: leave it out, and a method is the faster the more often it fails.


# %%
def time_to_target(seconds, accuracy, target):
    """Time at which each repeat first had at least the target accuracy.

    seconds (R, T), increasing along a row; accuracy (R, T), shares; target a share. Returns (R,).
    """
    ### BEGIN SOLUTION
    there = accuracy >= target
    return np.where(there, seconds, np.inf).min(axis=1)
    ### END SOLUTION


# %% points=2
exercise05.check_time_to_target(time_to_target)

# %% [markdown]
# ## 2. How many times sooner?
#
# Repeat $r$ of ours and repeat $r$ of theirs began with the same weights and ran right after each
# other. Machines drift, so what drifts falls out of the ratio *within* a repeat. The median over
# the repeats is the answer.
#
# If theirs never got there and ours did, the ratio is infinite. If ours never got there, it is 0,
# also when theirs did not either: an unproven claim is not a tie.


# %%
def times_sooner(theirs, ours):
    """Median over repeats of how many times sooner ours reached the target.

    theirs, ours (R,) seconds to the target, np.inf for never. Returns a number.
    """
    ### BEGIN SOLUTION
    ratios = np.zeros(len(ours))
    there = np.isfinite(ours)
    ratios[there] = theirs[there] / ours[there]
    return np.median(ratios)
    ### END SOLUTION


# %% points=2
exercise05.check_times_sooner(times_sooner)

# %% [markdown]
# ## 3. From which latency on?
#
# $K$ workers. Backprop, split over them, needs `theirs[i]` seconds of worker $i$ for a minibatch;
# decoupled training needs `ours[i]`, with its synthetic-gradient model. A message takes $L$
# seconds, and the queues are deep enough. By the two formulas of lesson 2 a step takes
#
# $$T_\text{split} = \sum_i w_i^\text{theirs} + 2 (K - 1) L, \qquad
# T_\text{decoupled} = \max_i w_i^\text{ours}.$$
#
# Decoupled training takes `more_steps` times as many steps to the target accuracy. From which $L$
# on is it at least `claim` times sooner there? Where it is at any latency, return 0.


# %%
def break_even_latency(theirs, ours, more_steps, claim):
    """Least latency, in seconds, at which decoupled training is `claim` times sooner at the target.

    theirs, ours (K,) seconds of work of each worker; more_steps and claim are ratios.
    """
    ### BEGIN SOLUTION
    allowed = claim * more_steps * ours.max()
    links = len(theirs) - 1
    return max(0.0, (allowed - theirs.sum()) / (2 * links))
    ### END SOLUTION


# %% points=2
exercise05.check_break_even_latency(break_even_latency)

# %% [markdown]
# ## 4. Where the time goes
#
# $K$ workers should be $K$ times as fast as one. They are not, and four factors say why, each of
# them 1 if all is well:
#
# 1. `work`: what backprop computes for a minibatch over what decoupled training computes for it,
#    all modules together, each measured *alone*, with nobody else at work.
# 2. `balance`: the mean work of a worker over that of the busiest, who sets the pace.
# 3. `company`: the busiest worker's work alone over the busiest's with *all* of them at work.
#    They share memory, caches, and power.
# 4. `waiting`: the busiest worker's work with all at work over the time that a step really took.
#
# The products telescope: $K \cdot$ `work` $\cdot$ `balance` $\cdot$ `company` $\cdot$ `waiting` is
# the speed-up in images per second over backprop in one worker. Check that before you run the
# check.


# %%
def where_it_goes(backprop, alone, together, step):
    """The four factors between K workers and the speed-up measured.

    backprop, alone, together (K,) seconds for a minibatch of each module: of backprop in one
    worker, of decoupled training one module at a time, of decoupled training with all at work.
    step, seconds, is what a decoupled step took. Returns work, balance, company, waiting.
    """
    ### BEGIN SOLUTION
    work = backprop.sum() / alone.sum()
    balance = alone.mean() / alone.max()
    company = alone.max() / together.max()
    waiting = together.max() / step
    return work, balance, company, waiting
    ### END SOLUTION


# %% points=2
exercise05.check_where_it_goes(where_it_goes)

# %% [markdown]
# ## 5. Against the right rival (harder)
#
# A paper reports that its method is many times faster, and you have the numbers of all that were
# measured: `cores` used, `images_per_second`, and `images_to_target`, how many images each had to
# see for the target accuracy (`np.inf`: never got there).
#
# Three comparisons are unfair: in images per second, when one method skips work and needs more
# images for it; against a rival that is slow for want of effort, when a better one was at hand;
# against a rival that had more cores. So: in *time to the target*, against the *fastest* rival
# that used *no more cores than ours*. Which one is that, and how many times sooner is ours?


# %%
def against_the_best(ours, rivals):
    """The fair rival, and how many times sooner ours reaches the target.

    ours: a dict with "cores", "images_per_second", "images_to_target"; rivals: a list of dicts with
    a "name" besides. Returns name, ratio. Ours gets there, and so does at least one fair rival.
    """
    ### BEGIN SOLUTION
    def seconds(method):
        return method["images_to_target"] / method["images_per_second"]

    fair = [rival for rival in rivals if rival["cores"] <= ours["cores"]]
    best = min(fair, key=seconds)
    return best["name"], seconds(best) / seconds(ours)
    ### END SOLUTION


# %% points=3
exercise05.check_against_the_best(against_the_best)
