"""The locks as a schedule: who waits for whom, how long, drawn and predicted from costs."""

from sgdni.timeline.costs import ModuleCost, even_split, measure_costs
from sgdni.timeline.schedules import SCHEDULES, Interval, step_seconds

__all__ = ["SCHEDULES", "Interval", "ModuleCost", "even_split", "measure_costs", "step_seconds"]
