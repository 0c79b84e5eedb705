"""What the figures say about "over 3-fold faster", in sentences made from the figures."""

from __future__ import annotations

from sgdni.benchmark.speed.contenders import DNI

CLAIM = 3.0
TIE = 0.05  # within this share of 1 nobody is faster


def verdict(results: dict) -> list[str]:
    """Return sentences, from the machine at hand to what the timeline predicts beyond it."""
    rows = {row["name"]: row for row in results["race"]}
    target = f"{100 * results['target']:g}%"
    lines = [_limit(results), _here(rows, target)]
    lines += [_over_links(row, target) for name, row in rows.items()
              if row["latency"] and name.startswith(DNI)]
    lines.append(_learning(results["map"], target))
    lines.append(_throughput(results["map"]))
    lines.append(_time(results["map"], target))
    lines.append(_best(results["map"]))
    return lines


def faster(ratio: float | None) -> str:
    """Spell a ratio: 2.31 is "2.3 times as fast"."""
    if ratio is None:
        return "not comparable"
    if abs(ratio - 1) <= TIE:
        return f"as fast ({ratio:.2f})"
    return f"{ratio:.1f} times as fast" if ratio >= 10 else f"{ratio:.2f} times as fast"


def _limit(results: dict) -> str:
    cores, limit = results["machine"]["cores"], results["parallel_limit"]
    return (f"{cores} trainings that share nothing but this machine make together {limit:.2f} "
            f"times the images per second of one alone: no way of sharing one training out can "
            f"gain more here.")


def _here(rows: dict, target: str) -> str:
    dni, workers = rows[DNI], rows[DNI]["workers"]
    text = (f"On one machine, without links, DNI with {workers} workers is "
            f"{faster(dni['vs_backprop']['images_per_second'])} as backprop on one core in images "
            f"per second")
    many = next((r for r in rows.values() if r["blas_threads"] > 1), None)
    if many is not None:
        ratio = dni["images_per_second"] / many["images_per_second"]
        text += f", {faster(ratio)} as backprop whose products use all cores"
    return text + f", and {_sooner(dni['vs_backprop']['seconds_to_target'], target)}."


def _over_links(row: dict, target: str) -> str:
    ratios = row["vs_model_parallel"]
    return (f"Over links with {1e3 * row['latency']:g} ms it is "
            f"{faster(ratios['images_per_second'])} as backprop split over the same workers and "
            f"links, and {_sooner(ratios['seconds_to_target'], target)}.")


def _sooner(ratio: float | None, target: str) -> str:
    if ratio is None or ratio == 0:
        return f"did not reach {target} in most repeats"
    if abs(ratio - 1) <= TIE:
        return f"reaches {target} as soon ({ratio:.2f})"
    if ratio > 1:
        return f"reaches {target} {ratio:.2f} times sooner"
    return f"takes {1 / ratio:.2f} times as long to {target}"


def _learning(chart: dict, target: str) -> str:
    parts = [
        f"{entry['workers']} workers: "
        + (f"{entry['steps_ratio']:.2f}" if entry["steps_ratio"]
           else f"most runs not there in {entry['epochs']} epochs")
        for entry in chart["learning"]
    ]
    return (f"Synthetic gradients need more steps. Steps to {target} over those of backprop, one "
            f"hidden layer for each of " + "; ".join(parts) + ".")


def _throughput(chart: dict) -> str:
    return ("Beyond this machine, with a core like one of these for each worker, the timeline "
            "predicts over 3-fold in images per second against backprop split over the same "
            "workers and links " + _where(chart, "model-parallel backprop") + ".")


def _time(chart: dict, target: str) -> str:
    learnt = {e["workers"]: e["steps_ratio"] for e in chart["learning"]}
    lost = [e for e in chart["learning"] if e["steps_ratio"] is None]
    text = (f"In time to {target}, with the steps measured without links, over 3-fold "
            + _where(chart, "model-parallel backprop", learnt))
    if lost:
        workers = ", ".join(str(e["workers"]) for e in lost)
        text += (f"; with {workers} workers most runs of DNI did not get there in "
                 f"{lost[0]['epochs']} epochs")
    return text + "."


def _best(chart: dict) -> str:
    return ("Against the best of all forms of backprop, one worker without links among them, "
            "over 3-fold in images per second " + _where(chart, "best") + ".")


def _where(chart: dict, rival: str, steps: dict[int, float | None] | None = None) -> str:
    """Say from which latency on DNI is over 3-fold faster, for each number of workers."""
    found = []
    for workers, row in zip(chart["workers"], chart["predicted"][rival], strict=True):
        share = 1.0 if steps is None else steps.get(workers)
        if workers == 1 or share is None:
            continue
        over = [s for s, ratio in zip(chart["latencies"], row, strict=True)
                if ratio / share > CLAIM]
        if over:
            found.append((workers, min(over)))
    if not found:
        return "nowhere on the map"
    return "with " + "; ".join(
        f"{workers} workers " + (f"from {1e3 * least:g} ms on" if least else "at any latency")
        for workers, least in found
    )
