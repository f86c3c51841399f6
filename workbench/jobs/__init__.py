"""Work in the background: one queue and one thread per device, fair between sessions, with progress and Stop; no Panel.

Work that needs no model, such as training networks of its own, has a queue of its own.

Hooks change the model they sit on, so that two forwards of one model at once give wrong numbers: every forward that a
page asks for goes through here. A job's state is set by the worker's thread and read from any other; a page looks at it a
few times a second (`Job.version` grows with each change) and so needs nothing that lives in a browser session. What a
session asked for by a button goes on when the session ends, and its result lands in the store.
"""

import atexit

from workbench.jobs.job import INTERNAL, LIVE, Job
from workbench.jobs.limits import USUAL, Limits, limits
from workbench.jobs.models import Models
from workbench.jobs.placed import Placed
from workbench.jobs.queues import Jobs

__all__ = ["INTERNAL", "JOBS", "LIVE", "USUAL", "Job", "Jobs", "Limits", "Models", "Placed", "limits"]

JOBS = Jobs()
# A thread inside torch while the interpreter goes away may crash it; finished pieces are on disk by then.
atexit.register(JOBS.stop_all, 20.0)
