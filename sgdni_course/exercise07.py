"""Checks of the exercises to lesson 7, synthetic gradients in time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sgdni.layers import RNN
from sgdni_course.answers import ask, compare, well_done

ANSWERS = ("diverged", "fine", "explains itself", "does not follow", "not yet")


def check_rnn_backward(rnn_backward: Callable) -> None:
    """Check ``rnn_backward(x, h, h_before, U, A, d_outputs, d_final)`` against the package's."""
    rng = np.random.default_rng(70)
    T, B, n_in, n = 4, 3, 2, 5
    x, d_outputs = rng.standard_normal((T, B, n_in)), rng.standard_normal((T, B, n))
    h_before, d_final = rng.uniform(-0.9, 0.9, (B, n)), rng.standard_normal((B, n))
    layer = RNN(n_in, n, rng, dtype=np.float64)
    U, A = layer.params["U"], layer.params["A"]
    h = layer.forward((x, h_before))[0].copy()

    def right(d_outputs: np.ndarray, d_final: np.ndarray) -> list[np.ndarray]:
        dx, d_before = layer.backward((d_outputs, d_final))
        return [layer.grads["U"].copy(), layer.grads["A"].copy(), layer.grads["b"].copy(),
                dx.copy(), d_before.copy()]

    correct = right(d_outputs, d_final)
    wrong = {
        "leaves out d_final: all later losses reach the window through it":
            right(d_outputs, 0 * d_final),
        "leaves out d_outputs: every tick's own loss adds its gradient on the way":
            right(0 * d_outputs, d_final),
        "has the last tick's output only: every tick has one, so add d_outputs[t] at each":
            right(np.concatenate([0 * d_outputs[:-1], d_outputs[-1:]]), d_final),
        "adds d_final at every tick: it is the gradient of the state after the last one":
            right(d_outputs + np.concatenate([np.broadcast_to(d_final, (T - 1, B, n)),
                                              0 * d_outputs[:1]]), d_final),
        "has no gradient from one tick to the one before: d_h = d_a @ A.T goes on":
            _by_hand(x, h, h_before, U, A, d_outputs, d_final, carry="none"),
        "goes back through A where it should through A.T":
            _by_hand(x, h, h_before, U, A, d_outputs, d_final, carry="untransposed"),
        "lacks the derivative of tanh, 1 - h^2":
            _by_hand(x, h, h_before, U, A, d_outputs, d_final, slope=lambda h: 1.0),
        "has 1 - h for the derivative of tanh, which is 1 - h^2":
            _by_hand(x, h, h_before, U, A, d_outputs, d_final, slope=lambda h: 1 - h),
        "goes from the first tick to the last: gradients go back":
            _by_hand(x, h, h_before, U, A, d_outputs, d_final, order=range(T)),
        "takes h[t] for h[t - 1]: the state that entered the tick":
            _by_hand(x, h, h_before, U, A, d_outputs, d_final, entered=h),
        "takes h[-1], the last output, for the state before the window: at t = 0 that is h_before":
            _by_hand(x, h, h_before, U, A, d_outputs, d_final,
                     entered=np.concatenate([h[-1:], h[:-1]])),
        "leaves out the first tick, where h_before enters":
            _by_hand(x, h, h_before, U, A, d_outputs, d_final,
                     entered=np.concatenate([0 * h[:1], h[:-1]])),
        "is divided by B: gradients travel per example, and those of weights are summed":
            [g / B for g in correct],
        "is divided by T: the ticks' gradients add up": [g / T for g in correct],
    }
    # d_before first: it is the most telling, and where it is wrong so is the rest.
    names = ("dU", "dA", "db", "dx", "d_before")
    answer = ask(rnn_backward, x, h, h_before, U, A, d_outputs, d_final, parts=" ".join(names))
    for i in (4, 2, 0, 1, 3):
        compare(names[i], answer[i], correct[i],
                {hint: parts[i] for hint, parts in wrong.items()
                 if not np.allclose(parts[i], correct[i])})
    well_done(rnn_backward, "d_before came for nothing: it is a target for the window before.")


