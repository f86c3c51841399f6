"""The teacher's page of a workshop, which `workbench serve --workshop plan.yaml` serves."""

import panel  # noqa: F401

from workbench.pages.teacher import page

page().servable()
