# %% [markdown]
# # Exercises 4. Decoupled training
#
# Lesson: [Decoupled training](../04_decoupled_training.ipynb). About 40 minutes.
#
# Replace each `raise NotImplementedError` and run the cell after it: it says what is wrong, if
# anything is. `pytest notebooks/exercises` runs the same checks from a terminal. The conventions
# are the lesson's: $K$ modules and $K - 1$ interfaces, counted from the bottom, and gradients
# travel per example.

# %%
import numpy as np

from sgdni import Settings, build_trainer, load
from sgdni.analysis.quality import measure
from sgdni.schedules import DivergenceError
from sgdni.training.batches import minibatches
from sgdni_course import exercise04

# %% [markdown]
# ## 1. One decoupled step
#
# Two modules, one interface. You have:
#
# | call | does |
# |---|---|
# | `h = module.forward(h_below)` | runs it, and remembers what backward will need |
# | `delta_below = module.learn(delta)` | backward, then update; returns the gradient at its input |
# | `delta_hat = sg.predict(h, c)` | $M$'s guess |
# | `sg.fit(h, c, target)` | moves $M$ towards a target |
# | `losses, delta = loss(h, y)` | each example's loss, and the true gradient at the top |
#
# What `learn` returns was taken with the weights from before the update. The lowest module may be
# given `input_gradient=False`, since nobody asks for it there. The bottom module must not wait
# for the top one. Return the mean of the losses.


# %%
def decoupled_step(bottom, top, sg, loss, x, y, c):
    """Train both modules and the SG model on one minibatch; return the mean loss, a number.

    x (B, n_in) inputs, y (B,) labels, c (B, classes) one-hot labels.
    """
    ### BEGIN SOLUTION
    h1 = bottom.forward(x)
    bottom.learn(sg.predict(h1, c), input_gradient=False)
    losses, delta2 = loss(top.forward(h1), y)
    target = top.learn(delta2)
    sg.fit(h1, c, target)
    return losses.mean()
    ### END SOLUTION


# %% points=3
exercise04.check_decoupled_step(decoupled_step)

# %% [markdown]
# ## 2. Who does what on a stochastic step
#
# Each of $K$ modules tosses a coin: `updates[i]` says whether module $i + 1$ learns from this
# minibatch. (In code we count from 0.) Besides, models are fitted only on every `fit_every`-th
# step, that is on steps 0, `fit_every`, 2 `fit_every` and so on. Which models have to predict,
# and which are fitted? No more than needed: a guess that nobody learns from is not made.


# %%
def who(updates, step, fit_every):
    """Which SG models predict and which are fitted on this step.

    updates (K,) of bool, step counted from 0; returns predicts (K - 1,) and fits (K - 1,) of bool,
    one for each interface, where entry i belongs to the model above module i.
    """
    ### BEGIN SOLUTION
    predicts = updates[:-1]
    fits = updates[1:] & (step % fit_every == 0)
    return predicts, fits
    ### END SOLUTION


# %% points=2
exercise04.check_who(who)

# %% [markdown]
# ## 3. Own error and error from above
#
# The error of a guess splits in two, $\hat\delta - \delta = (\hat\delta - \mathrm{target}) +
# (\mathrm{target} - \delta)$: what the model makes itself, and what its target already had from
# the interfaces above. Measure the squares of both parts **as shares of the same thing**, the
# true gradient's: sums over examples and units, divided by $\sum \|\delta\|^2$. The square of a
# sum has a third term, twice the product of the two; return it, too.


# %%
def split_error(delta_hat, target, delta):
    """Return own, from_above and cross, three numbers that add up to the relative squared error.

    delta_hat the guess, target what it is fitted to, delta the truth: each (B, n).
    """
    ### BEGIN SOLUTION
    own_part, part_from_above = delta_hat - target, target - delta
    size = np.sum(delta**2)
    own = np.sum(own_part**2) / size
    from_above = np.sum(part_from_above**2) / size
    cross = 2 * np.sum(own_part * part_from_above) / size
    return own, from_above, cross
    ### END SOLUTION


# %% points=2
exercise04.check_split_error(split_error)

# %% [markdown]
# ## 4. Read a failure
#
# You have the errors of every interface after every step, against the truth and against the
# target. Find where it began: the **first step** at which any error against the truth is above
# `limit`; on that step, of the interfaces above it, the **uppermost**, since those below inherit
# from it. Its cause is `"fit"` when the model does not follow its target either (that error is
# above `limit`, too), and `"above"` when it does.


# %%
def first_failure(error, target_error, limit):
    """Return (step, interface, cause) of the first failure, or (-1, 0, "none") without one.

    error, target_error (steps, K - 1), against the truth and against the target; the returned step
    counts from 0 as the rows do, the interface from 1 at the bottom.
    """
    ### BEGIN SOLUTION
    bad_steps = np.nonzero((error > limit).any(axis=1))[0]
    if len(bad_steps) == 0:
        return -1, 0, "none"
    step = bad_steps[0]
    i = np.nonzero(error[step] > limit)[0][-1]
    return step, i + 1, "fit" if target_error[step, i] > limit else "above"
    ### END SOLUTION


# %% points=2
exercise04.check_first_failure(first_failure)

# %% [markdown]
# Now let it read real failures. Uncomment the last lines when it is written, then try other
# settings: `batch_norm=True`, `fit_every=16`, `activation="tanh"`.


# %%
def errors_of_a_run(**settings):
    """Train cdni-ls for up to two epochs; return its errors step by step, and what stopped it."""
    data = load("mnist-5k")
    trainer = build_trainer("cdni-ls", Settings(hidden=(128, 128, 128), **settings), data)
    set_aside = minibatches(data.x_train[::16], data.y_train[::16], 125, np.random.default_rng(0))
    probe = [(x.copy(), y) for x, y in set_aside]
    steps, message = [], "ran to its end"
    try:
        for _ in range(2):
            trainer.epoch(lambda result: steps.append(measure(trainer.schedule.network, probe)))
    except DivergenceError as error:
        message = str(error)
    return (np.array([[q.relative_error for q in step] for step in steps]),
            np.array([[q.target_error for q in step] for step in steps]), message)


# %%
# error, target_error, message = errors_of_a_run(batch_norm=False, lr=0.03)
# print(message)
# print(first_failure(error, target_error, limit=1.3))
