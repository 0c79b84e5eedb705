"""Checks of the exercises to lesson 8, convolutions and the complete unlock."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sgdni.layers import Conv2D
from sgdni.synthetic import ReluInput
from sgdni_course.answers import ask, compare, well_done

ANSWERS = ("leaks and harms", "leaks", "harms, but not by a leak", "fine")
WORK = ("image", "real", "synthetic", "nothing")


def check_conv_backward_params(conv_backward_params: Callable) -> None:
    """Check ``conv_backward_params(x, W, dy) -> dW, db`` against the package's."""
    layer, x, dy = _convolution(80)
    layer.forward(x[None])
    layer.backward(dy[None])
    W, right = layer.params["W"], layer.grads["W"]
    dW, db = ask(conv_backward_params, x, W, dy, parts="dW db")
    compare("db", db, layer.grads["b"], {
        "is the mean over places: b was added at every place, so sum":
            dy.mean(axis=(0, 1)),
        "has an entry for each place: sum over both of an image's axes": dy,
        "is summed over one axis of the image only": dy.sum(axis=0),
        "is one number for all channels: each has a bias of its own": dy.sum(),
    })
    height, width, _ = dy.shape
    places = height * width
    compare("dW", dW, right, {
        "is turned round: that is for the gradient of the input": right[::-1, ::-1],
        "has rows and columns of the kernel changed round": right.swapaxes(0, 1),
        "has the channels changed round: it is x' dy, (n_in, n_out)": right.swapaxes(2, 3),
        "is the mean over places: gradients of shared weights add up": right / places,
        "is that of the last place: add up over places": _at(x, W, dy, height - 1, width - 1),
        "is that of the first place: add up over places": _at(x, W, dy, 0, 0),
        "has the same matrix everywhere: entry (i, j) has seen the image from pixel (i, j) on":
            np.broadcast_to(right[0, 0], right.shape),
    })
    well_done(conv_backward_params, "The input correlated with dy: a convolution again.")


def check_conv_backward_input(conv_backward_input: Callable) -> None:
    """Check ``conv_backward_input(W, dy) -> dx`` against the package's."""
    layer, x, dy = _convolution(81)
    layer.forward(x[None])
    right, W = layer.backward(dy[None])[0].copy(), layer.params["W"]
    k = layer.size

    def with_kernel(kernel: np.ndarray) -> np.ndarray:
        """Return dx by a kernel (k, k, n_out, n_in), slid as it is over dy with zeros around."""
        around = np.pad(dy, ((k - 1, k - 1), (k - 1, k - 1), (0, 0)))
        return sum(around[i:i + x.shape[0], j:j + x.shape[1]] @ kernel[i, j]
                   for i, j in np.ndindex(k, k))

    transposed = W.swapaxes(2, 3)
    dx, = ask(conv_backward_input, W, dy)
    compare("dx", dx, right, {
        "comes from the kernel as it is: turn it by half a turn, W[::-1, ::-1]":
            with_kernel(transposed),
        "comes from a kernel that is turned up and down only: turn it left and right, too":
            with_kernel(transposed[::-1]),
        "comes from a kernel that is turned left and right only: turn it up and down, too":
            with_kernel(transposed[:, ::-1]),
        "comes from a kernel whose rows and columns are changed round: turned is not transposed":
            with_kernel(transposed.swapaxes(0, 1)),
        "has the middle of the image only: k - 1 zeros go around dy on each side":
            right[k - 1:x.shape[0] - k + 1, k - 1:x.shape[1] - k + 1],
        "is divided by the number of weights that see a pixel: what they send back adds up":
            right / k**2,
    })
    well_done(conv_backward_input, "dy correlated with the turned kernel: a convolution, thrice.")


