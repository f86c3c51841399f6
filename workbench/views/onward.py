"""Addresses of other pages that go on where a page stands: the same model, task and options."""

from collections.abc import Mapping, Sequence

from workbench.views.asking import Asking
from workbench.views.links import PAGES, address, carried, served

# Pages that can be asked about any pairs of any model, in the order of the journey; and those that can be asked of a model.
ASKED = ("maps", "heads", "attention", "residual", "circuits")
ASKED_OF_MODEL = ("pairs", *ASKED, "channels")
# What each page shows of one head, and what opens it there.
OF_HEAD: dict[str, tuple[str, dict[str, str]]] = {
    "heads": ("row among all heads", {}),
    "attention": ("attention", {}),
    "residual": ("residual stream", {"part": "answer"}),
}


def onward(pages: Sequence[str], query: Mapping[str, str]) -> list[tuple[str, str]]:
    """Title and relative address of those of some pages that this server has.

    Args:
        pages: Their names.
        query: What their URLs say.
    """
    return [(PAGES[name][0], address(name, query)) for name in pages if has(name)]


def has(page: str) -> bool:
    """Whether this server has a page; a server that does not say which it has may have all."""
    there = served()
    return not there or page in there


def of_head(along: Mapping[str, str], head: tuple[int, int]) -> list[tuple[str, str]]:
    """What is to be seen of a head on other pages of this server, and the relative addresses.

    Args:
        along: What is carried along: model, task, the prompt and side.
        head: Layer and head.
    """
    name = f"{head[0]}.{head[1]}"
    return [(says, address(page, {**along, "head": name, **more})) for page, (says, more) in OF_HEAD.items() if has(page)]


def link(page: str, view: Asking, more: Mapping[str, str]) -> str:
    """The relative address of a page, set to the model and task of a view.

    Args:
        page: Its name, as 'heads'.
        view: What the page stands on.
        more: Further settings of that page's URL.
    """
    return address(page, carried(view) | dict(more))


def looking(view: Asking, head: tuple[int, int], on: Mapping[str, str], query: int | None = None) -> str:
    """The relative address of a head's attention: the page of attention with the head locked.

    Args:
        view: What the page stands on.
        head: Layer and head.
        on: The prompt and side, as `on_prompt` gives them.
        query: The position of the token that looks, which is pinned; None for none.
    """
    pinned = {"pinned": f"{query}."} if query is not None else {}
    return link("attention", view, {"head": f"{head[0]}.{head[1]}"} | pinned | on)


def in_circuit(view: Asking, key: str, head: tuple[int, int], on: Mapping[str, str]) -> str:
    """The relative address of a stored circuit with the node of a head chosen.

    Args:
        view: What the page stands on.
        key: Of the circuit, in the store.
        head: Layer and head.
        on: The prompt and side, as `on_prompt` gives them.
    """
    # The options of its task are the circuit's own.
    along = {name: text for name, text in carried(view).items() if not name.startswith("task.")}
    layer, number = map(str, head)
    chosen = {"result": key, "at": f"a{layer}.h{number}", "layer": layer, "head": number}
    return address("circuits", along | chosen | dict(on))


def on_prompt(prompt: int, of: str) -> dict[str, str]:
    """The prompt and side as pages write them, defaults left out."""
    return ({"prompt": str(prompt)} if prompt else {}) | ({"of": of} if of == "corrupt" else {})
