"""All pages in headless Chromium with the worst of texts in addresses, prompts, names of models, of runs and of files.

Whatever runs as script, or opens a dialog, says so in the console, where the tab's own check finds it. Next door a second tab
stays open, and works as before.
"""

from dataclasses import replace
from importlib import import_module
from urllib.parse import urlencode

import pytest

from tests.pages.conftest import EXPECT, served
from tests.plots import samples
from tests.views.test_edited_addresses import PAGES, made
from workbench.store import Store
from workbench.store.texts import keep_text
from workbench.views.classroom import Classroom
from workbench.views.index import Index
from workbench.views.workshop_plan import plan_of

pytestmark = pytest.mark.browser

SCRIPT = "<img src=x onerror=window.hacked=1><script>window.hacked=1</script>"
WORST = f"{SCRIPT} '\"--></style>`${{1}} 😀 שלום ‮abc"
TRAP = "Object.defineProperty(window, 'hacked', {set() { console.error('a script ran') }})"
ROWS = f"clean,corrupt,right,wrong\n{SCRIPT} h 😀 שלום c,{SCRIPT} i 😀 שלום c,b,d\n"
# What is pressed on the pages that read prompts.
BUTTONS = {"attention": "Show", "residual": "Show", "circuits": "Run"}
NOTICE = "Part of the address could not be used"


@pytest.fixture
def store(tmp_path):
    """A store with a run whose every name is hostile, and with hostile pairs."""
    kept = Store(tmp_path / "store")
    origin = replace(
        samples.ORIGIN, method=WORST, model=f"../{WORST}", task=WORST, task_params={WORST: WORST}, params={"n": WORST}
    )
    kept.put(samples.scores("layer", "head", title=WORST, unit=WORST, notes={"sign": WORST}).replace(origin=origin))
    return kept


@pytest.fixture
def room():
    """A classroom of learners with hostile names."""
    one = {"page": "pairs", "goal": WORST, "hints": [WORST] * 3, "minutes": 4, "title": WORST}
    check = {"kind": "answer", "ask": WORST, "any_of": ["a"]}
    found = Classroom(plan_of({"title": WORST, "models": ["tiny:repeat"], "exercises": [{**one, "check": check}]}), "sesame")
    for number in range(40):
        found.learner(f"{number:016x}").name = (WORST[number:] + WORST)[:40]
        found.learner(f"{number:016x}").does(WORST)
    return found


@pytest.fixture
def url(jobs, store, room, monkeypatch):
    """Every page on one server; the front page."""
    names = ["index", *PAGES]
    monkeypatch.setenv("WORKBENCH_PAGES", " ".join(names))

    def session(name):
        view = Index(jobs, store) if name == "index" else made(name, jobs, store)
        return import_module(f"workbench.pages.{name}").page(view)

    pages = {f"/{name}": lambda name=name: session(name) for name in names}
    pages["/teacher"] = lambda: import_module("workbench.pages.teacher").page(room)
    with served(pages) as front:
        yield front


@pytest.fixture
def button():
    """The button that says the page has loaded."""
    return "Help"


def unharmed(tab):
    """No script ran, nothing failed, and nothing of what was sent has become an element."""
    assert tab.locator("img[src=x]").count() == 0
    assert not tab.get_by_text("Internal error").count()


@pytest.mark.slow
def test_the_worst_of_texts_is_text_on_every_page_and_nobody_next_door_notices(tab, url, tiny, store, tmp_path):
    beside = tab.context.browser.new_page(viewport={"width": 640, "height": 800})
    tab.on("dialog", lambda dialog: (tab.evaluate("console.error('a dialog')"), dialog.dismiss()))
    tab.add_init_script(TRAP)
    beside.goto(url.replace("index", f"pairs?{urlencode({'model': tiny, 'task': 'repeated_tokens', 'task.n': 2})}"))
    check = beside.get_by_role("button", name="Check pairs")
    check.wait_for(timeout=EXPECT)
    names = ("model", "task", "rows", "result", "prompt", "head", "search", "palette", "theme", "part", SCRIPT)
    for page in ("index", *PAGES):
        tab.goto(url.replace("index", f"{page}?{urlencode(dict.fromkeys(names, f'../{WORST}'))}"))
        tab.get_by_text(NOTICE).first.wait_for(timeout=EXPECT)
        unharmed(tab)
    rows = keep_text(store.folder, ROWS)
    for page, name in BUTTONS.items():
        tab.goto(url.replace("index", f"{page}?{urlencode({'model': tiny, 'task': 'custom', 'rows': rows})}"))
        tab.get_by_role("button", name=name, exact=True).click(timeout=EXPECT)
        tab.get_by_text("Done.", exact=True).wait_for(timeout=3 * EXPECT)
        unharmed(tab)
    tab.goto(url.replace("index", "runs"))
    tab.locator("tbody tr").filter(has_text="onerror").first.click(timeout=EXPECT)
    tab.get_by_text("Stored as").wait_for(timeout=EXPECT)
    tab.locator("input[type=file]").set_input_files(
        {"name": f"{SCRIPT}.zip".replace("/", ""), "mimeType": "a/b", "buffer": b"PK\0"}
    )
    tab.get_by_role("alert").filter(has_text="whole zip").wait_for(timeout=EXPECT)
    unharmed(tab)
    tab.goto(url.replace("index", "teacher?key=sesame"))
    tab.get_by_text("40 learners.").wait_for(timeout=EXPECT)
    tab.locator("tbody tr").filter(has_text="onerror").first.wait_for(timeout=EXPECT)
    unharmed(tab)
    assert check.bounding_box()["x"] < 100, "in a narrow window the form has given way"
    check.click()
    beside.get_by_text("Done.", exact=True).wait_for(timeout=3 * EXPECT)
    beside.get_by_text("2 pairs, all of them usable.").wait_for(timeout=EXPECT)
    beside.close()
