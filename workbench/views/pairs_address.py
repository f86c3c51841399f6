"""The state of the page of pairs as the query of its URL, read back with care."""

from collections.abc import Mapping

from workbench.views import query as queries
from workbench.views.pairs import OwnPairs
from workbench.views.query import Query, changed, placed


def written(view: OwnPairs) -> dict[str, str]:
    """What the URL says: model, task and its options, and the key of the user's own pairs."""
    said = {"model": view.model, "task": view.task} | placed(view) | queries.rows_kept(view)
    return said | changed("task", view.task_fields, view.options)


def restore(view: OwnPairs, query: Mapping[str, str]) -> None:
    """Set the view to what a URL says; what cannot be used becomes one notice."""
    asked = Query(query)
    asked.setting(view)
    asked.tell(view)
