"""The state of the page of pairs as the query of its URL, read back with care."""

from collections.abc import Mapping

from workbench.views.pairs import OwnPairs
from workbench.views.query import Query, setting


def written(view: OwnPairs) -> dict[str, str]:
    """What the URL says: model, task and its options, and the key of the user's own pairs."""
    return setting(view)


def restore(view: OwnPairs, query: Mapping[str, str]) -> None:
    """Set the view to what a URL says; what cannot be used becomes one notice."""
    asked = Query(query)
    asked.setting(view)
    asked.tell(view)
    view.rejoin()
