"""From page to page in headless Chromium: the front page, the links of the header, palettes, help, and the page of runs."""

import threading

import pytest

from tests.pages.conftest import EXPECT, darken, quiet, served, until
from tests.plots import samples
from workbench.store import Store
from workbench.views.circuits import Circuits
from workbench.views.index import Index
from workbench.views.runs import Runs

pytestmark = pytest.mark.browser

HOSTILE = "<img src=x onerror=window.hacked=1>"


@pytest.fixture
def store(tmp_path):
    made = Store(tmp_path / "store")
    made.put(samples.scores("layer", "head", title=HOSTILE))
    return made


@pytest.fixture
def url(jobs, store, views, monkeypatch):
    """Three pages on one server."""
    from workbench.pages import circuits, index, runs

    monkeypatch.setenv("WORKBENCH_PAGES", "index circuits runs")

    def session(make, page):
        views.append(make(jobs, store))
        return page(views[-1])

    pages = {
        "/index": lambda: session(Index, index.page), "/circuits": lambda: session(Circuits, circuits.page),
        "/runs": lambda: session(Runs, runs.page),
    }  # fmt: skip
    with served(pages) as made:
        yield made


@pytest.fixture
def button():
    """The button that says the page has loaded."""
    return "Help"


@pytest.mark.slow
def test_from_the_front_page_to_a_result_and_on_with_the_same_model(tab, views):
    tab.get_by_text("Free memory").wait_for(timeout=EXPECT)
    tab.get_by_role("link", name="a tiny model").click()
    tab.get_by_role("button", name="Run").click(timeout=EXPECT)
    tab.get_by_text("Done.", exact=True).wait_for(timeout=2 * EXPECT)
    tab.locator(".nsewdrag").first.wait_for(timeout=EXPECT)
    assert tab.locator("a[aria-current=page]").first.inner_text() == "Circuits"
    before = tab.locator(".nsewdrag").first.evaluate(
        "one => one.closest('.js-plotly-plot').layout.coloraxis?.colorscale?.[0]?.[1]"
    )
    tab.get_by_role("button", name="Colours").click()
    tab.get_by_role("radio", name="purple-green").click()
    tab.wait_for_function("location.search.includes('palette=purple-green')", timeout=EXPECT)
    now = "one => one.closest('.js-plotly-plot').layout.coloraxis?.colorscale?.[0]?.[1]"
    until(tab, lambda: before is None or tab.locator(".nsewdrag").first.evaluate(now) != before)
    tab.keyboard.press("Escape")
    tab.keyboard.press("?")
    tab.get_by_text("On every page").wait_for(timeout=EXPECT)
    tab.keyboard.press("Escape")
    tab.get_by_role("link", name="Runs").click()
    tab.locator("tbody tr").filter(has_text="patch").first.wait_for(timeout=EXPECT)
    for word in ("model=tiny", "task=repeated_tokens", "palette=purple-green"):
        assert word in tab.get_by_role("link", name="Circuits").get_attribute("href")
    assert tab.get_by_role("alert").count() == 0
    tab.locator("tbody tr").filter(has_text="tiny:repeat").filter(has_text="patch").click()
    tab.get_by_text("Stored as").wait_for(timeout=EXPECT)
    darken(tab)
    tab.wait_for_function("location.search.includes('theme=dark')", timeout=EXPECT)
    tab.get_by_role("link", name="Open with its tools").or_(tab.get_by_role("button", name="Open with its tools")).click()
    tab.get_by_text("Shown from the store.").wait_for(timeout=EXPECT)
    # The colours have come along.
    assert "palette=purple-green" in tab.url
    tab.wait_for_function("getComputedStyle(document.body).backgroundColor.startsWith('rgb(1')", timeout=EXPECT)
    tab.get_by_role("link", name="Start").click()
    first = tab.get_by_role("link", name="a tiny model")
    first.wait_for(timeout=EXPECT)
    assert "theme=dark" in first.get_attribute("href")


