"""One script, three hosts: the same traits, and a click that arrives in each."""

import json

import pytest

from tests.pages.conftest import EXPECT, chromium, served  # noqa: F401
from workbench.errors import BadInput
from workbench.widgets.widget import Trait, Widget, notebook, static

SCRIPT = """
function render({ model, el }) {
  const box = document.createElement("button")
  const show = () => {
    const view = model.get("data")
    box.textContent = `${view.getUint8(0)} ${model.get("words").join("|")} ${model.get("count")}`
  }
  const press = () => { model.set("count", model.get("count") + 1); model.save_changes() }
  box.addEventListener("click", press)
  model.on("change:count", show)
  el.append(box)
  show()
  return () => model.off("change:count", show)
}
export default { render }
"""
HOSTILE = "</script><script>window.hacked=1</script>"


@pytest.fixture
def counter(tmp_path):
    script = tmp_path / "counter.js"
    script.write_text(SCRIPT)
    return Widget(
        "Counter",
        script,
        (Trait("data", "bytes", b"\x07"), Trait("words", "list", ["a"]), Trait("count", "int", 0, "How often it was pressed.")),
    )


def test_the_twins_share_names_kinds_and_defaults(counter):
    pytest.importorskip("anywidget", reason="needs anywidget: pip install -e '.[notebooks]'")
    from workbench.pages.widget import panel_class

    twin, other = notebook(counter)(), panel_class(counter)()
    for trait in counter.traits:
        assert getattr(twin, trait.name) == getattr(other, trait.name) == trait.default
        assert twin.traits()[trait.name].metadata["sync"]
    # Defaults that can be changed are nobody else's.
    twin.words.append("b")
    other.words.append("b")
    assert notebook(counter)().words == panel_class(counter)().words == ["a"]
    assert notebook(counter) is notebook(counter)


def test_a_state_names_traits_that_there_are(counter):
    assert counter.state(count=3) == {"data": b"\x07", "words": ["a"], "count": 3}
    with pytest.raises(BadInput, match="a trait of Counter must be one of"):
        counter.state(counts=3)


@pytest.mark.browser
def test_a_file_shows_it_under_a_policy_that_allows_no_request(counter, chromium, tmp_path):  # noqa: F811
    policy = "<meta http-equiv=Content-Security-Policy content=\"default-src 'none'; script-src 'unsafe-inline'\">"
    file = tmp_path / "counter.html"
    file.write_text(f"<!doctype html><meta charset=utf-8>{policy}" + static(counter, {"words": [HOSTILE, "ש"], "count": 4}))
    tab = chromium.new_page()
    requests = []
    tab.on("request", lambda request: requests.append(request.url))
    tab.goto(file.as_uri())
    assert tab.locator("button").text_content() == f"7 {HOSTILE}|ש 4"
    tab.locator("button").click()
    assert tab.locator("button").text_content().endswith(" 5")
    assert tab.evaluate("window.hacked") is None
    assert requests == [file.as_uri()]
    tab.close()


@pytest.mark.browser
def test_a_click_on_a_panel_page_arrives_in_python(counter, chromium):  # noqa: F811
    import panel as pn

    from workbench.pages.widget import panel_class

    made = []

    def session():
        pn.extension()
        made.append(panel_class(counter)(words=[HOSTILE]))
        return made[-1]

    with served(session) as url:
        tab = chromium.new_page()
        requests = []
        tab.on("request", lambda request: requests.append(request.url))
        tab.goto(url)
        tab.locator("button").click(timeout=EXPECT)
        tab.locator("button").filter(has_text=f"7 {HOSTILE} 1").wait_for(timeout=EXPECT)
        for _ in range(100):
            if made[-1].count == 1:
                break
            tab.wait_for_timeout(50)
        assert made[-1].count == 1
        tab.close()
    assert not [one for one in requests if not one.startswith(("http://127.0.0.1", "data:", "blob:"))], json.dumps(requests)
