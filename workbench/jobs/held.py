"""Which models each session holds in memory: those that it asked for last, as many as the server's owner allows."""

from collections import OrderedDict

from workbench.jobs.limits import limits
from workbench.jobs.placed import Placed


class Held:
    """The models that each owner holds. What the server itself asks for, with no owner, is held without a limit."""

    def __init__(self):
        self._of: dict[str, OrderedDict[Placed, None]] = {}

    def ask(self, owner: str, placed: Placed) -> list[Placed]:
        """An owner works with a model; gives those that nobody holds any more, for the owner may hold no more of them."""
        mine, most = self._of.setdefault(owner, OrderedDict()), limits().models
        mine[placed] = None
        mine.move_to_end(placed)
        if most is None or not owner:
            return []
        left = [mine.popitem(last=False)[0] for _ in range(len(mine) - most)]
        return [one for one in left if not any(one in others for others in self._of.values())]

    def forget(self, owner: str) -> None:
        """An owner has gone; what it held stays in memory until there is no room for it."""
        self._of.pop(owner, None)
