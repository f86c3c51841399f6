"""A component once described, with its hosts: JupyterLab here, a file of HTML here, Panel in `pages.widget`.

Its script is one ES module without imports that ends in `export default { render }`. `render({ model, el })` draws into `el`
and gives back what takes it down; `model` has `get`, `set`, `save_changes`, `on('change:NAME', f)` and `off`, and no more.
Bytes arrive as a DataView, which need not be aligned: copy them before reading floats.

A canvas may carry functions of its own for the menu of a panel that it stands in: `svg()` gives what is drawn on it as an
SVG element of the same size, made by the same code with the pen of `vectors.js`, and `grow({ width, height })` draws it anew
where there are so many pixels for it, until `grow(null)`.
"""

import base64
import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from workbench.errors import one_of

KINDS = {"bytes": bytes, "list": list, "dict": dict, "int": int, "float": float, "text": str, "flag": bool}
EXPORT = re.compile(r"^export default \{ render \};?\s*\Z", re.MULTILINE)

# What a host does for a script, for a page that nothing serves.
_MODEL = """
class Model {
  constructor(state) { this.state = state; this.heard = {}; this.changed = new Set() }
  get(name) { return this.state[name] }
  set(name, value) { this.state[name] = value; this.changed.add(name) }
  save_changes() {
    const changed = [...this.changed]
    this.changed.clear()
    for (const name of changed) for (const each of this.heard["change:" + name] ?? []) each()
  }
  on(name, each) { (this.heard[name] ??= []).push(each) }
  off(name, each) { this.heard[name] = (this.heard[name] ?? []).filter((other) => other !== each) }
}
const bytes = (text) => new DataView(Uint8Array.from(atob(text), (one) => one.charCodeAt(0)).buffer)
"""


@dataclass(frozen=True)
class Trait:
    """One value that Python and the script share.

    Attributes:
        name: Its name on both sides.
        kind: 'bytes', 'list', 'dict', 'int', 'float', 'text' or 'flag'.
        default: What it is at first; for lists and dicts a copy of it.
        doc: What it means.
    """

    name: str
    kind: str
    default: Any
    doc: str = ""

    def __post_init__(self):
        one_of("the kind of a trait", self.kind, KINDS)
        assert isinstance(self.default, KINDS[self.kind])


@dataclass(frozen=True, eq=False)
class Widget:
    """A component: its name as a class, its script and what it shares.

    Attributes:
        name: As a class is named.
        script: The file of the ES module.
        traits: What Python and the script share.
        before: Files whose text stands before it: a long script in parts, which share one scope.
    """

    name: str
    script: Path
    traits: tuple[Trait, ...]
    before: tuple[Path, ...] = ()

    @property
    def source(self) -> str:
        """The text of the script."""
        return "\n".join(file.read_text(encoding="utf-8") for file in (*self.before, self.script))

    def state(self, **given: Any) -> dict[str, Any]:
        """A value for every trait: what is given, else the default."""
        for name in given:
            one_of(f"a trait of {self.name}", name, [trait.name for trait in self.traits])
        return {trait.name: given.get(trait.name, trait.default) for trait in self.traits}


@cache
def notebook(widget: Widget) -> type:
    """The class of a component for JupyterLab; needs anywidget."""
    import anywidget
    import traitlets

    makers = {
        "bytes": traitlets.Bytes, "list": traitlets.List, "dict": traitlets.Dict, "int": traitlets.Int,
        "float": traitlets.Float, "text": traitlets.Unicode, "flag": traitlets.Bool,
    }  # fmt: skip
    shared = {trait.name: makers[trait.kind](trait.default, help=trait.doc).tag(sync=True) for trait in widget.traits}
    return type(widget.name, (anywidget.AnyWidget,), {"_esm": widget.source, "__module__": __name__, **shared})


def static(widget: Widget, state: Mapping[str, Any]) -> str:
    """A piece of HTML with a component as it stands, which asks no server for anything.

    Its script stands in the page itself, so that it runs under a policy that allows nothing from elsewhere.

    Args:
        widget: The component.
        state: Values of its traits; the rest are their defaults.
    """
    source, found = EXPORT.subn("", widget.source)
    assert found == 1, f"{widget.script} must end in 'export default {{ render }}'"
    values = widget.state(**state)
    parts = [f"{json.dumps(name)}: {_script(value)}" for name, value in values.items()]
    place = f"widget-{uuid.uuid4().hex}"
    return (
        f'<div id="{place}"></div>\n<script>(() => {{\n{_MODEL}\n{source}\n'
        f'render({{model: new Model({{{", ".join(parts)}}}), el: document.getElementById("{place}")}})\n}})()</script>'
    )


def _script(value: Any) -> str:
    """A value as JavaScript that cannot end the script it stands in."""
    if isinstance(value, bytes):
        return f'bytes("{base64.b64encode(value).decode()}")'
    return json.dumps(value, allow_nan=False).replace("<", "\\u003c")
