"""Usual wrong answers to the exercises of lesson 2.

(a line of the solution, what stands there instead, words of the hint that this must get)
"""

STEP = "step = work.sum() + 2 * links * latency"
IDLE = "idle = 1 - work / step"
MEAN = "return (always + sometimes / k).max()"
DEPTH = "return max(1, int(np.ceil(latency / step)))"
LOWER = "lower = plain[:cut].sum() + predict[cut - 1] + fit[cut - 1] / k"
UPPER = "upper = plain[cut:].sum() - crossing + crossing / k"
PACE = "steps.append(max(lower, upper))"
CUT = "best = int(np.argmin(steps))"
BEST = "return best + 1, steps[best]"

WRONG = [
    (STEP, "step = work.sum()", "your step lacks the latency"),
    (STEP, "step = work.sum() + links * latency", "your step counts every link once"),
    (STEP, "step = work.sum() + 2 * len(work) * latency", "your step counts a link too many"),
    (STEP, "step = work.sum() + 2 * latency", "your step has one link's latency only"),
    (STEP, "step = work.max() + 2 * links * latency", "as if the others were at work meanwhile"),
    (STEP, "step = work.max()", "that is decoupled training"),
    (STEP, "step = forward.sum() + 2 * links * latency", "your step lacks the way back"),
    (STEP, "step = work + 2 * links * latency", "your step has shape (4,), expected ()"),
    ("return step, idle", "return step", "must return 2 values, step, idle"),
    (IDLE, "idle = work / step", "your idle is the share of time that each worker is busy"),
    (IDLE, "idle = step - work", "your idle is in seconds"),
    (IDLE, "idle = 1 - work.mean() / step", "your idle is the mean over the workers"),
    (IDLE, "idle = 1 - work / work.sum()", "forgets that workers wait for messages too"),
    (IDLE, "idle = 1 - forward / step", "your idle counts forward only as work"),
    (IDLE, "idle = work / step - 1", "your idle has the wrong sign"),
    (MEAN, "return (always + sometimes).max()", "your step fits on every step"),
    (MEAN, "return (always + target + fit / k).max()", "your step has the target on every step"),
    (MEAN, "return (always + fit + target / k).max()", "your step has the fit on every step"),
    (MEAN, "return (forward + learn + (predict + sometimes) / k).max()",
     "without a prediction there is no update"),
    (MEAN, "return (forward + learn + sometimes / k).max()", "your step lacks the prediction"),
    (MEAN, "return (always + fit / k).max()", "your step lacks the target"),
    (MEAN, "return (always + target / k).max()", "your step lacks the fit"),
    (MEAN, "return (always + sometimes / k).sum()", "your step is the sum over the workers"),
    (MEAN, "return (always + sometimes / k).mean()", "your step is the mean over the workers"),
    (MEAN, "return always + sometimes / k", "which of them sets the pace?"),
    (MEAN, "return ((always + sometimes) / k).max()", "has the k-th part of everything"),
    (MEAN, "return (forward + learn + target).max()", "without the SG model"),
    (DEPTH, "return latency / step", "is not rounded"),
    (DEPTH, "return int(latency / step)", "the queue is full before the first message"),
    (DEPTH, "return max(1, int(latency / step))", "(and then raised to 1)"),
    (DEPTH, "return round(latency / step)", "is rounded to the nearest"),
    (DEPTH, "return max(1, round(latency / step))", "rounded to the nearest"),
    (DEPTH, "return 1 + int(latency / step)", "where the latency is a multiple of the step"),
    (DEPTH, "return 1 + int(np.ceil(latency / step))", "those on the way are counted already"),
    (DEPTH, "return max(1, int(np.ceil(2 * latency / step)))", "counts the way back"),
    (DEPTH, "return int(np.ceil(step / latency))", "is upside down"),
    (DEPTH, "return int(np.ceil(latency / step))", "a message needs room for itself"),
    (CUT, "best = int(np.argmax(steps))", "is that of the worst cut"),
    (PACE, "steps.append(lower + upper)", "is the work of both workers together"),
    (PACE, "steps.append(min(lower, upper))", "is that of the faster worker"),
    (LOWER, "lower = plain[:cut].sum()", "leaves out the SG model"),
    ("crossing = target[cut]", "predict, fit, crossing = 0 * predict, 0 * fit, 0",
     "is that of plain backprop in both workers"),
    (LOWER, "lower = plain[:cut].sum() + predict[cut - 1] + fit[cut - 1]", "has the fit on every"),
    (LOWER, "lower = plain[:cut].sum() + predict[cut] + fit[cut] / k", "of the layer above"),
    (UPPER, "upper = plain[cut:].sum()", "has the target for the lower worker on every step"),
    ("crossing = target[cut]", "plain, crossing = forward + learn + target / k, 0",
     "leaves out gradients inside the modules"),
    (BEST, "return best, steps[best]", "counts from 0"),
    (BEST, "return best + 2, steps[best]", "is one too high"),
    (BEST, "return len(plain) - best - 1, steps[best]", "is the number of layers of the upper"),
    (BEST, "return best + 1", "must return 2 values, cut, step"),
]
