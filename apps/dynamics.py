"""The page of how induction is learned: `panel serve apps/dynamics.py --warm --show`."""

import panel  # noqa: F401

from workbench.pages.dynamics import page

page().servable()
