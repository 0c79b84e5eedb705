"""Usual wrong answers to the exercises of lesson 9.

(a line of the solution, what stands there instead, words of the hint that this must get)
"""

REST = "return -guess @ np.linalg.inv(A)"
FEATURES = "features = np.concatenate([h, c, np.ones((len(h), 1))], axis=1)"
PUSHES = "return x.T @ guess, h.T @ delta"
LOSS = "return a / 2 * (z - target) ** 2, target"
TARGET = "target = -(C[y] + b) / a"
RIDGE = "S = S + rho * np.trace(S) / len(S) * np.eye(len(S))"
PROBE = "return W, np.mean(guess == y_test)"
GUESS = "guess = ((h_test - mean) @ W + share).argmax(axis=1)"
ALIGNED = "return x.T @ delta / len(x), h.T @ e / len(x)"
DELTA = "delta = e @ B * (h > 0)"
CONTRAST = "return d[~same].mean() - d[same & ~itself].mean()"

WRONG = [
    ("guess = x @ np.linalg.lstsq(x, wanted, rcond=None)[0]", "guess = wanted",
     "your h makes delta^ itself zero"),
    (REST, "return guess @ np.linalg.inv(A)", "your h lacks the minus"),
    (REST, "return -guess", "your h lacks the inverse of A"),
    (REST, "return -guess @ A", "your h has A in place of its inverse"),
    (REST, "return -guess @ np.linalg.inv(A).T", "your h has the inverse of A transposed"),
    ("wanted = c @ C + b", "wanted = c @ C", "your h lacks b"),
    ("wanted = c @ C + b", "wanted = np.tile(b, (len(c), 1))", "your h lacks the labels"),
    ("guess = x @ np.linalg.lstsq(x, wanted, rcond=None)[0]",
     "guess = np.linalg.lstsq(x, wanted, rcond=None)[0]", "your h are the layer's weights"),
    (PUSHES, "return x.T @ delta, h.T @ delta",
     "your push is x' delta: the layer is pushed by the guess"),
    (FEATURES, "features = np.concatenate([h, np.ones((len(h), 1))], axis=1)",
     "your push comes from a model without labels"),
    (FEATURES, "features = np.concatenate([c, np.ones((len(h), 1))], axis=1)",
     "your push comes from a model without h"),
    (FEATURES, "features = np.concatenate([x, c, np.ones((len(h), 1))], axis=1)",
     "your push is x' delta: the layer is pushed by the guess"),
    (PUSHES, "return h.T @ guess, h.T @ delta", "your push is what the model says"),
    (PUSHES, "return x.T @ (delta - guess), h.T @ delta", "your push is what the guess misses"),
    (PUSHES, "return x.T @ guess, x.T @ delta", "your seen is x' delta"),
    (PUSHES, "return x.T @ guess, delta.T @ h", "your seen is transposed"),
    (PUSHES, "return x.T @ guess, h.T @ delta / len(h)", "your seen is divided by N"),
    (PUSHES, "return x.T @ guess", "must return 2 values"),
    (TARGET, "target = (C[y] + b) / a", "your least has the wrong sign"),
    (TARGET, "target = -C[y] / a", "your least lacks b"),
    (TARGET, "target = -b / a", "your least lacks the class's C_y"),
    (TARGET, "target = -(C[y] + b)", "your least is not divided by a"),
    (TARGET, "target = -(C[0] + b) / a", "your least is that of another class"),
    (LOSS, "return a / 2 * (z - target) ** 2, z[np.argmin((z - target) ** 2)]",
     "your least is the best of the given logits"),
    (LOSS, "return a * z + C[y] + b, target", "your loss is the slope"),
    (LOSS, "return a * (z - target) ** 2, target", "your loss lacks the half"),
    (LOSS, "return (z - target) ** 2 / 2, target", "your loss lacks a"),
    (LOSS, "return a / 2 * z**2 + (C[y] + b) * z, target", "your loss is 0 at z = 0"),
    (LOSS, "loss = a / 2 * (z - target) ** 2\n    return loss - loss.min(), target",
     "your loss is 0 at the best of the given logits"),
    (RIDGE, "S = S", "your W has no ridge"),
    (RIDGE, "S = S + rho * np.eye(len(S))", "your W has a ridge that is not relative"),
    (RIDGE, "S = S + rho * np.trace(S) * np.eye(len(S))",
     "your W has a ridge of rho times the sum"),
    (RIDGE, "S = S + rho * np.trace(S) / len(S)", "your W has the ridge in every entry"),
    ("z = h - mean", "z = h", "your W comes from h as it is"),
    (PROBE, "return W.T, np.mean(guess == y_test)", "your W is transposed"),
    (PROBE, "return W, np.mean((z @ W + share).argmax(axis=1) == y)",
     "your accuracy is that on the training examples"),
    (GUESS, "guess = ((h_test - mean) @ W).argmax(axis=1)", "your accuracy lacks the classes'"),
    (GUESS, "guess = ((h_test - h_test.mean(axis=0)) @ W + share).argmax(axis=1)",
     "your accuracy takes away the test examples' own mean"),
    (GUESS, "guess = (h_test @ W + share).argmax(axis=1)",
     "your accuracy comes from h_test as it is"),
    (PROBE, "return W, np.sum(guess == y_test)", "your accuracy counts the examples"),
    (PROBE, "return W, np.mean(guess != y_test)", "your accuracy is the share of wrong answers"),
    (ALIGNED, "return x.T @ delta / len(x), h.T @ e", "your dW2 is the sum over the minibatch"),
    ("e = p / p.sum(axis=1, keepdims=True) - c", "e = c - p / p.sum(axis=1, keepdims=True)",
     "your dW2 has the wrong sign"),
    ("e = p / p.sum(axis=1, keepdims=True) - c", "e = h @ W2 - c", "your dW2 lacks the softmax"),
    (ALIGNED, "return x.T @ delta / len(x), (x @ W1).T @ e / len(x)", "your dW2 comes from x"),
    (ALIGNED, "return x.T @ delta / len(x), e.T @ h / len(x)", "your dW2 is transposed"),
    (DELTA, "delta = e @ W2.T * (h > 0)", "your dW1 is backpropagation's"),
    (DELTA, "delta = e @ B", "your dW1 lets everything through"),
    (ALIGNED, "return x.T @ delta, h.T @ e / len(x)", "your dW1 is the sum over the minibatch"),
    (DELTA, "delta = e @ B * h", "your dW1 is multiplied by h"),
    (DELTA, "delta = e @ B * (h > 0) / len(x)",
     "your dW1 is divided by the size of the minibatch twice"),
    (DELTA, "delta = -c @ B * (h > 0)", "your dW1 comes from the label alone"),
    (CONTRAST, "return d[~same].mean() - d[same].mean()", "counts an image with itself"),
    (CONTRAST, "return d[same & ~itself].mean() - d[~same].mean()",
     "your contrast is turned round"),
    (CONTRAST, "return d[~same].mean()", "your contrast is the mean between classes"),
    (CONTRAST, "return d[same & ~itself].mean()", "your contrast is the mean within classes"),
    (CONTRAST, "return d[~same].mean() / d[same & ~itself].mean()", "your contrast is a ratio"),
    (CONTRAST, "return d[~same].sum() - d[same].sum()", "the difference of two sums"),
    (CONTRAST, "return d[~same].mean() - d[~itself].mean()", "compares with all pairs"),
    (CONTRAST, "return d[~same].mean() - np.mean([d[np.ix_(y == k, y == k)][\n"
     "        ~np.eye(np.sum(y == k), dtype=bool)].mean() for k in set(y)])",
     "weighs every class alike"),
]
