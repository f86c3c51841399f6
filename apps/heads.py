"""The page of heads: `panel serve apps/heads.py --warm --show`."""

import panel  # noqa: F401

from workbench.pages.heads import page

page().servable()
