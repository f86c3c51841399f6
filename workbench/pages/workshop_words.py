"""What the exercises beside a page say; safe as HTML, whatever stands in a plan."""

from html import escape

from workbench.views.workshop import Workshop

LEVELS = {1: "easy", 2: "medium", 3: "hard"}


def progress(shop: Workshop) -> str:
    """The workshop, and which of its exercises are solved."""
    here = "font-weight:700;text-decoration:underline"
    marks = "".join(
        f'<span title="{escape(one.title)}" style="margin-right:8px;{here * (at == shop.at)}">'
        f"{at + 1}{'✓' * (at in shop.solved)}</span>"
        for at, one in enumerate(shop.classroom.plan.exercises)
    )
    return (
        f'<div style="font-size:15px;font-weight:600">{escape(shop.classroom.plan.title)}</div>'
        f'<div style="font-size:13px;margin:4px 0">{marks}</div>'
        f'<div style="font-size:12px;opacity:.75">{len(shop.solved)} of {shop.count} solved</div>'
    )


def task(shop: Workshop) -> str:
    """The exercise: its title, how long it takes and how hard it is, the goal, and where it is done."""
    one = shop.exercise
    level = f"{LEVELS[one.difficulty]} {'●' * one.difficulty}{'○' * (3 - one.difficulty)}"
    says = "Set the page for this exercise" if shop.here else f"Go to the page {one.page} for this exercise"
    return (
        '<div style="border-top:1px solid rgba(128,128,128,.4);padding-top:8px;overflow-wrap:anywhere">'
        f'<div style="font-size:15px;font-weight:600">{shop.at + 1}. {escape(one.title)}</div>'
        f'<div style="font-size:12px;opacity:.75;margin:2px 0 6px">about {one.minutes} min · {level}</div>'
        f'<div style="font-size:14px;line-height:1.45;white-space:pre-line">{escape(one.goal)}</div>'
        f'<div style="font-size:13px;margin-top:8px"><a href="{escape(shop.address)}">{escape(says)}</a></div></div>'
    )


def hints(shop: Workshop) -> str:
    """The hints that are open."""
    return "".join(
        '<div style="font-size:13px;line-height:1.4;margin-top:6px;padding-left:8px;border-left:3px solid #e69f00">'
        f"{at + 1}. {escape(hint)}</div>"
        for at, hint in enumerate(shop.exercise.hints[: shop.hints])
    )


def verdict(shop: Workshop) -> str:
    """What the last check came to; '' before one."""
    if shop.passed is None:
        return ""
    mark, colour = ("✓ Solved.", "#009e73") if shop.passed else ("✗ Not yet.", "#d55e00")
    return (
        '<div role="status" style="font-size:13px;line-height:1.4;margin-top:4px;padding:4px 8px;overflow-wrap:anywhere;'
        f'border-left:4px solid {colour}"><b>{mark}</b> {escape(shop.says)}</div>'
    )
