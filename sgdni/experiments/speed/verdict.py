"""What the figures say about "over 3-fold faster", in sentences made from the figures."""

from __future__ import annotations

from math import isnan

from sgdni.experiments.speed.breakeven import steps_ratio
from sgdni.experiments.speed.contenders import BACKPROP, DNI
from sgdni.experiments.speed.race import times_faster

CLAIM = 3.0
TIE = 0.05  # within this share of 1 nobody is faster


def verdict(results: dict) -> list[str]:
    """Return sentences, from the machine at hand to what the timeline predicts beyond it."""
    rows = {row["name"]: row for row in results["race"]}
    target, chart = f"{100 * results['target']:g}%", results["map"]
    lines = [_yardstick(results), _here(rows, target)]
    lines += [_over_links(row, rows[BACKPROP], target) for name, row in rows.items()
              if row["latency"] and name.startswith(DNI)]
    lines.append(_learning(chart, target))
    split, best = "model-parallel backprop", "best"
    lines.append("Beyond this machine, with a machine for each worker, the timeline predicts over "
                 "3-fold in images per second against backprop split over the same workers and "
                 f"links {_where(chart, split)}.")
    lines.append(f"With the steps to {target} that were measured, it predicts over 3-fold in time "
                 f"to {target} against the same {_where(chart, split, learnt=True)}.")
    lines.append("Against the best of three forms of backprop (split, pipelined in 4 "
                 "micro-batches, or all on one worker without links) it predicts over 3-fold in "
                 f"images per second {_where(chart, best)}, and in time to {target} "
                 f"{_where(chart, best, learnt=True)}.")
    return lines


def faster(ratio: float | None) -> str:
    """Spell a ratio: 2.31 is "2.31 times as fast as"."""
    if ratio is None:
        return "not comparable (it broke off) with"
    if abs(ratio - 1) <= TIE:
        return f"about as fast ({ratio:.2f}) as"
    return f"{ratio:.2f} times as fast as"


def _yardstick(results: dict) -> str:
    cores, limit = results["machine"]["cores"], results["parallel_limit"]
    return (f"A yardstick: {cores} trainings that share nothing but this machine make together "
            f"{limit:.2f} times the images per second of one alone.")


def _here(rows: dict, target: str) -> str:
    dni = rows[DNI]
    text = (f"On one machine, without links, DNI with {dni['workers']} workers is "
            f"{faster(dni['vs_backprop']['images_per_second'])} backprop on one core in images "
            f"per second, and {_sooner(dni['vs_backprop'], target)}")
    many = next((row for row in rows.values() if row["blas_threads"] > 1), None)
    if many is not None:
        ratios = times_faster(dni, many)
        text += (f"; against backprop whose products use all cores it is "
                 f"{faster(ratios['images_per_second'])} that, and {_sooner(ratios, target)}")
    return text + "."


def _over_links(row: dict, one: dict, target: str) -> str:
    ratios = row["vs_model_parallel"]
    return (f"Over links with {1e3 * row['latency']:g} ms it is "
            f"{faster(ratios['images_per_second'])} backprop split over the same workers and "
            f"links, and {_sooner(ratios, target)}; against backprop on one core, which needs no "
            f"links, it {_sooner(times_faster(row, one), target)}.")


def _sooner(ratios: dict, target: str) -> str:
    ratio, (ours, theirs) = ratios["seconds_to_target"], ratios["reached"]
    if ratio is None:
        most = ratios["repeats"] / 2
        if ours > most:
            return f"reaches {target} where backprop does not in most runs"
        return f"does not reach {target} in most runs" + (
            ", as backprop does not" if theirs <= most else "")
    if abs(ratio - 1) <= TIE:
        return f"reaches {target} about as soon ({ratio:.2f})"
    if ratio > 1:
        return f"reaches {target} {ratio:.2f} times sooner"
    return f"takes {1 / ratio:.2f} times as long to {target}"


def _learning(chart: dict, target: str) -> str:
    parts = []
    for entry in chart["learning"]:
        ratio = entry["steps_ratio"]
        spelt = f"{ratio:.2f}" if ratio else f"most runs not there in {entry['epochs']} epochs"
        parts.append(f"{entry['workers']} workers, {entry['lateness']} minibatches late: {spelt}")
    return (f"Steps to {target} over those of backprop, with a hidden layer for each worker and "
            f"targets that come late: " + "; ".join(parts) + ".")


def _where(chart: dict, rival: str, learnt: bool = False) -> str:
    """Say from which latency on DNI is over 3-fold faster, for each number of workers."""
    found: dict[str, list[str]] = {}
    for workers, row in zip(chart["workers"], chart["predicted"][rival], strict=True):
        latencies = list(zip(chart["latencies"], row, strict=True))
        if learnt:  # where steps were measured
            latencies = [(s, ratio / steps_ratio(chart, workers, s)) for s, ratio in latencies
                         if not isnan(steps_ratio(chart, workers, s))]
        least = None
        for seconds, ratio in reversed(latencies):
            if ratio <= CLAIM:
                break
            least = seconds
        if workers > 1 and least is not None:
            words = f"from {1e3 * least:g} ms on" if least else "at any latency"
            found.setdefault(words, []).append(str(workers))
    if not found:
        return "nowhere on the map"
    return "; ".join(f"{words} with {_list(workers)} workers" for words, workers in found.items())


def _list(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
