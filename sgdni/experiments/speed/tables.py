"""The speed comparison as tables for people: on a terminal, and in Markdown for documents."""

from __future__ import annotations

from collections.abc import Callable

from sgdni.experiments.tables import Rows, count, markdown, number, plain, title

Shape = Callable[[Rows], str]  # plain or markdown


def render(results: dict) -> str:
    """Return both tables as text."""
    swept = [sweep_table(results, plain)] if "sweep" in results else []
    return "\n\n".join([heading(results), race_table(results, plain), *swept])


def document(results: dict) -> str:
    """Return both tables as a Markdown document, with the pictures that stand beside it."""
    parts = ["# Is it faster?", heading(results).replace("\n", "  \n"),
             "## Whole trainings", race_table(results), "![race](race.png)"]
    if "sweep" in results:
        parts += ["## One thing changed at a time", sweep_table(results), "![sweep](sweep.png)",
                  "![predicted](predicted.png)"]
    if "break_even_map" in results:
        parts += ["## Beyond this machine", "![break-even map](break_even.png)"]
    return "\n\n".join(parts) + "\n"


def heading(results: dict) -> str:
    """Return what was trained, on what machine, and the yardstick for its cores."""
    s = results["settings"]
    trained = title(
        results, f"cuts {', '.join(map(str, s['cuts']))}", f"k = {s['fit_every']}",
        count(results["epochs"], "epoch"), count(results["repeats"], "repeat"),
        f"target {100 * results['target']:g}%")
    if "parallel_limit" not in results:
        return trained
    return (f"{trained}\nTrainings side by side make {results['parallel_limit']:.2f} times the "
            f"images of one")


def race_table(results: dict, shape: Shape = markdown) -> str:
    """Return one row a contender.

    Update latency: from a minibatch's arrival at a module to the update of its weights, with the
    time that it waits in a queue.
    """
    return shape([{
        "contender": row["name"],
        "workers": str(row["workers"]),
        **({"kB sent a step": number(1e-3 * row["bytes_per_step"], "{:,.0f}")}
           if "bytes_per_step" in row else {}),
        "images/s": number(row["images_per_second"], "{:,.0f}"),
        "vs backprop": number(row["vs_backprop"]["images_per_second"], "{:.2f}x"),
        "vs split backprop": number(row["vs_model_parallel"]["images_per_second"], "{:.2f}x"),
        "update latency (lowest / top)": _latency(row),
        "s to target": number(row["seconds_to_target"], "{:.2f}"),
        "time vs backprop": number(row["vs_backprop"]["seconds_to_target"], "{:.2f}x"),
        "time vs split backprop": number(row["vs_model_parallel"]["seconds_to_target"], "{:.2f}x"),
        "test accuracy": number(row["test_accuracy"], "{:.2%}"),
    } for row in results["race"]])


def sweep_table(results: dict, shape: Shape = markdown) -> str:
    """Return one row for each contender at each point."""
    return shape([{
        "point": label(point),
        "contender": row["contender"],
        "ms a step": _ms(row["seconds_per_step"]),
        "images/s": number(row["images_per_second"], "{:,.0f}"),
        "update latency (lowest / top)": _latency(row),
        "predicted (ms)": _ms(row["predicted_seconds_per_step"]),
        "predicted / measured, by turn": number(row["predicted_over_measured"], "{:.2f}"),
    } for point in results["sweep"] for row in point["rows"]])


def label(point: dict) -> str:
    """Spell a point: what differs from the base, and its value."""
    name, value = point["changed"], point["value"]
    forms = {"base": "base", "latency": f"latency {1e3 * value:g} ms",
             "bandwidth": f"1 ms, {value * 8e-9:g} Gbit/s",
             "batch_size": f"batch {value}", "fit_every": f"k {value}"}
    return forms.get(name, f"{name} {value}")


def _latency(row: dict) -> str:
    ends = row["update_latency"]
    return "-" if ends is None else f"{1e3 * ends[0]:.1f} / {1e3 * ends[-1]:.1f} ms"


def _ms(seconds: float | None) -> str:
    return number(seconds and 1e3 * seconds, "{:.2f}")
