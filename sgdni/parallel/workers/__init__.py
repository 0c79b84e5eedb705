"""Where modules run when they run at the same time, behind one interface: in threads, in
processes of this machine, or in the ranks of MPI.

A *team* is made for one run of a schedule. It hands out channels, runs one task for each module,
and yields what the tasks emit:

    team = Threads()
    link = team.channel(capacity=4, latency=0.0, message_bytes=0, ends=(0, 1))
    for result in team.run(tasks, state_of, take_state):
        ...

A task is called with `emit`, a function that hands a result to the caller. Whatever ends one task
ends all; when `run` is over, or is left, no worker is left behind.
"""

from sgdni.parallel.workers.channel import Channel, ChannelClosed, Link
from sgdni.parallel.workers.mpi import Mpi
from sgdni.parallel.workers.processes import Processes
from sgdni.parallel.workers.team import Emit, Task, Team, WorkerDied
from sgdni.parallel.workers.threads import Threads

TEAMS = {"threads": Threads, "processes": Processes, "mpi": Mpi}

__all__ = [
    "TEAMS", "Channel", "ChannelClosed", "Emit", "Link", "Mpi", "Processes", "Task", "Team",
    "Threads", "WorkerDied",
]