def check_bootstrapped_target(bootstrapped_target: Callable) -> None:
    """Check ``bootstrapped_target(d_loss, J, guess, ends, asked, gamma) -> later, target``."""
    rng = np.random.default_rng(71)
    B, n = 6, 3
    d_loss, guess = rng.standard_normal((2, B, n))
    J = rng.standard_normal((B, n, n))
    ends = np.array([False, True, False, False, True, False])
    asked = np.array([True, True, False, True, False, True])
    gamma, goes_on = 0.7, ~ends[:, None]

    def back(later: np.ndarray) -> np.ndarray:
        return np.einsum("bj,bji->bi", later, J)

    right_later = gamma * goes_on * guess
    right = d_loss + back(right_later)
    later, target = ask(bootstrapped_target, d_loss, J, guess, ends, asked, gamma,
                        parts="later target")
    compare("later", later, right_later, {
        "goes on where the episode ended: nothing comes after, so it is zero there": gamma * guess,
        "is zero where the episode goes on, and not where it ended": gamma * ends[:, None] * guess,
        "lacks gamma": goes_on * guess,
        "has gamma twice": gamma**2 * goes_on * guess,
        "is masked by `asked`, which is about the state before the window":
            gamma * asked[:, None] * guess,
        "has the window's own gradient in it: that is taken at the state before":
            gamma * goes_on * (guess + d_loss),
    })
    compare("target", target, right[asked], {
        "has a row for every stream: keep those that were asked": right,
        "has zeros where M was not asked: leave these rows out, or M is fitted to zeros":
            right * asked[:, None],
        "keeps the streams that go on after the window: `asked` says of whom M was asked before it":
            right[~ends],
        "keeps the streams that were not asked": right[~asked],
        "is not taken back through the window: later stands at its end, so multiply it by J":
            (d_loss + right_later)[asked],
        "goes through J the wrong way: later[s] @ J[s], a row times J":
            (d_loss + np.einsum("bj,bij->bi", right_later, J))[asked],
        "lacks the window's own losses, the only true part of it": back(right_later)[asked],
        "lacks what comes after the window": d_loss[asked],
        "discounts the window's own losses: gamma belongs to the guess alone":
            (gamma * d_loss + back(right_later))[asked],
        "bootstraps past the end of an episode": (d_loss + back(gamma * guess))[asked],
        "lacks gamma": (d_loss + back(goes_on * guess))[asked],
        "is zero where the episode ended with the window: its own losses still count":
            (goes_on * right)[asked],
    })
    well_done(bootstrapped_target, "Row by row: what became of the states that M was asked about.")


def check_next_losses(next_losses: Callable) -> None:
    """Check ``next_losses(A, b, C, d, n) -> P, q``."""
    rng = np.random.default_rng(72)
    A, b, C, d = _system(rng)
    for n in (1, 5):
        (P, q), (right_P, right_q) = (ask(next_losses, A, b, C, d, n, parts="P q"),
                                      _recursion(A, b, C, d, n))
        columns = _recursion(A.T, b, C, d, n)
        fresh = _recursion(A, b, C, d, n, fresh=True)
        compare("P", P, right_P, {
            "is that of one loss more: start from zero and apply the recursion n times":
                _recursion(A, b, C, d, n + 1)[0],
            "is that of one loss less": _recursion(A, b, C, d, n - 1)[0],
            "has A and A.T changed round: with rows, delta at h' times A.T is delta at h":
                columns[0],
            "is the last loss's share alone: P_n goes into P_{n+1}":
                A @ C @ C.T @ A.T if n > 1 else right_P + 1,
        })
        compare("q", q, right_q, {
            "uses the new P: q_{n+1} is made with P_n, so keep the old one": fresh[1],
            "has A and A.T changed round: with rows, delta at h' times A.T is delta at h":
                columns[1],
            "lacks b P: the next state is h A + b, and P acts on all of it":
                _recursion(A, b, C, d, n, with_b=False)[1],
            "has the sign of d changed: the error is h C - d": _recursion(A, b, C, -d, n)[1],
            "is that of one loss more": _recursion(A, b, C, d, n + 1)[1],
        })
    well_done(next_losses, "With n = jT it is what j sweeps over windows of T find.")


def check_all_losses(all_losses: Callable) -> None:
    """Check ``all_losses(A, b, C, d) -> P, q``."""
    A, b, C, d = _system(np.random.default_rng(73))
    (P, q), (right_P, right_q) = (ask(all_losses, A, b, C, d, parts="P q"),
                                  _recursion(A, b, C, d, 2000))
    near = {n: _recursion(A, b, C, d, n) for n in (1, 5, 10, 20, 50, 100)}
    for i, (name, got, right) in enumerate((("P", P, right_P), ("q", q, right_q))):
        compare(name, got, right, {
            **{f"is that of the next {n} losses: go on until nothing changes, some hundred times":
               pair[i] for n, pair in near.items()},
            "is that of columns, with A and A.T changed round": _recursion(A.T, b, C, d, 2000)[i],
            "counts the loss of the present tick too: that one is no later loss": (
                right_P + C @ C.T, right_q - d @ C.T)[i],
        })
    well_done(all_losses, "A linear M can be exact here, and least squares finds it.")


