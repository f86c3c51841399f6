"""The page of pairs: `panel serve apps/pairs.py --warm --show`."""

import panel  # noqa: F401

from workbench.pages.pairs import page

page().servable()
