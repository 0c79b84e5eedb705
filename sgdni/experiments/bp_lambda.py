"""Do eligibility traces make better synthetic gradients in time, and for how long a memory?

A linear network h' = h A + b + noise with losses |h C - d|^2 / 2 has an affine gradient of all
that is still to come, known exactly, so each model's error is against the truth. A is a slow
rotation times rho: what happens is forgotten by that factor at every step.
"""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from sgdni._util.checks import check_count, check_range
from sgdni.experiments.frame import Experiment, Findings, Progress
from sgdni.optimizers import SGD
from sgdni.plotting.colours import BLUE, VERMILION
from sgdni.plotting.figures import tidy
from sgdni.synthetic import GradientFit, LeastSquaresFit, LinearSG, TraceFit

N, OUTPUTS = 8, 3
RATES = tuple(0.001 * 2.0**k for k in range(9))
FORGETTING = (0.8, 0.9, 0.97, 0.99, 0.997, 1.0)


class World:
    """The network, its losses and the exact gradient of those to come: delta = h P + q."""

    def __init__(self, rho: float, seed: int) -> None:
        rng = np.random.default_rng([seed, 3])
        turn = 0.1 * rng.standard_normal((N, N))  # a slow one, so that later gradients add up
        self.A = rho * np.linalg.solve(np.eye(N) + turn - turn.T, np.eye(N) - turn + turn.T)
        self.C = rng.standard_normal((N, OUTPUTS)) / np.sqrt(N)
        self.b, self.d = 0.1 * rng.standard_normal(N), rng.standard_normal(OUTPUTS)
        self.noise = np.sqrt(1 - rho**2)  # so that the state varies by 1 whatever rho is
        # delta_t = (l_{t+1} + delta_{t+1}) A' with l = (h C - d) C', and the noise is 0 on average.
        A, CC = self.A, self.C @ self.C.T
        self.P, self.q = np.zeros((N, N)), np.zeros(N)
        for _ in range(int(40 / (1 - rho))):
            inner = CC + self.P
            self.P, self.q = (A @ inner @ A.T,
                              (self.b @ inner - self.d @ self.C.T + self.q) @ A.T)

    def start(self, streams: int, rng: np.random.Generator) -> np.ndarray:
        """Return states (B, n) as they are after a long while."""
        mean = np.linalg.solve((np.eye(N) - self.A).T, self.b)
        return mean + rng.standard_normal((streams, N))

    def step(self, h: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return h @ self.A + self.b + self.noise * rng.standard_normal(h.shape)

    def loss_gradient(self, h: np.ndarray) -> np.ndarray:
        return (h @ self.C - self.d) @ self.C.T

    def error(self, model: LinearSG, h: np.ndarray) -> float:
        """Return the model's squared error on states h, over that of predicting zero."""
        exact = h @ self.P + self.q
        return float(np.sum((model.predict(h, None) - exact) ** 2) / np.sum(exact**2))


def train(world: World, lam: float | None, value: float, settings: dict, seed: int) -> float:
    """Return the mean error over the second half of training along the streams, looked at often.

    `value` is the learning rate of TD(lambda) or, when `lam` is None, the forgetting factor of
    bootstrapped least squares. Infinite when numbers explode.
    """
    rng = np.random.default_rng([seed, 4])
    h = world.start(settings["streams"], rng)
    if lam is None:
        model = LinearSG(N, 0, LeastSquaresFit(value, 1e-4, 1), np.float64)
    else:
        model = LinearSG(N, 0, GradientFit(SGD(1.0)), np.float64)  # its own fit is not used
        traces = TraceFit(model, SGD(value), lam)
        traces.start(h)
    jacobian = np.broadcast_to(world.A.T, (len(h), N, N))
    looks, errors = world.start(1000, rng), []
    with np.errstate(over="ignore", invalid="ignore"):
        for step in range(1, settings["steps"] + 1):
            h_before, h = h, world.step(h, rng)
            own = world.loss_gradient(h)
            if lam is None:
                model.fit(h_before, None, (own + model.predict(h, None)) @ world.A.T)
            else:
                traces.step(jacobian, own, h)
            if not np.abs(model.W).max() < 1e6:
                return np.inf
            if step > settings["steps"] / 2 and step % 10 == 0:
                errors.append(world.error(model, looks))
    return float(np.mean(errors))


def run(settings: dict, seed: int, progress: Progress) -> list[dict]:
    """Return each lambda's error for each memory, and that of least squares.

    The rate, or forgetting factor, is the one that does best in the worst of three other worlds:
    near the edge of stability a rate may serve two of them and break down in the third.
    """
    check_count("steps", settings["steps"], 10)  # between looks
    check_count("streams", settings["streams"])
    for rho in settings["rho"]:
        check_range("rho", rho, 0, 1, open_high=True)
    rows = []
    cases = [(rho, lam) for rho in settings["rho"] for lam in (*settings["lam"], None)]
    for k, (rho, lam) in enumerate(cases):
        progress(k / len(cases))
        others = [(World(rho, other), other) for other in range(100 + 3 * seed, 103 + 3 * seed)]
        tried = {value: max(train(world, lam, value, settings, other)
                            for world, other in others)
                 for value in (FORGETTING if lam is None else RATES)}
        value = min(tried, key=tried.get)
        error = train(World(rho, seed), lam, value, settings, seed)
        rows.append({"rho": rho, "lam": lam, "value": value,
                     "error": error if np.isfinite(error) else None})
    return rows


def find(rows: list[dict]) -> Findings:
    """Errors by memory and lambda, as in ``rho_97_lambda_80``, and ``rho_97_ls``: one a seed.

    A run that broke down counts 1e9.
    """
    findings: Findings = {}
    for row in rows:
        what = "ls" if row["lam"] is None else f"lambda_{round(100 * row['lam'])}"
        name = f"rho_{round(100 * row['rho'])}_{what}"
        findings.setdefault(name, []).append(1e9 if row["error"] is None else row["error"])
    return findings


def say(findings: Findings) -> str:
    middle = {name: float(np.median(value)) for name, value in findings.items()}
    parts = []
    for rho in dict.fromkeys(name.split("_")[1] for name in findings):
        mine = {name.split("_")[-1]: value for name, value in middle.items()
                if name.startswith(f"rho_{rho}_lambda")}
        best = min(mine, key=mine.get)
        parts.append(f"rho .{rho}: {next(iter(mine.values())):.3f} at the least lambda, "
                     f"{mine[best]:.3f} at {int(best) / 100:g}, least squares "
                     f"{middle[f'rho_{rho}_ls']:.3f}")
    return "Error of the synthetic gradient, " + "; ".join(parts)


def draw(results: dict) -> Figure:
    rows = results["rows"]
    memories = list(dict.fromkeys(row["rho"] for row in rows))
    figure = Figure(figsize=(4 * len(memories), 3.8), layout="constrained")
    panels = figure.subplots(1, len(memories), squeeze=False)[0]
    for axes, rho in zip(panels, memories, strict=True):
        for seed in sorted({row["seed"] for row in rows}):
            mine = [r for r in rows if r["rho"] == rho and r["seed"] == seed and r["error"]]
            traces = [(r["lam"], r["error"]) for r in mine if r["lam"] is not None]
            axes.plot(*zip(*traces, strict=True), "o-", color=VERMILION, markersize=3, linewidth=1,
                      label="BP(lambda)" if seed == 0 else None)
            for row in mine:
                if row["lam"] is None:
                    axes.axhline(row["error"], color=BLUE, linewidth=1, linestyle="--",
                                 label="least squares" if seed == 0 else None)
        axes.set(xlabel="lambda", ylim=(0, None), title=f"memory rho = {rho:g}")
        tidy(axes)
    panels[0].set_ylabel("squared error, zero's being 1")
    panels[0].legend(frameon=False)
    figure.suptitle(f"{results['finding']}\n{results['settings']['steps']} steps, a line for each "
                    "seed", fontsize=9, wrap=True)
    return figure


EXPERIMENT = Experiment(
    "bp-lambda", "synthetic gradients from eligibility traces, against the exact gradient",
    run, find, say, draw,
    full={"rho": (0.9, 0.97), "lam": (0.0, 0.4, 0.6, 0.8, 0.9, 1.0), "steps": 1000, "streams": 8},
    quick={"lam": (0.0, 0.8, 1.0), "steps": 500},
    seeds=5,
)
