"""Python that computes again what a panel shows, as pasted into a notebook."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from workbench.errors import BadInput
from workbench.result import Origin, Result
from workbench.views.question import CUSTOM, shape_of

# What panels read, and no method of the catalogue: the lines after `model` and `pairs`.
PANELS = {
    "writes": "from workbench.views.writes import written\n\n"
    "result = written(model, pairs, {layer!r}, {head!r}, {prompt!r}, {of!r})\n",
    "component_scores": "from workbench.channels.pair import component_scores\n"
    "from workbench.channels.weights import Heads\n\n"
    "result = component_scores(Heads(model), {slot!r}, {writer}, {reader})\n",
    "component_effects": "from workbench.channels.evidence import Bench\n"
    "from workbench.channels.pair import component_effects\n"
    "from workbench.channels.weights import Heads\n\n"
    "result = component_effects(Bench(Heads(model), pairs), {writer}, {reader})\n",
    "component_scaled": "from workbench.channels.evidence import Bench\n"
    "from workbench.channels.pair import scaled\n"
    "from workbench.channels.weights import Heads\n\n"
    "result = scaled(Bench(Heads(model), pairs), {writer}, {reader}, {component!r})\n",
    "intervened": "pairs = pairs.select(range(min(len(pairs), {prompts!r})))\n"
    "changed = workbench.intervened(model, pairs, [\n{replaced}], metric={metric!r}, readers={readers!r}, seed={seed!r})\n"
    "print(changed.before, changed.after, changed.change, changed.error)\n",
}  # fmt: skip


def code_of(result: Result, rows: str = "", then: str = "") -> str:
    """The code, '' where there is none for this panel.

    Args:
        result: What the panel shows.
        rows: The user's own pairs as text, for the task 'custom'.
        then: What makes of `result` that which the panel shows: imports, a blank line, lines.
    """
    made = code_by(result.origin, rows) if result.origin is not None else ""
    return _followed(made, then) if made and then else made


def together(results: Sequence[tuple[str, Result]], then: str, rows: str = "") -> str:
    """The code of what several results give together, each by its name; '' where one has none.

    Args:
        results: Names, 'result' the last of them, and results.
        then: See `code_of`.
        rows: See `code_of`.
    """
    parts = [code_of(each, rows) for _, each in results]
    if not all(parts):
        return ""
    named = [f"{made}{name} = result\n" if name != "result" else made for (name, _), made in zip(results, parts, strict=True)]
    return _followed("\n".join(named), then)


def code_by(origin: Origin, rows: str = "") -> str:
    """The code of a result by its origin alone; see `code_of`."""
    from workbench.dynamics import STUDIES
    from workbench.methods import METHODS

    if origin.method in METHODS or origin.method in STUDIES:
        return origin.code(_rows(origin, rows))
    if origin.method in PANELS:
        return _followed(origin.setting(_rows(origin, rows)), PANELS[origin.method].format_map(_Params(origin.params)))
    return ""


def by_parts(origin: Origin, sizes: Mapping[str, int], rows: str = "") -> str:
    """The code of a result that is too large for one call: one part of it after another, each as large as one call gives.

    Args:
        origin: Of the whole.
        sizes: The parameters that choose a part, the outermost first, and how many parts there are of each.
        rows: See `code_of`.
    """
    asked = {name: value for name, value in origin.params.items() if name not in sizes}
    lines = [f"asked = {asked!r}\n# Too many numbers for one result: use each part as it comes.\n"]
    lines += [f"{'    ' * depth}for {name} in range({size}):\n" for depth, (name, size) in enumerate(sizes.items())]
    deep, given = "    " * len(sizes), ", ".join(f"{name}={name}" for name in sizes)
    lines += [f"{deep}result = workbench.METHODS[{origin.method!r}](model, pairs, **asked, {given})\n"]
    return "".join([origin.setting(_rows(origin, rows)), *lines, f"{deep}print(result.title, dict(result.values.sizes))\n"])


def _followed(code: str, lines: str) -> str:
    """Code, and lines after it, their imports among its own."""
    imports, _, rest = lines.rpartition("\n\n")
    first, _, others = code.partition("\n\n")
    return "\n".join([first, *imports.split("\n")] if imports else [first]) + f"\n\n{others}{rest}"


class _Params(dict):
    """Parameters as they stand in code; a missing one is None."""

    def __getitem__(self, name: str) -> Any:
        value = super().get(name)
        if name in ("writer", "reader"):
            return tuple(int(part) for part in str(value).split("."))
        if name == "replaced":
            return "".join(f"    workbench.Intervention({place!r}, {by!r}),\n" for place, by in value)
        return value


def _rows(origin: Origin, text: str) -> list[Mapping[str, Any]]:
    """The rows of a text, as long as they are as many as those asked about."""
    from workbench.tasks.rows import read_rows

    if origin.task != CUSTOM or not text.strip():
        return []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"rows.{shape_of(text)}"
        file.write_text(text, encoding="utf-8", newline="")
        try:
            rows = read_rows(file)
        except BadInput:
            return []
    return list(rows) if len(rows) == origin.task_params.get("n") else []
