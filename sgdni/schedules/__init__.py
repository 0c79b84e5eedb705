"""Who computes what when, in one thread: schedules made of four moves, and what watches them."""

from sgdni.schedules.backprop import Backprop
from sgdni.schedules.decoupled import Decoupled
from sgdni.schedules.divergence import DivergenceError, DivergenceGuard
from sgdni.schedules.recorder import Interval, NoRecorder, Recorder
from sgdni.schedules.schedule import Schedule, StepResult
from sgdni.schedules.truncated import Truncated
from sgdni.schedules.two_clocks import TwoClocks, Waiting
from sgdni.schedules.unlocked import Unlocked

__all__ = ["Backprop", "Decoupled", "DivergenceError", "DivergenceGuard", "Interval", "NoRecorder",
           "Recorder", "Schedule", "StepResult", "Truncated", "TwoClocks", "Unlocked", "Waiting"]
