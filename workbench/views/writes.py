"""What a head writes on a prompt: the job that reads it, and the state of the panel that shows it."""

from dataclasses import replace
from typing import Any

import param

from workbench.jobs import LIVE, Job, Jobs
from workbench.plots.text import visible
from workbench.result import Readout, canonical
from workbench.store import Store
from workbench.views.latest import Latest
from workbench.views.question import Question


def written(model: Any, pairs: Any, layer: int, head: int, prompt: int, of: str) -> Readout:
    """What a head writes at END of a prompt, its lines named by the token that is looked at and its share of attention."""
    from workbench.detectors.writing import writes
    from workbench.methods import METHODS

    found = writes(model, pairs, layer, head, prompt, of)
    lines = zip(*(found.values[name].values for name in ("effect", "token", "pos", "attention")), strict=True)
    looked = [
        f"{'↑' if effect == 'raises' else '↓'} {'all, as it looks' if pos < 0 else f'{visible(str(token))} {share:.0%}'}"
        for effect, token, pos, share in lines
    ]

    def named(array: Any) -> Any:
        return array.drop_vars(["line", "token"]).rename(line="looked at").assign_coords({"looked at": looked})

    params = {"layer": layer, "head": head, "prompt": prompt, "of": of}
    origin = replace(METHODS["baseline"].origin(model, pairs), method="writes", params=params)
    return found.replace(values=named(found.values), parts={"token": named(found.parts["token"])}, origin=origin)


class Writes(param.Parameterized):
    """The panel of what the open head writes."""

    readout = param.Parameter(doc="Readout over (looked at, rank), or None.")
    status = param.String(default="", doc="What is going on, or why there is nothing to see.")

    def __init__(self, jobs: Jobs, store: Store):
        super().__init__()
        self._latest = Latest(jobs, store=store)

    @property
    def live(self) -> bool:
        """Whether a job of this panel waits or runs."""
        return self._latest.live

    def show(self, asked: Question, layer: int, head: int, prompt: int, of: str, load: bool = True) -> None:
        """Show what a head writes: at once if it was read before, else by a job, unless the model must not be asked."""
        key = f"writes {canonical([asked.pairs_key, layer, head, prompt, of])}"
        if not load and self._latest.known(asked, key) is None:
            self.hide()
            return

        def work(model: Any, job: Job) -> Readout:
            pairs = asked.pairs(model)
            job.say("Reading what it writes")
            return written(model, pairs, layer, head, prompt, of)

        known = self._latest.ask(asked, key, work)
        if known is not None:
            self.param.update(readout=known, status="")
        else:
            self.refresh()

    def hide(self) -> None:
        """Show nothing."""
        self._latest.drop()
        self.param.update(readout=None, status="")

    def refresh(self) -> None:
        """Take over how far the job is."""
        job = self._latest.refresh()
        if job is None:
            return
        if job.status in LIVE:
            self.status = f"{job.label} …"
        elif job.status == "done":
            self.param.update(readout=job.result, status="")
        else:
            self.param.update(readout=None, status=job.message or "Stopped.")
