"""Usual wrong answers to the exercises of lesson 3.

(a line of the solution, what stands there instead, words of the hint that this must get)
"""

ERROR = "error = np.sum((guess - delta) ** 2) / np.sum(delta**2)"
COSINE = "cosine = inner / np.sqrt(np.sum(guess**2) * np.sum(delta**2))"
BEST = "s = inner / np.sum(guess**2)"
FEATURES = "F = np.hstack([h, c, np.ones((len(h), 1))])"
STEP = "new_W = W - lr * F.T @ (F @ W - delta) / len(h)"
PENALTY = "penalty = ridge * np.trace(S) / len(S)"
SOLVE = "return np.linalg.solve(S + penalty * np.eye(len(S)), T)"
GUESS = "guess2 = np.hstack([h2, c, np.ones((len(h2), 1))]) @ W_M"
TARGET = "target1 = (guess2 * (a2 > 0)) @ W2.T"

WRONG = [
    (ERROR, "error = np.sqrt(np.sum((guess - delta) ** 2) / np.sum(delta**2))", "has a root"),
    (ERROR, "error = np.sum((guess - delta) ** 2)", "is the plain sum of squares"),
    (ERROR, "error = np.mean((guess - delta) ** 2)", "is the mean of squares"),
    (ERROR, "error = np.sum((guess - delta) ** 2) / np.sum(guess**2)", "relative to the guess"),
    (ERROR, "error = np.mean(np.sum((guess - delta)**2, axis=1) / np.sum(delta**2, axis=1))",
     "your error is a mean of each example's ratio"),
    (ERROR, "error = np.sum((guess - delta)**2, axis=1) / np.sum(delta**2, axis=1)",
     "your error still has one number for each example"),
    (COSINE, "cosine = inner", "your cosine is the inner product alone"),
    (COSINE, "cosine = inner / (np.sum(guess**2) * np.sum(delta**2))", "lacks the root"),
    (COSINE, "cosine = inner**2 / (np.sum(guess**2) * np.sum(delta**2))", "is squared"),
    (COSINE, "cosine = np.mean(np.sum(guess * delta, axis=1) / np.linalg.norm(guess, axis=1)"
     " / np.linalg.norm(delta, axis=1))", "your cosine is a mean of each example's cosine"),
    (COSINE, "cosine = np.sum(guess * delta, axis=1) / np.linalg.norm(guess, axis=1)"
     " / np.linalg.norm(delta, axis=1)", "your cosine still has one number for each example"),
    (BEST, "s = inner / np.sum(delta**2)", "your s is divided by the squares of delta"),
    (BEST, "s = np.linalg.norm(delta) / np.linalg.norm(guess)", "as long as delta"),
    (BEST, "s = np.sum(guess**2) / inner", "your s is upside down"),
    (BEST, "s = cosine", "your s is the cosine"),
    ("return error, cosine, s", "return error, cosine", "must return 3 values"),
    (FEATURES, "F = np.hstack([h, c]); W = W[:-1]", "your F lacks the column of ones"),
    (FEATURES, "F = np.hstack([h, np.ones((len(h), 1))]); W = W[:len(F.T)]",
     "your F lacks the labels"),
    (FEATURES, "F = np.hstack([c, h, np.ones((len(h), 1))])", "your F has c before h"),
    (FEATURES, "F = np.hstack([np.ones((len(h), 1)), h, c])", "your F has the ones in front"),
    (STEP, "new_W = W + lr * F.T @ (F @ W - delta) / len(h)", "went up the error"),
    (STEP, "new_W = W - lr * F.T @ (F @ W - delta)", "step that is not divided by B"),
    (STEP, "new_W = W - 2 * lr * F.T @ (F @ W - delta) / len(h)", "has twice the step"),
    (STEP, "new_W = W - F.T @ (F @ W - delta) / len(h)", "your new_W lacks lr"),
    (STEP, "new_W = -lr * F.T @ (F @ W - delta) / len(h)", "is the step alone"),
    (STEP, "new_W = F.T @ (F @ W - delta) / len(h)", "is the gradient alone"),
    (STEP, "new_W = W + lr * F.T @ delta / len(h)", "followed the target alone"),
    (STEP, "new_W = W - lr * F.T @ (F @ W - delta) / delta.size", "divide by B alone"),
    (STEP, "W -= lr * F.T @ (F @ W - delta) / len(h); new_W = W", "altered its argument number 1"),
    (PENALTY, "penalty = 0", "your W has no ridge"),
    (SOLVE, "return np.linalg.pinv(S) @ T", "your W has no ridge"),
    (PENALTY, "penalty = ridge", "the ridge in absolute terms"),
    (PENALTY, "penalty = ridge * np.trace(S)", "has the sum of S's diagonal"),
    (PENALTY, "penalty = ridge * np.trace(S) / len(F)", "divides the trace by B"),
    (PENALTY, "penalty = ridge * np.mean(S)", "has the mean over all of S"),
    (SOLVE, "return np.linalg.solve(S + penalty, T)", "has the ridge in every entry of S"),
    (GUESS, "guess2 = np.hstack([h1, c, np.ones((len(h2), 1))]) @ W_M", "is made from h1: M_2"),
    (GUESS, "guess2 = np.hstack([a2, c, np.ones((len(h2), 1))]) @ W_M", "is made from h1 W2 + b2"),
    ("a2 = h1 @ W2 + b2", "a2 = h1 @ W2", "lacks b2"),
    (GUESS, "guess2 = np.hstack([h2, c]) @ W_M[:-1]", "lacks the model's constant"),
    (GUESS, "guess2 = h2 @ W_M[:len(W2)] + W_M[-1]", "your guess2 lacks the labels"),
    ("return guess2, target1", "return guess2 * (a2 > 0), target1",
     "is masked by the ReLU already"),
    (TARGET, "target1 = guess2", "your target1 is the guess itself"),
    (TARGET, "target1 = guess2 * (a2 > 0)", "stops inside the module"),
    (TARGET, "target1 = guess2 @ W2.T", "lacks the ReLU's mask"),
    (TARGET, "target1 = (guess2 * (a2 > 0)) @ W2", "your target1 lacks a transpose"),
    (TARGET, "target1 = (guess2 @ W2.T) * (a2 > 0)", "has the mask after W2"),
    (TARGET, "target1 = (guess2 * (h1 > 0)) @ W2.T", "has the mask from h1"),
    (TARGET, "target1 = (guess2 * (a2 > 0)) @ W_M[:len(W2)].T", "went down through M_2"),
    (TARGET, "target1 = (guess2 * (a2 > 0)) @ W2.T / len(h1)", "your target1 is divided by B"),
]
