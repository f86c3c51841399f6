"""The page of models: `panel serve apps/models.py --warm --show`."""

import panel  # noqa: F401

from workbench.pages.models import page

page().servable()
