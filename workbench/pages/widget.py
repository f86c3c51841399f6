"""The components of `widgets` as Panel knows them."""

from functools import cache

import panel as pn
import param

from workbench.widgets.widget import Widget

_PARAMS = {
    "bytes": param.Bytes, "list": param.List, "dict": param.Dict, "int": param.Integer, "float": param.Number,
    "text": param.String, "flag": param.Boolean,
}  # fmt: skip


@cache
def panel_class(widget: Widget) -> type:
    """The class of a component for a Panel page; its params are the traits of its twin in JupyterLab."""
    shared = {trait.name: _PARAMS[trait.kind](default=trait.default, doc=trait.doc) for trait in widget.traits}
    return type(widget.name, (pn.custom.AnyWidgetComponent,), {"_esm": widget.source, "__module__": __name__, **shared})
