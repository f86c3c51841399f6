"""Who takes part in the workshop of this server, and where each is; in memory alone, gone when the server ends.

A learner is a browser: it keeps a number of its own drawing, and nobody needs an account. What is typed as a name is shown to
the teacher and to nobody else.
"""

import hmac
import os
import re
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from workbench.errors import BadInput
from workbench.views.workshop_plan import KEY, PLAN, Plan, read_plan

MOST = 500
LONGEST_NAME = 40
_ID = re.compile(r"[0-9a-f]{16,32}")


@dataclass
class Learner:
    """One learner.

    Attributes:
        id: What their browser drew.
        number: Their place among those who came.
        name: What they typed, or ''.
        at: Index of the exercise they look at.
        page: The page they have open.
        solved: By index of an exercise: when it was solved, in seconds after they came.
        hints: By index: how many hints were opened.
        tries: By index: how often Check was pressed.
        came: When they came, by the clock of `time.time`.
        seen: When something of theirs was last heard of.
        last: What they did last, in words.
        running: What runs for them now, or ''.
    """

    id: str
    number: int
    name: str = ""
    at: int = 0
    page: str = ""
    solved: dict[int, float] = field(default_factory=dict)
    hints: dict[int, int] = field(default_factory=dict)
    tries: dict[int, int] = field(default_factory=dict)
    came: float = field(default_factory=time.time)
    seen: float = field(default_factory=time.time)
    last: str = "came"
    running: str = ""

    @property
    def called(self) -> str:
        """How the teacher's page calls them."""
        return self.name or f"learner {self.number}"

    def does(self, what: str) -> None:
        """Note what they do."""
        self.last, self.seen = what, time.time()


class Classroom:
    """The learners of a plan; used from the threads of all sessions.

    Args:
        plan: What is taught.
        key: What the teacher's page is opened with; '' opens it to nobody.
    """

    def __init__(self, plan: Plan, key: str = ""):
        self.plan, self._key = plan, key
        self._learners: OrderedDict[str, Learner] = OrderedDict()
        self._lock = threading.Lock()
        self._count = 0

    def learner(self, id: str) -> Learner:
        """The learner of a browser, come now if not before; where there are too many, the one silent for longest goes.

        Raises:
            BadInput: When this is nothing that a browser of ours draws.
        """
        if not _ID.fullmatch(id):
            raise BadInput("a learner must be known by 16 to 32 of the digits 0-9 and a-f; got something else.")
        with self._lock:
            if id not in self._learners:
                while len(self._learners) >= MOST:
                    del self._learners[min(self._learners, key=lambda one: self._learners[one].seen)]
                self._count += 1
                self._learners[id] = Learner(id, self._count)
            return self._learners[id]

    @property
    def learners(self) -> list[Learner]:
        """All of them, in the order in which they came."""
        with self._lock:
            return list(self._learners.values())

    def opens_for(self, key: str) -> bool:
        """Whether this is the teacher's key."""
        return bool(self._key) and hmac.compare_digest(key.encode(), self._key.encode())

    @property
    def rows(self) -> list[dict[str, Any]]:
        """A row per learner, for the teacher: names of columns to what they hold."""
        now, exercises = time.time(), self.plan.exercises
        return [
            {
                "who": one.called,
                "page": one.page,
                "exercise": f"{one.at + 1}. {exercises[one.at].title}",
                "solved": f"{len(one.solved)} of {len(exercises)}",
                "which": " ".join(str(at + 1) for at in sorted(one.solved)),
                "hints": sum(one.hints.values()),
                "tries": sum(one.tries.values()),
                "minutes": round((one.seen - one.came) / 60, 1),
                "last": f"{one.last}, {_ago(now - one.seen)}",
                "running": one.running,
            }
            for one in self.learners
        ]


def _ago(seconds: float) -> str:
    return "now" if seconds < 15 else f"{seconds:.0f} s ago" if seconds < 90 else f"{seconds / 60:.0f} min ago"


@lru_cache(maxsize=1)
def classroom() -> Classroom | None:
    """The classroom of this server, by its environment; None where it teaches nothing.

    Raises:
        BadInput: As `read_plan`.
    """
    path = os.environ.get(PLAN)
    return Classroom(read_plan(path), os.environ.get(KEY, "")) if path else None
