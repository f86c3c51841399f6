"""The pages, in the order of the journey, and what a link from one to another carries along: model, task, one's own pairs."""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from workbench.views.asking import Asking
from workbench.views.query import setting

# Title of the link, and what the page answers.
PAGES: dict[str, tuple[str, str]] = {
    "index": ("Start", "What there is, what was run, and the first result of every page one click away."),
    "models": ("Models", "Which models there are, what they need, and which are on this disk."),
    "pairs": ("Pairs", "The prompts: clean and corrupt side by side, token by token, and whether the model can do the task."),
    "maps": ("Maps", "Where it matters: exact, attribution and relevance maps side by side, and how far they agree."),
    "heads": ("Heads", "What each head does: a table of all detectors; a row opens its head."),
    "attention": ("Attention", "Where every head looks, all on one canvas."),
    "residual": ("Residual", "What the residual stream says, layer by layer and token by token."),
    "circuits": ("Circuits", "Which few heads, MLPs and edges give back the behaviour; replace them by hand."),
    "channels": ("Channels", "Which single directions heads talk through, and what follows when one says more or less."),
    "dynamics": ("Dynamics", "How in-context learning comes about in training, in networks that you can train here."),
    "runs": ("Runs", "Every result that was computed here: search, reopen, keep, share."),
}
SERVED = "WORKBENCH_PAGES"
CARRIED = ("model", "dtype", "device", "task", "rows", "palette", "shades", "theme")


def served() -> list[str]:
    """The names of the pages that this server has, in the order of the journey.

    WORKBENCH_PAGES names them where it is set; else they are the scripts among the words this process was started with (a
    script that is served sees others in `sys.argv`).
    """
    given = os.environ.get(SERVED)
    names = given.replace(",", " ").split() if given is not None else [Path(word).stem for word in _scripts(sys.orig_argv)]
    return [name for name in PAGES if name in names]


def _scripts(words: Sequence[str]) -> list[str]:
    """The scripts that `panel serve` was given, folders opened."""
    if "serve" not in words:
        return []
    found = []
    for word in words[words.index("serve") + 1 :]:
        path = Path(word)
        found += [word] if path.suffix == ".py" else map(str, path.glob("*.py")) if path.is_dir() else []
    return found


def carried(view: Any) -> dict[str, str]:
    """What the links of a page carry along: the model and the task with its options."""
    return setting(view) if isinstance(view, Asking) else {}


def parted(query: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """What of a query is carried from page to page, and what is the page's own."""
    along = {name: text for name, text in query.items() if name in CARRIED or name.startswith("task.")}
    return along, {name: text for name, text in query.items() if name not in along}


def address(page: str, query: Mapping[str, str]) -> str:
    """The address of a page, beside that of the page it stands on."""
    return f"{page}?{urlencode(query)}" if query else page


def links(current: str, query: Mapping[str, str]) -> list[dict[str, Any]]:
    """The links of a page's header: label, about, address, and whether it is the page itself; none where it is alone."""
    names = served()
    if current not in names or len(names) < 2:
        return []
    return [
        {"label": PAGES[name][0], "about": PAGES[name][1], "address": address(name, query), "current": name == current}
        for name in names
    ]


def page_of(method: str, model: str) -> str:
    """The page that opens a stored result of a method: 'circuits', 'dynamics', or '' where none does."""
    from workbench.dynamics import STUDIES

    if method in STUDIES:
        return "dynamics"
    return "circuits" if model and method in openable() else ""


def openable() -> Sequence[str]:
    """The methods whose results the circuits page opens."""
    from workbench.methods import METHODS

    return [name for name in METHODS if name != "baseline"]
