"""The page of maps: `panel serve apps/maps.py --warm --show`."""

import panel  # noqa: F401

from workbench.pages.maps import page

page().servable()
