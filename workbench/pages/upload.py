"""A field for a file, which says when the file is too large.

The library's own tells its server side so in a word that this side does not know, and shows nothing.
"""

from collections.abc import Callable
from typing import Any

import panel_material_ui as pmui


# By the name of the library's, which its script goes by.
class FileInput(pmui.FileInput):
    """Hands on files of at most `most` bytes; larger ones never leave the browser.

    Args:
        most: Bytes of a file at most.
        refuse: Called with the reason where a file is not taken.
        settings: As the library's.
    """

    def __init__(self, most: int, refuse: Callable[[str], None], **settings: Any):
        super().__init__(max_file_size=most, **settings)
        self._refuse = refuse

    def _handle_msg(self, msg: Any) -> None:
        if msg.get("status") != "error":
            super()._handle_msg(msg)
        elif "exceeds" in str(msg.get("error")):
            self._refuse(f"The file must have at most {round(self.max_file_size / 1e6)} MB; got a larger one.")
        else:
            self._refuse("The file must be one that the browser can read; got one that it cannot.")
