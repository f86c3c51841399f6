"""The state of the page of runs as the query of its URL, read back with care."""

from collections.abc import Mapping

from workbench.views.query import Query
from workbench.views.runs import ALL, FILTERS, Runs


def written(view: Runs) -> dict[str, str]:
    """What the URL says: the words searched for, the filters, the key of the result that is looked at."""
    said = {"search": view.search, "result": view.chosen} | {f"of.{name}": getattr(view, name) for name in FILTERS}
    return {name: text for name, text in said.items() if text not in ("", ALL)}


def restore(view: Runs, query: Mapping[str, str]) -> None:
    """Set the view to what a URL says; what cannot be used becomes one notice."""
    asked = Query(query)
    asked.attempt("search", lambda text: view.narrow(search=text))
    for name in FILTERS:
        asked.attempt(f"of.{name}", lambda text, name=name: view.narrow(**{name: text}))
    asked.attempt("result", view.choose)
    asked.tell(view)
