"""The page of runs: `panel serve apps/runs.py --warm --show`."""

import panel  # noqa: F401

from workbench.pages.runs import page

page().servable()
