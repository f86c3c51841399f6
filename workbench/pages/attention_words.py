"""What the page of attention says in words; safe as HTML."""

from html import escape

from workbench.pages.swatch import swatch
from workbench.pages.words import failed, left
from workbench.plots.hues import counted
from workbench.plots.text import visible
from workbench.views.looks import Looks
from workbench.views.looks_address import drawn_as
from workbench.views.onward import link, on_prompt

HINT = (
    '<div style="padding:20px 12px;max-width:680px">'
    '<div style="font-size:20px;font-weight:600;margin-bottom:8px">Where all heads look</div>'
    '<div style="font-size:14px;line-height:1.5">Every attention head of the model on one prompt, of the task or your own, as '
    "a small picture: a row is the token that looks, a column what it looks at. Hover to see a head large, click to lock it, "
    "pin tokens to see which heads look from one to the other, sort heads by what they do.</div>"
    '<div style="font-size:14px;margin-top:14px">Press <b>Show</b>.</div></div>'
)


def status(view: Looks) -> str:
    """How far the work is, as plain text."""
    if view.status in ("queued", "running"):
        share = "" if view.progress is None else f" · {view.progress:.0%}"
        return f"{view.label}{share}{left(view.seconds_left)}"
    return {"done": "Done.", "stopped": "Stopped.", "failed": failed(view)}.get(view.status, "Ready.")


def about(view: Looks) -> str:
    """What is shown, how it is measured, and what is missing."""
    made = view.grid
    if made is None:
        return ""
    thumbnails, asked = made.thumbnails, made.origin.params
    which = "your text" if asked["text"] else f"{asked['of']} prompt {asked['prompt'] + 1}"
    said = [f"{thumbnails.layers * thumbnails.heads} heads on {which}, {thumbnails.tokens} tokens."]
    if asked["weighted"]:
        said.append(
            "Weighted by values: the attention times the length of what the head writes from the token looked at "
            "(α‖vW_O‖, Kobayashi et al. 2020), in units of the residual stream, not normalised."
        )
    if thumbnails.pool > 1:
        said.append(f"Thumbnails are thinned out: a dot is the largest of {thumbnails.pool} × {thumbnails.pool} tokens.")
    left = thumbnails.layers * thumbnails.heads - len(view.given["heads"]) if view.given else 0
    if left:
        said.append(
            f"Faded: the {left} heads that the table leaves out." if left > 1 else "Faded: the head that the table leaves out."
        )
    if not view.given and not any(not one["name"].startswith("here ") for one in view.columns):
        said.append("Sorting by detectors is unavailable: no table of heads of this model and task is stored (heads page).")
    return f'<div style="font-size:13px">{escape(" ".join(said))}</div>'


def head_link(view: Looks, theme: str) -> str:
    """The locked head in its colour, with a link to it on the page of heads."""
    if view.head is None:
        return '<span style="font-size:13px;opacity:.8">Lock a head to see its largest numbers here.</span>'
    name = ".".join(map(str, view.head))
    on = on_prompt(view.prompt, view.of) if view.source == "task" else {}
    return (
        f'{_named(view, theme)} <a style="font-size:13px;margin-left:8px;color:inherit" '
        f'href="{escape(link("heads", view, {"head": name} | on))}">What it does otherwise: open it on the page of heads</a>'
    )


def locked(view: Looks, theme: str) -> str:
    """The locked head in its colour, and what the menu beside it is of; '' where none is read."""
    if view.head is None or view.exact is None:
        return ""
    about = ", weighted by values" if view.exact.unit == "norm" else ""
    return f'{_named(view, theme)} <span style="font-size:13px;opacity:.8">as it is drawn large above{about}</span>'


def _named(view: Looks, theme: str) -> str:
    name = ".".join(map(str, view.head))
    mark = swatch(counted(view.head, view.grid.thumbnails.heads if view.grid is not None else 0), theme)
    return f'<b style="font-size:14px">{mark}Head {escape(name)}</b>'


def page_link(view: Looks) -> str:
    """A link to the grid as it stands on its own page, with the numbers of the locked head."""
    head = {"head": ".".join(map(str, view.head))} if view.head is not None else {}
    grid = {name: text for name, text in drawn_as(view).items() if name != "sort"}
    to = link("attention", view, head | on_prompt(view.prompt, view.of) | grid)
    title = "This grid on the page of attention, with texts of your own and the largest numbers of a head"
    return f'<a style="font-size:13px;color:inherit" href="{escape(to)}">{title}</a>'


def under_way(view: Looks) -> str:
    """How far the grid that is asked for is, or why it is not there; '' where it is shown."""
    said = "" if view.grid is not None and not view.live else status(view)
    return f'<span style="font-size:13px;opacity:.8">{escape(said)}</span>' if said else ""


def rows(view: Looks) -> list[list[str]]:
    """The largest numbers of the locked head as the rows of a table."""
    if view.exact is None:
        return []
    words = view.exact.values["query"].values.tolist()
    named = [f"{visible(word)} ({at})" for at, word in enumerate(words)]
    return [[named[query], named[key], f"{value:.4g}"] for query, key, value in view.largest]
