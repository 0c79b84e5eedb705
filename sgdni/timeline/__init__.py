"""The locks as a schedule: who waits for whom, how long, drawn and predicted from costs."""

from sgdni.timeline.costs import LinkCost, Links, ModuleCost, measure_costs, measure_link
from sgdni.timeline.schedules import SCHEDULES, idle_shares, step_seconds

__all__ = ["SCHEDULES", "LinkCost", "Links", "ModuleCost", "idle_shares",
           "measure_costs", "measure_link", "step_seconds"]
