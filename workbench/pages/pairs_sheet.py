"""The editable table of pairs with both tokenisations under each other.

Text is set as text nodes and values of fields, so that nothing in it is ever read as HTML. What is typed is told a moment
later; a field that is being typed into is never written over unless its line was changed by something else.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import panel as pn
import param

# Larger files are refused in the browser: one message of so many megabytes would end the connection.
MOST_BYTES = 4_000_000


class PairsSheet(pn.custom.JSComponent):
    """Pairs as fields of text, their tokens, their problems with the fixes.

    `content` holds `pairs`, a dict each, see `pages.pairs_content`. What the user does is told as messages, each of which
    arrives: of a param set twice in a moment only the last value does. They are 'write' with the number of a line, a column
    and a text, 'paste' likewise, 'copy', 'remove' and 'mend' with a number and an index, 'file' with a name and a text,
    'refused' with a reason.
    """

    content = param.Dict(default={"pairs": []})
    most = param.Integer(default=MOST_BYTES)

    _esm = (Path(__file__).parent / "pairs_sheet.js").read_text(encoding="utf-8")

    def __init__(self, do: Callable[..., None]):
        super().__init__(sizing_mode="stretch_width", margin=(6, 0))
        self._do = do

    def _handle_msg(self, data: Any) -> None:
        if isinstance(data, list) and 1 < len(data) < 5 and isinstance(data[0], str):
            self._do(*data)
