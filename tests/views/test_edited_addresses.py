"""Addresses edited by hand, on every page: whatever stands in them, it is used or named in a notice, and nothing fails."""

import pytest

from tests import families
from tests.plots import samples
from tests.views.conftest import opened
from workbench.errors import BadInput
from workbench.jobs import Jobs, Models
from workbench.store import Store
from workbench.views import (
    address,
    channels_address,
    dynamics_address,
    heads_address,
    looks_address,
    maps_address,
    pairs_address,
    residual_address,
    runs_address,
    shelf,
)
from workbench.views.channels import Channels
from workbench.views.circuits import Circuits
from workbench.views.dynamics import Dynamics
from workbench.views.heads import Heads
from workbench.views.heads_filter import narrowed
from workbench.views.heads_table import HeadsTable
from workbench.views.looks import Looks
from workbench.views.maps import Maps
from workbench.views.pairs import OwnPairs
from workbench.views.residual import Residual
from workbench.views.runs import Runs
from workbench.views.shelf import Shelf

# Every page that takes anything from its address, and what reads it.
PAGES = {
    "pairs": (OwnPairs, pairs_address), "maps": (Maps, maps_address), "heads": (Heads, heads_address),
    "attention": (Looks, looks_address), "residual": (Residual, residual_address), "circuits": (Circuits, address),
    "channels": (Channels, channels_address), "dynamics": (Dynamics, dynamics_address), "runs": (Runs, runs_address),
    "models": (Shelf, shelf),
}  # fmt: skip
HOSTILE = (
    "",
    " ",
    "../../etc/passwd",
    "/etc/passwd",
    "<script>window.hacked=1</script>",
    "nobody/../../x",
    "x" * 299,
    "x" * 290 + "@1",
    "x" * 100_000,
    "9" * 40,
    "999999",
    "-1",
    "nan",
    "inf",
    "1e999",
    "0x10",
    "²",
    "٣",
    "1.5",
    "0.0",
    "99.99",
    "9999.9999",
    "..",
    "\x00",
    "a\x00b@c",
    "\ud800",
    "😀",
    "שלום",
    "{}",
    "[1]",
    "None",
    "yes",
    "'; DROP",
    "%s%n",
    "a b c",
    "+",
    ",",
    "a@b@c",
    "~root",
    "tiny:../..",
    "known:..",
    "trained:attention@../../x",
    "tiny:repeat@all",
    "0",
    "0.0.0",
    "a0.h0:zero",
    "1 2 3",
    "\n",
    "*",
    "clean",
)
ALONE = ("0.0", "x" * 290 + "@1")
# Names that stand in addresses of any page; those of another page are named in the notice.
NAMES = """
    model dtype device rows task task.n task.seed task.corruption task.length method method.sites method.by method.metric
    method.direction result size layer head prompt of at against live slot writer reader component alpha part step
    nested.alpha lm lm.step study train.seeds train.n_steps joined detector sort order least only heads.length source text
    weighted own pinned shown colours kind exact pos points norm cosine lens shares search of.method of.model of.task what
    """.split()
ROWS = "clean,corrupt,right,wrong\nd h b c,i h b c,b,d\n"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return str(families.save("llama", tmp_path_factory.mktemp("addresses")))


@pytest.fixture(scope="module")
def jobs():
    made = Jobs(Models())
    yield made
    made.stop_all(10)


def made(page, jobs, store, **state):
    view = PAGES[page][0]
    return opened(view(jobs, **state) if view is Shelf else view(jobs, store, **state))


@pytest.mark.slow
@pytest.mark.parametrize("place", PAGES)
def test_an_address_edited_by_hand_is_used_or_named_in_one_notice(place, jobs, tmp_path, monkeypatch):
    # A link shows at once what a model at hand says of it; here none is.
    monkeypatch.setattr("workbench.models.on_disk", lambda known: False)
    store, reader = Store(tmp_path), PAGES[place][1]
    for text in HOSTILE:
        queries = [{name: text for name in NAMES}, *({name: text} for name in NAMES if text in ALONE)]
        for query in queries:
            view = made(place, jobs, store)
            reader.restore(view, query)
            kept = reader.written(view)
            assert all(len(said.text) < 20_000 and said.level in ("warning", "error", "info") for said in view.told)
            again = made(place, jobs, store)
            reader.restore(again, kept)
            assert not again.told, f"what was kept of {query} does not read back: {kept}"
            assert reader.written(again) == kept
    assert not jobs.states(), "nothing is fetched or computed"


def test_a_long_filter_that_is_none_is_refused_at_once():
    values = samples.array("detector", "layer", "head", detector=1).assign_coords(
        detector=["induction"], unit=("detector", ["share"])
    )
    table = HeadsTable(samples.scores("layer", "head").replace(values=values), {})
    assert narrowed(table, "1.2, 0. 2").tolist() == [at < 4 or at == 6 or at > 7 for at in range(12)]
    with pytest.raises(BadInput, match="must be heads or bounds"):
        narrowed(table, "11111 " * 40 + "x")
