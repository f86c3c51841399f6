"""What the table of pairs shows of each: texts, tokens under tokens, answers as they are read, the baseline, problems.

Everything is plain text: the browser sets it as text nodes.
"""

from typing import Any

from workbench.views.pairs import OwnPairs
from workbench.views.pairs_table import COLUMNS, Line, positions

# More columns of tokens are folded away around the first difference.
MOST_TOKENS = 160
_ABOUT = {"length": ("clean", "corrupt"), "same": ("clean", "corrupt"), "long": ("clean", "corrupt")}


def content(view: OwnPairs) -> dict[str, Any]:
    """The lines shown."""
    names = positions(view.lines)
    return {"pairs": [_pair(view, line, view.first + at + 1, names) for at, line in enumerate(view.shown)]}


def _pair(view: OwnPairs, line: Line, place: int, names: list[str]) -> dict[str, Any]:
    layout, answer = view.layouts.get(line.number), view.answers.get(line.number)
    told: dict[str, Any] = {
        "number": line.number, "revision": line.revision, "place": place,
        "texts": {name: line.row.get(name, "") for name in (*COLUMNS, *names)},
        "tokens": [], "lines": [], "problems": [], "bad": [],
    }  # fmt: skip
    if layout is None:
        told["lines"] = [["Not read yet.", "quiet"]]
        return told
    told["tokens"], cut = _tokens(layout)
    told["lines"] = [[_read(layout) + cut, "quiet"]]
    if answer is not None:
        told["lines"].append([_answered(answer, view.baseline.unit if view.baseline is not None else "logits"), ""])
    told["problems"] = [
        [problem.says, problem.grave, "" if problem.fix is None else problem.fix.label] for problem in layout.problems
    ]
    grave = [problem for problem in layout.problems if problem.grave]
    told["bad"] = sorted({name for problem in grave for name in _ABOUT.get(problem.kind, ())})
    return told


def _tokens(layout: Any) -> tuple[list[list[Any]], str]:
    """A column per position, and what is said of those left out."""
    from workbench.tasks.alignment import shown

    first = layout.first_difference
    start = 0
    if len(layout.columns) > MOST_TOKENS:
        start = max(0, min((first or 0) - MOST_TOKENS // 4, len(layout.columns) - MOST_TOKENS))
    named: dict[int, list[str]] = {}
    for name, where in layout.positions.items():
        named.setdefault(where, []).append(name)
    columns = []
    for at in range(start, min(len(layout.columns), start + MOST_TOKENS)):
        one, other = layout.columns[at]
        differs = layout.differs((one, other))
        gap = one is None or other is None
        hidden = one is not None and one < layout.hidden
        label = ", ".join(named.get(one, [])) if one is not None else ""
        kind = "gap" if gap else "differs" if differs else "hidden" if hidden else "same"
        mark = "first ≠" if at == first else "≠" if differs else ""
        clean, corrupt = (
            None if index is None else shown(tokens[index]) for index, tokens in ((one, layout.clean), (other, layout.corrupt))
        )
        title = f"position {one if one is not None else '–'} of clean, {other if other is not None else '–'} of corrupt"
        said = f"{title}; put before the text by the tokenizer" if hidden else title
        columns.append([label or ("BOS" if hidden else ""), clean, corrupt, kind, mark, said])
    left = len(layout.columns) - len(columns)
    return columns, f" · {left:,} more positions are not shown" if left else ""


def _read(layout: Any) -> str:
    """How many tokens there are, and what the answers are read as."""
    from workbench.tasks.alignment import shown

    sizes = (len(layout.clean), len(layout.corrupt))
    counted = f"{sizes[0]:,} tokens each" if sizes[0] == sizes[1] else f"{sizes[0]:,} and {sizes[1]:,} tokens"
    said = [counted]
    for side in ("right", "wrong"):
        tokens = getattr(layout, side)
        if tokens:
            few = [shown(token) for token in tokens[:4]] + ["…"] * (len(tokens) > 4)
            said.append(f"{side} is read as {' or '.join(few)}")
    if layout.hidden:
        said.append(f"the tokenizer puts {layout.hidden} token{'s' * (layout.hidden > 1)} before the text")
    return " · ".join(said)


def _answered(answer: dict[str, float], unit: str) -> str:
    """The baseline on a pair, in a line."""
    mark = "✓ right" if answer["right clean"] else "✗ wrong"
    rank = int(answer["rank clean"])
    return (
        f"{mark} on clean: right minus wrong {_signed(answer['metric clean'])} {unit}, right answer rank {rank:,}, "
        f"probability {_share(answer['probability clean'])} · on corrupt: {_signed(answer['metric corrupt'])} {unit}, "
        f"rank {int(answer['rank corrupt']):,}, {_share(answer['probability corrupt'])}"
    )


def _share(number: float) -> str:
    return "under 0.1%" if 0 < number < 0.001 else f"{number:.1%}"


def _signed(number: float) -> str:
    return f"{round(number, 2) + 0.0:+.2f}".replace("-", "−")
