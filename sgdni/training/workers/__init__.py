"""Where modules run when they run at the same time: threads, or processes, behind one interface.

A *team* is made for one run of a schedule. It hands out channels, runs one task for each module,
and yields what the tasks emit:

    team = Threads()
    link = team.channel(capacity=4, latency=0.0, message_bytes=0)
    for result in team.run(tasks, state_of, take_state):
        ...

A task is called with `emit`, a function that hands a result to the caller. Whatever ends one task
ends all; when `run` is over, or is left, no worker is left behind.
"""

from sgdni.training.workers.channel import Channel, ChannelShut
from sgdni.training.workers.processes import Processes, SharedChannel
from sgdni.training.workers.threads import Threads

TEAMS = {"threads": Threads, "processes": Processes}

__all__ = ["TEAMS", "Channel", "ChannelShut", "Processes", "SharedChannel", "Threads"]
