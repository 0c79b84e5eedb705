"""Usual wrong answers to the exercises of lesson 5.

(a line of the solution, what stands there instead, words of the hint that this must get)
"""

THERE = "there = accuracy >= target"
FIRST = "return np.where(there, seconds, np.inf).min(axis=1)"
RATIOS = "ratios[there] = theirs[there] / ours[there]"
ZEROS = "ratios = np.zeros(len(ours))"
MEDIAN = "return np.median(ratios)"
ALLOWED = "allowed = claim * more_steps * ours.max()"
LINKS = "links = len(theirs) - 1"
LATENCY = "return max(0.0, (allowed - theirs.sum()) / (2 * links))"
WORK = "work = backprop.sum() / alone.sum()"
BALANCE = "balance = alone.mean() / alone.max()"
COMPANY = "company = alone.max() / together.max()"
WAITING = "waiting = together.max() / step"
FAIR = 'fair = [rival for rival in rivals if rival["cores"] <= ours["cores"]]'
BEST = "best = min(fair, key=seconds)"
ANSWER = 'return best["name"], seconds(best) / seconds(ours)'

WRONG = [
    (FIRST, "return seconds[np.arange(len(seconds)), there.argmax(axis=1)]",
     "finite for a repeat that never got there"),
    (FIRST, "return np.where(there, seconds, seconds[:, -1:]).min(axis=1)",
     "finite for a repeat that never got there"),
    (FIRST, "return np.where(there, seconds, np.inf).min(axis=1)[there.any(axis=1)]",
     "leaves out the repeat that never got there"),
    (FIRST, "return np.where(there, seconds, np.inf).min()", "your time has shape ()"),
    (FIRST, "return np.where(there, seconds, np.inf).max(axis=1)",
     "is infinite where it should not"),
    (FIRST, "return 'soon'", "is no array of numbers"),
    (THERE, "there = accuracy > target", "asks for more than the target"),
    (THERE, "there = (accuracy >= target)[:, ::-1].cumprod(axis=1)[:, ::-1].astype(bool)",
     "as if a curve had to stay above"),
    (THERE, "there = (accuracy >= target) & (accuracy == accuracy.max(axis=1, keepdims=True))",
     "is the time of the best accuracy"),
    (FIRST, "return np.where(there.any(axis=1), there.argmax(axis=1), np.inf)",
     "is the number of the test"),
    (RATIOS, "ratios[there] = ours[there] / theirs[there]", "is upside down"),
    (MEDIAN, "return np.median(theirs) / np.median(ours)", "is the ratio of the medians"),
    (MEDIAN, "return np.mean(ratios)", "is the mean"),
    (MEDIAN, "return ratios", "is one ratio for each repeat"),
    (MEDIAN, "return np.median(ratios[np.isfinite(theirs) & there])",
     "leaves out repeats that never got there"),
    (ZEROS, "ratios = np.isinf(theirs) * 1.0", "calls a repeat in which neither got there a tie"),
    (ZEROS, "return np.median(theirs / ours)", "infinite over infinite is 0 here"),
    (ALLOWED, "allowed = claim * ours.max()", "forgets that decoupled training needs more steps"),
    (ALLOWED, "allowed = claim * ours.max() / more_steps", "takes more steps for an advantage"),
    (LATENCY, "return max(0.0, (allowed - theirs.sum()) / links)", "counts every link once"),
    (LINKS, "links = len(theirs)", "counts a link too many"),
    (LINKS, "links = 1", "has one link only"),
    (ALLOWED, "allowed = claim * more_steps * ours.sum()", "adds up the work of decoupled"),
    (ALLOWED, "allowed = claim * more_steps * ours.mean()", "has the mean worker's pace"),
    (LATENCY, "return max(0.0, (allowed - theirs.max()) / (2 * links))",
     "has the busiest worker of backprop too"),
    (LATENCY, "return (more_steps * ours.max() - theirs.sum()) / (2 * links)",
     "is that of a tie"),
    (LATENCY, "return (more_steps * ours.max() / claim - theirs.sum()) / (2 * links)",
     "multiplies their time by the claim"),
    (LATENCY, "return (allowed - theirs.sum()) / (2 * links)", "is negative"),
    (WORK, "work = alone.sum() / backprop.sum()", "your work is upside down"),
    (WORK, "work = backprop.max() / alone.max()", "that is for balance"),
    (WORK, "work = backprop.sum() / together.sum()", "your work is measured in company"),
    (WORK, "work = backprop / alone", "add up first"),
    (BALANCE, "balance = alone.max() / alone.mean()", "your balance is upside down"),
    (BALANCE, "balance = alone.min() / alone.max()", "is the idlest worker's share"),
    (BALANCE, "balance = backprop.mean() / backprop.max()", "is that of backprop's work"),
    (BALANCE, "balance = together.mean() / together.max()", "your balance is measured in company"),
    (BALANCE, "balance = alone.sum() / alone.max()", "K times the mean"),
    (COMPANY, "company = together.max() / alone.max()", "your company is upside down"),
    (COMPANY, "company = alone.sum() / together.sum()", "your company compares the sums"),
    (COMPANY, "company = alone / together", "your company is one factor for each worker"),
    (COMPANY, "company = np.mean(alone / together)", "your company is the mean over the workers"),
    (COMPANY, "company = alone.max() / together[alone.argmax()]", "the factors must telescope"),
    (WAITING, "waiting = step / together.max()", "your waiting is upside down"),
    (WAITING, "waiting = alone.max() / step", "the company counts twice"),
    (WAITING, "waiting = 1 - together.max() / step", "is the share of time spent waiting"),
    (WAITING, "waiting = together.mean() / step", "your waiting has the mean worker"),
    (WAITING, "waiting = together / step", "your waiting is one factor for each worker"),
    (FAIR, "fair = rivals", "had more cores than ours"),
    (FAIR, "fair = [r for r in rivals if r['cores'] == 1]", "no more cores than ours"),
    (FAIR, "fair = [r for r in rivals if r['cores'] == ours['cores']]", "compare times to the"),
    (BEST, "best = max(fair, key=lambda r: r['images_per_second'])", "compare times to the"),
    (BEST, "best = max((r for r in fair if seconds(r) < np.inf), key=seconds)", "is the slowest"),
    (BEST, "best = max(fair, key=seconds)", "never got to the target"),
    (ANSWER, "return 'backprop', seconds(best) / seconds(ours)", "which is none of the rivals'"),
    (ANSWER, 'return best["name"], seconds(ours) / seconds(best)', "your ratio is upside down"),
    (ANSWER, 'return best["name"], ours["images_per_second"] / best["images_per_second"]',
     "is one of images per second"),
    (ANSWER, 'return best["name"], best["images_to_target"] / ours["images_to_target"]',
     "is one of images seen"),
    (ANSWER, 'return best["name"], seconds(best) - seconds(ours)', "is a difference in seconds"),
]
