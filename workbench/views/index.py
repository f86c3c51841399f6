"""The front page without its layout: a card per page with its first result, the last runs, what is here, how the machine is."""

import platform
from pathlib import Path
from typing import Any

import param

from workbench.jobs import JOBS, USUAL, Jobs, limits
from workbench.store import Store
from workbench.views.links import PAGES, address, served
from workbench.views.query import at_hand
from workbench.views.working import Working

SMALL = {"model": "tiny:repeat", "task": "repeated_tokens"}
LARGE = {"model": USUAL, "task": "ioi"}
# What a page is asked with its first click, beside model and task; pages that are not here have no form.
FIRST: dict[str, dict[str, str]] = {
    "pairs": {}, "maps": {}, "heads": {}, "attention": {}, "residual": {}, "circuits": {"method": "patch"}, "channels": {},
}  # fmt: skip
# What the tiny model's short context asks for.
SHORT = {"heads": {"heads.length": "12"}}
NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
MOST_RUNS = 8


class Index(Working):
    """State of the front page."""

    entries = param.List(default=[], doc="Entries of the store, the newest first.")

    def __init__(self, jobs: Jobs = JOBS, store: Store | None = None, **state: Any):
        super().__init__(**state)
        self.jobs, self.store = jobs, store or Store()
        self.entries = self.store.list()

    @property
    def live(self) -> bool:
        """Nothing of its own runs."""
        return False

    def refresh(self) -> None:
        """There is nothing to look at."""

    def cards(self) -> list[dict[str, Any]]:
        """A card per page that is served: title, about, address, and links to a first result by their label."""
        large = limits().allows(LARGE["model"]) and at_hand(LARGE["model"])
        made = []
        for name in served():
            if name == "index":
                continue
            title, about = PAGES[name]
            first = {}
            if name in FIRST:
                if limits().allows(SMALL["model"]):
                    first["a tiny model, in seconds"] = address(name, SMALL | FIRST[name] | SHORT.get(name, {}))
                if large:
                    first["SmolLM2-135M"] = address(name, LARGE | FIRST[name])
            made.append({"title": title, "about": about, "address": name, "first": first})
        return made

    def here(self) -> dict[str, list[str]]:
        """The models that load without the network, of those that are allowed."""
        from workbench.models import CATALOGUE, on_disk, own_refs

        found = {"From the hub": [name for name in CATALOGUE if on_disk(CATALOGUE[name])], "Of this project": own_refs()}
        return {title: [name for name in names if limits().allows(name)] for title, names in found.items()}

    def notebooks(self) -> list[str]:
        """The names of the notebooks of this checkout."""
        return [path.name for path in sorted(NOTEBOOKS.glob("*.ipynb"))]

    def health(self) -> list[tuple[str, str]]:
        """Devices, free memory, versions, the store: names and values."""
        from workbench.methods.method import versions
        from workbench.models.device import devices
        from workbench.models.memory import free_memory, gigabytes

        held = sum(entry.size for entry in self.entries) / 1e6
        told = [(f"Free memory on {device}", gigabytes(free_memory(device))) for device in devices()]
        told += [("Jobs now", str(len(self.jobs.states())))]
        told += [("Results stored", f"{len(self.entries):,} ({held:.1f} MB) in {self.store.folder}")]
        return [*told, ("Python", platform.python_version()), *versions().items()]