def check_synthetic_input(synthetic_input: Callable) -> None:
    """Check ``synthetic_input(W, z, c, e, residuals, order) -> h`` against its formula."""
    W, z, c, e, h = _messages(82)
    model = _model(W, z, c, e)
    residuals = h - model.mean(z, c)
    order = np.array([3, 0, 4, 4, 1])
    mean = model.mean(z, c)

    def of(mean: np.ndarray, added: np.ndarray) -> np.ndarray:
        return np.maximum(mean + added, 0)

    made, = ask(synthetic_input, W, z, c, e, residuals, order)
    raw = _features(z, e * c) @ W
    compare("h", made, of(mean, residuals[order]), {
        "gives each example its own residual: take residuals[order]": of(mean, residuals),
        "lacks the residuals: made-up inputs are to be as varied as real ones": mean,
        "is not clipped in the end: a ReLU's outputs are never negative": mean + residuals[order],
        "is clipped in the end only: the mean is rectified before the residuals are added":
            of(raw, residuals[order]),
        "lacks the emphasis: the label's part is e c":
            of(np.maximum(_features(z, c) @ W, 0), residuals[order]),
        "has the emphasis on the view as well: it belongs to the label alone":
            of(np.maximum(_features(e * z, e * c) @ W, 0), residuals[order]),
        "lacks the constant 1, the last feature":
            of(np.maximum(raw - W[-1], 0), residuals[order]),
        "takes residuals away: they are what the mean misses, so add them":
            of(mean, -residuals[order]),
    })
    well_done(synthetic_input, "As varied as the real ones, and as cheap as a product.")


def check_teach_input(teach_input: Callable) -> None:
    """Check ``teach_input(W, z, c, e, h, rate) -> W_new, residuals`` against the package's."""
    W, z, c, e, h = _messages(83)
    rate, B = 0.3, len(z)
    model, features = _model(W, z, c, e, rate), _features(z, e * c)
    mean = model.mean(z, c)
    model.fit(z, c, h)
    step = model.W - W
    new, residuals = ask(teach_input, W, z, c, e, h, rate, parts="W_new residuals")
    compare("residuals", residuals, h - mean, {
        "have the wrong sign: h - mean, what the mean misses": mean - h,
        "are those of the mean before it is rectified": h - features @ W,
        "are those after the step: take them first": h - np.maximum(features @ model.W, 0),
        "are clipped at zero: they go both ways": np.maximum(h - mean, 0),
        "are zero where the mean was cut: the delta rule does not ask": (h - mean) * (mean > 0),
        "lack the emphasis: the label's part is e c":
            h - np.maximum(_features(z, c) @ W, 0),
    })
    compare("W_new", new, model.W, {
        "is the step alone: add it to W": step,
        "goes away from h: W + rate ..., since residuals are h - mean": W - step,
        "is not divided by B: the rate is for the mean over the minibatch": W + B * step,
        "lacks the rate": W + step / rate,
        "does not learn where the mean was cut: a unit at zero must be able to come back":
            W + rate / B * features.T @ ((h - mean) * (mean > 0)),
        "lacks the emphasis in the step: the features are the same as in the mean":
            W + rate / B * _features(z, c).T @ (h - mean),
    })
    well_done(teach_input, "No other module was asked: all it took was a message.")


def check_decide(decide: Callable) -> None:
    """Check ``decide(i, policy, message) -> work, teaches``."""
    for i, policy, message, right, hint in _moments():
        work, teaches = ask(decide, i, policy, message, parts="work teaches")
        case = f'module {i}, "{policy}", {"a" if message else "no"} message'
        assert isinstance(work, str) and work in WORK, (
            f"your answer {work!r:.60} is none of {', '.join(WORK)}"
        )
        assert work == right[0], f'{case}: you work on "{work}": {hint}'
        assert bool(teaches) == right[1], (
            f"{case}: you {'teach' if teaches else 'do not teach'} the input model: "
            + ("a real message teaches it, whatever is worked on" if right[1] else
               "there is none to teach, or nothing to teach it with")
        )
    well_done(decide, "With an empty mailbox one of the three policies stands still.")


def check_read_labels(read_labels: Callable) -> None:
    """Check ``read_labels(h, W, n_view, e) -> labels``."""
    rng = np.random.default_rng(84)
    n_view, classes, B, e = 6, 10, 40, 0.5
    W = rng.standard_normal((n_view + classes + 1, 24))
    W[-1] *= 20
    labels, z = rng.integers(classes, size=B), 3 * rng.standard_normal((B, n_view))
    h = _features(z, e * np.eye(classes)[labels]) @ W
    back = h @ np.linalg.pinv(W)
    got, = ask(read_labels, h, W, n_view, e)
    compare("labels", got, labels, {
        "are the places in the whole row of features: skip the view and the constant":
            back.argmax(axis=1),
        "count the view's numbers in: take n_view off": labels + n_view,
        "have the constant 1 among the classes: it is the last feature, so leave it out":
            back[:, n_view:].argmax(axis=1),
        "are one-hot rows: say which entry is the largest": np.eye(classes)[labels],
        "are still multiplied by e": e * np.eye(classes)[labels],
        "come from the transpose of W, which is not its inverse: use the pseudo-inverse":
            (h @ W.T)[:, n_view:-1].argmax(axis=1),
    })
    well_done(read_labels, "Every one of them, and no image was needed.")


