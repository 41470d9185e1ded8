"""Durable execution: tasks that outlive their process, and lanes of work that one worker at a time may do.

A task is a name and ids, queued in the transaction that caused it. A `Worker` claims due tasks and gives each to the
handler of its name as a `Run`; whatever the handler does inside `run.transaction()` happens once. Nobody but this
package knows the engine.
"""

from bivelio_server.durable.chores import Chore
from bivelio_server.durable.fences import Superseded
from bivelio_server.durable.housekeeping import TaskFigures, cleanup, lanes_held, queue_figures
from bivelio_server.durable.lanes import Lane, LaneRun
from bivelio_server.durable.pruning import pruning_chore
from bivelio_server.durable.runs import MAX_LOST, Run, TaskHandler, TooNew
from bivelio_server.durable.tasks import cancel, cancel_all, spawn, spawn_all, wake
from bivelio_server.durable.worker import Worker

__all__ = [
    "MAX_LOST",
    "Chore",
    "Lane",
    "LaneRun",
    "Run",
    "Superseded",
    "TaskFigures",
    "TaskHandler",
    "TooNew",
    "Worker",
    "cancel",
    "cancel_all",
    "cleanup",
    "lanes_held",
    "pruning_chore",
    "queue_figures",
    "spawn",
    "spawn_all",
    "wake",
]