def check_diagnose(diagnose: Callable) -> None:
    """Check ``diagnose(r2, ratio, loss, chance, control) -> one of ANSWERS``."""
    for right, arguments, hint in _cases():
        answer, = ask(diagnose, *arguments)
        assert isinstance(answer, str) and answer in ANSWERS, (
            f"your answer {answer!r:.60} is none of {', '.join(ANSWERS)}"
        )
        assert answer == right, f'your answer is "{answer}" where it should be "{right}": {hint}'
    well_done(diagnose, "A model's own error is the last thing to look at.")


def _by_hand(x: np.ndarray, h: np.ndarray, h_before: np.ndarray, U: np.ndarray, A: np.ndarray,
             d_outputs: np.ndarray, d_final: np.ndarray, *, carry: str = "",
             slope: Callable = lambda h: 1 - h**2, order: range | None = None,
             entered: np.ndarray | None = None) -> list[np.ndarray]:
    """Return what the usual mistakes give."""
    if entered is None:
        entered = np.concatenate([h_before[None], h[:-1]])
    d_all, d_h = np.zeros_like(h), d_final
    for t in order or reversed(range(len(x))):
        d_all[t] = (d_h + d_outputs[t]) * slope(h[t])
        d_h = {"none": 0 * d_h, "untransposed": d_all[t] @ A}.get(carry, d_all[t] @ A.T)
    if carry == "none":
        d_h = d_all[0] @ A.T
    return [np.einsum("tbi,tbj->ij", x, d_all), np.einsum("tbi,tbj->ij", entered, d_all),
            d_all.sum(axis=(0, 1)), d_all @ U.T, d_h]


def _system(rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    A = rng.standard_normal((3, 3))
    A *= 0.85 / abs(np.linalg.eigvals(A)).max()
    return A, rng.standard_normal(3), rng.standard_normal((3, 2)), rng.standard_normal(2)


def _recursion(A: np.ndarray, b: np.ndarray, C: np.ndarray, d: np.ndarray, n: int, *,
               fresh: bool = False, with_b: bool = True) -> tuple[np.ndarray, np.ndarray]:
    P, q = np.zeros_like(A), np.zeros_like(b)
    for _ in range(n):
        P_next = A @ (C @ C.T + P) @ A.T
        q = ((b @ C - d) @ C.T + with_b * (b @ (P_next if fresh else P)) + q) @ A.T
        P = P_next
    return P, q


def _cases() -> list[tuple[str, tuple, str]]:
    """Return (right answer, arguments, hint), the simplest first."""
    chance, control = np.log(4), 1.1
    fine = (np.array([0.05, 0.1, 0.2]), np.array([0.01, 0.01, 0.02]), np.array([1.3, 0.9, 0.3]))
    return [
        ("fine", (*fine, chance, control), "the loss is below the control's"),
        ("explains itself",
         (np.array([0.8, 0.9, 0.9]), np.array([0.6, 0.6, 0.5]), np.array([1.4, 1.41, 1.4]),
          chance, control),
         "M explains its targets, its guesses are large, and the network is no better than the "
         "control"),
        ("explains itself",
         (np.array([0.8, 0.9, 0.9]), np.array([0.6, 0.6, 0.5]), np.array([1.4, 1.3, 1.2]),
          chance, control),
         "better than chance and worse than the control, so hold it against the control"),
        ("does not follow",
         (np.array([0.2, 0.0, -0.1]), np.array([0.01, 0.01, 0.01]), np.array([1.3, 1.2, 1.2]),
          chance, control),
         "the last r2 is below 0.05, and below 0 counts as well"),
        ("does not follow",
         (np.array([0.0, 0.0, 0.0]), np.array([0.5, 0.5, 0.5]), np.array([1.3, 1.2, 1.2]),
          chance, control),
         "guesses are large, but M explains nothing, not even itself"),
        ("not yet",
         (np.array([0.1, 0.2, 0.7]), np.array([0.01, 0.01, 0.02]), np.array([1.4, 1.3, 1.2]),
          chance, control),
         "r2 is high but the guesses are small: M may just be right"),
        ("not yet",
         (np.array([0.9, 0.4, 0.2]), np.array([0.9, 0.3, 0.2]), np.array([1.4, 1.3, 1.2]),
          chance, control),
         "judge by the last entries"),
        ("fine",
         (np.array([0.9, 0.9, 0.9]), np.array([0.6, 0.5, 0.5]), np.array([1.3, 0.6, 0.1]),
          chance, control),
         "the loss comes first: below the control's, whatever r2 is"),
        ("diverged",
         (fine[0], fine[1], np.array([1.3, np.inf, 0.3]), chance, control),
         "an entry that is not finite counts wherever it is"),
        ("diverged",
         (np.array([0.3, np.nan, 0.2]), fine[1], fine[2], chance, control),
         "an entry that is not finite counts in any of the three arrays"),
        ("diverged",
         (fine[0], np.array([0.1, 0.2, np.inf]), fine[2], chance, control),
         "an entry that is not finite counts in any of the three arrays"),
    ]
