"""The channels page: `panel serve apps/channels.py --warm --show`."""

import panel  # noqa: F401

from workbench.pages.channels import page

page().servable()
