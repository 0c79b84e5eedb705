"""What are synthetic inputs worth, where links are reliable and where they lose messages?

Complete unlock: every module acts with probability .5 in a tick, on its own stream of minibatches.
A network that is trained so is tested as any other, from the images through all its modules. A
module that finds no message from below **waits**, or works on **synthetic** inputs; these can be
all that it ever works on, or what it works on where there is no message.

Beside them ordinary backpropagation, all of whose modules act in every step: it learns twice as
often.
"""

from __future__ import annotations

from time import process_time

import numpy as np
from matplotlib.figure import Figure

from sgdni.data import load, scale_pixels
from sgdni.data.components import Components
from sgdni.data.dataset import Dataset
from sgdni.experiments.frame import Experiment, Findings, Progress
from sgdni.networks import Interface, Network
from sgdni.plotting.colours import BLUE, GREEN, ORANGE, TRUE
from sgdni.plotting.figures import tidy
from sgdni.runs.methods import build_network, build_trainer
from sgdni.runs.settings import Settings
from sgdni.schedules import DivergenceError, Schedule
from sgdni.schedules.unlocked import Unlocked
from sgdni.synthetic import FitError, ReluInput
from sgdni.training import Trainer

#: name: (policy, whether links lose messages, colour)
CONTENDERS: dict[str, tuple[str, bool, str]] = {
    "wait": ("wait", False, BLUE),
    "synthetic only": ("synthetic", False, ORANGE),
    "either": ("either", False, GREEN),
    "lossy wait": ("wait", True, BLUE),
    "lossy synthetic": ("synthetic", True, ORANGE),
    "lossy either": ("either", True, GREEN),
}
SAMPLE = 10_000  # images that the components are found from


def unlocked(settings: Settings, data: Dataset, view: Components, policy: str, loss_rate: float
             ) -> Schedule:
    """Return the schedule of one contender: local error, and models of the inputs."""
    rng = np.random.default_rng(settings.seed)
    network = build_network("local-error", settings, data.n_features, data.n_classes, rng)
    interfaces = [
        Interface(one.model, inputs=ReluInput(view.V.shape[1], data.n_classes, width,
                                              np.random.default_rng((settings.seed, k))))
        for k, (one, width) in enumerate(zip(network.interfaces, settings.hidden, strict=True))]
    return Unlocked(Network(network.modules, network.loss, interfaces), view, rng, policy=policy,
                    loss_rate=loss_rate)


def run(settings: dict, seed: int, progress: Progress) -> list[dict]:
    """Return everybody's test accuracy after each epoch, and CPU seconds of an epoch."""
    data = load(settings["data"])
    own = Settings(hidden=(settings["width"],) * settings["layers"], seed=seed, lr=settings["lr"])
    rows = np.random.default_rng(seed).permutation(len(data.x_train))[:SAMPLE]
    view = Components(scale_pixels(data.x_train[rows]), settings["components"])
    trainers = {"backprop": build_trainer("backprop", own, data)}
    for name, (policy, lossy, _) in CONTENDERS.items():
        schedule = unlocked(own, data, view, policy, settings["loss_rate"] if lossy else 0.0)
        trainers[name] = Trainer(schedule, data, batch_size=own.batch_size,
                                 rng=np.random.default_rng(seed))
    found = []
    for k, (name, trainer) in enumerate(trainers.items()):
        accuracies, started = [], process_time()
        for epoch in range(settings["epochs"]):
            progress((k + epoch / settings["epochs"]) / len(trainers))
            try:
                accuracies.append(trainer.epoch().test_accuracy)
            except (DivergenceError, FitError):
                break
        schedule = trainer.schedule
        updates = (schedule.acted.tolist() if isinstance(schedule, Unlocked) else
                   [settings["epochs"] * trainer.steps_per_epoch] * (settings["layers"] + 1))
        found.append({"contender": name, "accuracy": accuracies, "updates": updates,
                      "seconds": process_time() - started})
    return found


def final(rows: list[dict], name: str) -> list[float]:
    """Return a contender's last accuracies; 0 where training broke off before an epoch."""
    return [(row["accuracy"] or [0.0])[-1] for row in rows if row["contender"] == name]


def find(rows: list[dict]) -> Findings:
    """Medians of the last accuracies; and what an update costs over backprop's."""
    found: Findings = {f"accuracy_{name.replace(' ', '_')}": float(np.median(final(rows, name)))
                       for name in ("backprop", *CONTENDERS)}

    def cost(name: str) -> float:
        return float(np.median([row["seconds"] / max(1, sum(row["updates"])) for row in rows
                                if row["contender"] == name]))

    found["update_cost_synthetic_only"] = cost("synthetic only") / cost("backprop")
    return found


def say(findings: Findings) -> str:
    real, synthetic, waiting, made_up, either = (100 * findings[f"accuracy_{name}"] for name in (
        "wait", "synthetic_only", "lossy_wait", "lossy_synthetic", "lossy_either"))
    return (f"Right where links are reliable: real inputs {real:.1f}%, synthetic ones only "
            f"{synthetic:.1f}%; where they lose messages: waiting {waiting:.1f}%, synthetic only "
            f"{made_up:.1f}%, either {either:.1f}%")


def draw(results: dict) -> Figure:
    s, rows = results["settings"], results["rows"]
    figure = Figure(figsize=(8.5, 4.2), layout="constrained")
    panels = figure.subplots(1, 2)  # each with a scale of its own: one has to go down to chance
    for axes, lossy in zip(panels, (False, True), strict=True):
        shown = {"backprop, in lockstep": ("backprop", TRUE)} | {
            f"{policy}{'' if policy != 'synthetic' else ' only'}": (name, colour)
            for name, (policy, lost, colour) in CONTENDERS.items() if lost == lossy}
        for label, (name, colour) in shown.items():
            for k, row in enumerate(row for row in rows if row["contender"] == name):
                axes.plot(range(1, len(row["accuracy"]) + 1),
                          [100 * a for a in row["accuracy"]], "o-", color=colour, linewidth=1,
                          markersize=3, label=None if k else label)
        axes.set(xlabel="epochs", title=f"{s['loss_rate']:.0%} of messages are lost" if lossy
                 else "all messages arrive", xticks=range(1, s["epochs"] + 1))
        tidy(axes)
    panels[0].set_ylabel("test accuracy (%)")
    panels[1].legend(frameon=False)
    figure.suptitle(f"{results['finding']}\n{s['data']}, {s['layers']} hidden layers of "
                    f"{s['width']}, an interface above each; one line a seed", fontsize=9,
                    wrap=True)
    return figure


EXPERIMENT = Experiment(
    "unlock", "modules that wait for nobody: synthetic inputs, and links that lose messages",
    run, find, say, draw,
    full={"data": "mnist", "layers": 3, "width": 256, "epochs": 4, "lr": 0.1, "components": 200,
          "loss_rate": 0.9},
    quick={"data": "mnist-5k", "width": 128, "epochs": 6, "components": 100},
    tolerance={"accuracy_lossy_wait": 0.5, "update_cost_synthetic_only": 0.3},
)
