"""The page of the residual stream: `panel serve apps/residual.py --warm --show`."""

import panel  # noqa: F401

from workbench.pages.residual import page

page().servable()
