"""The circuits page: `panel serve apps/circuits.py --warm --show`."""

import panel  # noqa: F401

from workbench.pages.circuits import page

page().servable()