def check_diagnose(diagnose: Callable) -> None:
    """Check ``diagnose(made_up, true, follows, control) -> one of ANSWERS``."""
    for right, arguments, hint in _cases():
        answer, = ask(diagnose, *arguments)
        assert isinstance(answer, str) and answer in ANSWERS, (
            f"your answer {answer!r:.60} is none of {'; '.join(ANSWERS)}"
        )
        assert answer == right, f'your answer is "{answer}" where it should be "{right}": {hint}'
    well_done(diagnose, "A contradiction shows what a module looks at; a control what it costs.")


def _convolution(seed: int) -> tuple[Conv2D, np.ndarray, np.ndarray]:
    """Return a layer, an image and a cotangent, no two of whose sizes are alike."""
    rng = np.random.default_rng(seed)
    layer = Conv2D(2, 4, 3, rng, dtype=np.float64)
    return layer, rng.standard_normal((7, 8, 2)), rng.standard_normal((5, 6, 4))


def _at(x: np.ndarray, W: np.ndarray, dy: np.ndarray, r: int, c: int) -> np.ndarray:
    """Return the gradient of W from one place alone."""
    k = len(W)
    return np.einsum("ijm,n->ijmn", x[r:r + k, c:c + k], dy[r, c])


def _features(z: np.ndarray, label_part: np.ndarray) -> np.ndarray:
    return np.concatenate([z, label_part, np.ones((len(z), 1))], axis=1)


def _messages(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, float, np.ndarray]:
    """Return W, z, c, e and real h of five examples."""
    rng = np.random.default_rng(seed)
    z, c = rng.standard_normal((5, 3)), np.eye(4)[[0, 2, 1, 2, 3]]
    W = 0.4 * rng.standard_normal((8, 6))
    return W, z, c, 2.5, np.maximum(rng.standard_normal((5, 6)) + 0.3, 0)


def _model(W: np.ndarray, z: np.ndarray, c: np.ndarray, e: float, rate: float = 0.2
           ) -> ReluInput:
    model = ReluInput(z.shape[1], c.shape[1], W.shape[1], np.random.default_rng(0), rate=rate,
                      emphasis=e, dtype=np.float64)
    model.W[...] = W
    return model


def _moments() -> list[tuple[int, str, bool, tuple[str, bool], str]]:
    """Return (module, policy, message?, right answer, hint), the simplest first."""
    lowest = "the lowest module has the image, whatever the policy"
    empty = "an empty mailbox is no reason to stand still, but with the policy that waits"
    return [
        (2, "wait", True, ("real", False), "what it waited for is there"),
        (2, "wait", False, ("nothing", False), "this policy waits"),
        (2, "synthetic", True, ("synthetic", True), "a real message only teaches, here"),
        (2, "synthetic", False, ("synthetic", False), empty),
        (1, "either", True, ("real", True), "a real message comes before a made-up one"),
        (1, "either", False, ("synthetic", False), empty),
        *((0, policy, False, ("image", False), lowest)
          for policy in ("either", "synthetic", "wait")),
    ]


def _cases() -> list[tuple[str, tuple[float, float, float, float], str]]:
    """Return (right answer, arguments, hint), the simplest first."""
    return [
        ("fine", (0.90, 0.92, 0.01, 0.92), "it does not follow the label, and is as good as the "
         "control"),
        ("leaks and harms", (1.00, 0.87, 0.99, 0.93), "it follows a wrong label, and the control "
         "is better"),
        ("leaks", (1.00, 0.92, 0.85, 0.92), "it follows a wrong label, and the control is no "
         "better: a leak need not cost accuracy"),
        ("leaks", (1.00, 0.915, 0.90, 0.92), "half a point below the control is not more than "
         "0.01"),
        ("fine", (1.00, 0.97, 0.02, 0.97), "all right in training, and no label followed: the "
         "task was easy"),
        ("leaks", (0.97, 0.95, 0.80, 0.92), "it follows a wrong label, though it is better than "
         "the control"),
        ("harms, but not by a leak", (0.90, 0.88, 0.03, 0.92), "it is below the control, and does "
         "not follow the label"),
        ("harms, but not by a leak", (1.00, 0.85, 0.05, 0.92), "made_up says nothing of a leak: "
         "look at whom it follows"),
    ]
