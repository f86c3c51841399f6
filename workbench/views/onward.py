"""Addresses of other pages that go on where a page stands: the same model, task and options."""

from collections.abc import Mapping

from workbench.views.asking import Asking
from workbench.views.links import address, carried


def link(page: str, view: Asking, more: Mapping[str, str]) -> str:
    """The relative address of a page, set to the model and task of a view.

    Args:
        page: Its name, as 'heads'.
        view: What the page stands on.
        more: Further settings of that page's URL.
    """
    return address(page, carried(view) | dict(more))


def on_prompt(prompt: int, of: str) -> dict[str, str]:
    """The prompt and side as pages write them, defaults left out."""
    return ({"prompt": str(prompt)} if prompt else {}) | ({"of": of} if of == "corrupt" else {})
