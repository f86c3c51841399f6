"""The page of attention: `panel serve apps/attention.py --warm --show`."""

import panel  # noqa: F401

from workbench.pages.attention import page

page().servable()
