"""Run by `panel serve --setup` before the server opens."""

from workbench.pages.starting import start

start()
