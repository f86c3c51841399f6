"""What the tests in a browser share: Chromium, a tiny model, a page served on this machine, a tab that logs its requests."""

import shutil
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from importlib import import_module

import pytest

from tests import families
from workbench.jobs import Jobs, Models
from workbench.store import Store

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
EXPECT = 12_000


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """What stood on the page when its test failed, in the report."""
    report = yield
    tab = getattr(item, "funcargs", {}).get("tab")
    if tab is not None and call.when == "call" and report.failed:
        with suppress(Exception):
            stood = tab.locator("body").aria_snapshot(timeout=3000)
            # From where its main part begins; the form at its side is long.
            report.sections.append(("The page", f"{tab.url}\n{stood[max(0, stood.find('- main')) :][:6000]}"))
    return report


@pytest.fixture(autouse=True)
def _light():
    """What one page is the next begins with: after a test that left it dark the next one begins light."""
    import panel as pn

    pn.config.theme = "default"


@pytest.fixture(scope="module")
def chromium():
    if CHROMIUM is None:
        pytest.skip("needs Chromium: install the system package 'chromium'")
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install -e '.[test]'")
    with sync_api.sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield made
        made.close()


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return str(families.save("llama", tmp_path_factory.mktemp("pages")))


@pytest.fixture(scope="module")
def jobs():
    made = Jobs(Models())
    yield made
    made.stop_all(10)


@pytest.fixture
def views():
    """The views of the sessions, in the order they were opened."""
    return []


def quiet(tab, seconds=1.0):
    """Wait until nothing has gone between the page and its server for so long; at most as long as anything is waited for."""
    end = time.monotonic() + EXPECT / 1000
    while time.monotonic() - tab.heard < seconds and time.monotonic() < end:
        tab.wait_for_timeout(100)


def until(tab, what, rest=0):
    """Wait until something has come about, and then for so many milliseconds more."""
    end = time.monotonic() + EXPECT / 1000
    while not what():
        assert time.monotonic() < end
        tab.wait_for_timeout(50)
    tab.wait_for_timeout(rest)


DARK = "getComputedStyle(document.body).backgroundColor === 'rgb(16, 18, 21)'"


def open_dark(tab):
    """Open the page anew by its address, dark."""
    tab.goto(f"{tab.url}{'&' if '?' in tab.url else '?'}theme=dark")
    tab.wait_for_function(DARK, timeout=2 * EXPECT)
    quiet(tab)


def darken(tab):
    """Turn the page dark, once all of it stands: what is mounted later tells the server, and so the page, that it is light."""
    from playwright.sync_api import TimeoutError as Late

    for _ in range(4):
        quiet(tab)
        if tab.evaluate(DARK):
            return
        tab.get_by_role("button", name="theme").first.click()
        with suppress(Late):
            tab.wait_for_function(DARK, timeout=EXPECT)
    raise AssertionError("the page stays light")


@contextmanager
def served(session):
    """The URL of a page that is made anew by `session` for each tab; or of the first of several, by their addresses."""
    import panel as pn

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # As `workbench serve` does.
    pn.state._thread_pool = ThreadPoolExecutor(4)
    pages = session if isinstance(session, dict) else {"/": session}
    pn.serve(pages, port=port, address="127.0.0.1", threaded=True, show=False, websocket_origin=[f"127.0.0.1:{port}"])
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
            break
        except OSError:
            time.sleep(0.05)
    try:
        yield f"http://127.0.0.1:{port}{next(iter(pages))}"
    finally:
        # Without this the server's thread keeps pytest from ending.
        pn.state.kill_all_servers()
        pn.state.reset()


@contextmanager
def served_panels(make, **settings):
    """The URL of a page that holds what `make` gives, without a view; `settings` are those of the page."""
    import panel_material_ui as pmui

    from workbench.pages.shell import opened

    class Made:
        view = None

        def __init__(self):
            self.page = pmui.Page(title="panels", main=make(), **settings)

        def follow(self, location, query):
            pass

    with served(lambda: opened(Made)) as url:
        yield url


@pytest.fixture
def serve(jobs, views, tmp_path):
    """Serves a page of that name to sessions whose views are made so, with a store of their own; gives its URL."""
    with ExitStack() as stack:

        def start(name, view, **state):
            page = import_module(f"workbench.pages.{name}").page

            def session():
                views.append(view(jobs, Store(tmp_path / "store"), **state))
                return page(views[-1])

            return stack.enter_context(served(session))

        yield start


@pytest.fixture
def tab(chromium, url, button):
    """A tab with the page open; afterwards: every request stayed on this machine, and the console held no error."""
    made = chromium.new_page(viewport={"width": 1400, "height": 900})
    requests, errors = [], []
    made.errors = errors

    def listen(socket):
        socket.on("framereceived", heard)
        socket.on("framesent", heard)

    def heard(*_):
        made.heard = time.monotonic()

    heard()
    made.on("websocket", listen)
    made.on("request", lambda request: requests.append(request.url))
    made.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    made.on("pageerror", lambda problem: errors.append(problem.stack or str(problem)))
    made.goto(url)
    made.get_by_role("button", name=button).wait_for(timeout=EXPECT)
    yield made
    made.wait_for_timeout(300)
    made.close()
    outside = [each for each in requests if not each.startswith(("http://127.0.0.1", "data:", "blob:"))]
    assert not outside
    assert len(requests) > 3
    assert not errors, "\n".join(errors)