def test_a_run_is_found_exported_deleted_and_had_back(tab, url, views, tmp_path):
    tab.goto(url.replace("index", "runs"))
    row = tab.locator("tbody tr")
    row.first.wait_for(timeout=EXPECT)
    view = views[-1]
    row.first.click()
    tab.get_by_text("Stored as").wait_for(timeout=EXPECT)
    key = view.chosen
    tab.wait_for_function(f"location.search.includes('result={key}')", timeout=EXPECT)
    with tab.expect_download(timeout=EXPECT) as info:
        tab.get_by_role("button", name="Export this run").click()
    info.value.save_as(tmp_path / "run.npz")
    tab.get_by_role("button", name="Delete", exact=True).click()
    # What is drawn anew meanwhile does not take the question back.
    tab.set_viewport_size({"width": 1200, "height": 900})
    tab.get_by_role("button", name="Delete it").wait_for(timeout=EXPECT)
    quiet(tab)
    tab.get_by_role("button", name="Keep it").click(timeout=EXPECT)
    assert key in view.store
    tab.get_by_role("button", name="Delete", exact=True).click()
    tab.get_by_role("button", name="Delete it").click()
    tab.get_by_text("Nothing is stored yet").wait_for(timeout=EXPECT)
    assert key not in view.store
    tab.locator("input[type=file]").set_input_files(tmp_path / "run.npz")
    until(tab, lambda: key in view.store)
    tab.get_by_text("Stored as").wait_for(timeout=EXPECT)
    search = tab.get_by_label("Search")
    search.fill("no such word")
    tab.get_by_text("0 of 1 results").wait_for(timeout=EXPECT)
    tab.locator("input[type=file]").set_input_files({"name": "x.zip", "mimeType": "a/b", "buffer": b"<b>no</b>"})
    tab.get_by_role("alert").filter(has_text="JSON").wait_for(timeout=EXPECT)
    assert tab.evaluate("window.hacked") is None
    assert tab.locator("img[src=x]").count() == 0


def test_a_file_of_too_many_bytes_is_told_and_never_sent(tab, url, monkeypatch):
    monkeypatch.setattr("workbench.pages.runs.MOST_BYTES", 1_000_000)
    sent = []
    tab.on("websocket", lambda socket: socket.on("framesent", lambda frame: sent.append(len(frame))))
    tab.goto(url.replace("index", "runs"))
    tab.locator("tbody tr").first.wait_for(timeout=EXPECT)
    tab.locator("input[type=file]").set_input_files({"name": "big.npz", "mimeType": "a/b", "buffer": b"z" * 1_100_000})
    tab.get_by_role("alert").filter(has_text="The file must have at most 1 MB; got a larger one.").wait_for(timeout=EXPECT)
    assert 0 < sum(sent) < 500_000
    # The library writes it to the console too, a moment later.
    until(tab, lambda: tab.errors)
    assert "exceeds maximum file size" in tab.errors.pop()


@pytest.mark.slow
def test_a_job_leads_back_to_the_page_it_was_begun_from(tab, url, jobs, views):
    let = threading.Event()
    held = jobs.submit("tiny:repeat", "before", lambda model, job: let.wait(60))
    try:
        tab.goto(url.replace("index", "circuits?model=tiny%3Arepeat&task=repeated_tokens&method=atp&task.n=4"))
        tab.get_by_role("button", name="Run").click(timeout=EXPECT)
        until(tab, lambda: any(key.startswith("run ") for key in jobs.states()))
        tab.get_by_role("link", name="Runs").click()
        # The job that holds the queue is this test's own: begun on no page, or on any that is drawn at this moment.
        tab.locator("a[href*='circuits?model=']", has_text="Open its page").click(timeout=EXPECT)
        tab.wait_for_function(
            "location.pathname.endsWith('circuits') && location.search.includes('method=atp')", timeout=EXPECT
        )
        # The page joins it again.
        until(tab, lambda: isinstance(views[-1], Circuits) and views[-1].status == "queued")
    finally:
        let.set()
        held.wait(10)
