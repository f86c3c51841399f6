"""The front page: `panel serve apps/*.py --index index --warm --show`."""

import panel  # noqa: F401

from workbench.pages.index import page

page().servable()
