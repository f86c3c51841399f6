"""The components of `widgets` as Panel knows them.

Not by Panel's own class for them: its browser side keeps one piece of code that hands a script its model for all components
of a page that are written in plain JavaScript and for all of that class, whichever comes first. On a page with both, the
others are handed a model that is not theirs. So these are plain too, and bring what their scripts expect.
"""

from functools import cache

import panel as pn
import param

from workbench.widgets.widget import EXPORT, Widget

_PARAMS = {
    "bytes": param.Bytes, "list": param.List, "dict": param.Dict, "int": param.Integer, "float": param.Number,
    "text": param.String, "flag": param.Boolean,
}  # fmt: skip
_HOST = """
const hosted = ({ model, data, el }) => {
  let changes = {}
  const get = (name) => {
    const value = data.attributes[name]
    return value instanceof ArrayBuffer ? new DataView(value) : value
  }
  const save = () => {
    const all = changes
    changes = {}
    data.setv(all)
  }
  const set = (name, value) => { changes[name] = value }
  const end = render({ model: { get, set, save_changes: save, on: model.on, off: model.off }, el })
  if (end) model.on("remove", end)
}
export default { render: hosted }
"""


@cache
def panel_class(widget: Widget) -> type:
    """The class of a component for a Panel page; its params are the traits of its twin in JupyterLab."""
    source, found = EXPORT.subn("", widget.source)
    assert found == 1, f"{widget.script} must end in 'export default {{ render }}'"
    shared = {trait.name: _PARAMS[trait.kind](default=trait.default, doc=trait.doc) for trait in widget.traits}
    return type(widget.name, (pn.custom.JSComponent,), {"_esm": source + _HOST, "__module__": __name__, **shared})
