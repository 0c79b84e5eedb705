"""The same schedules with every module in a worker of its own: a thread, a process, an MPI rank."""

from sgdni.parallel.asynchronous import Asynchronous
from sgdni.parallel.data_parallel import DataParallel
from sgdni.parallel.delayed import Delayed
from sgdni.parallel.model_parallel import ModelParallel
from sgdni.parallel.unlocked import UnlockedAsynchronous

__all__ = ["Asynchronous", "DataParallel", "Delayed", "ModelParallel", "UnlockedAsynchronous"]
