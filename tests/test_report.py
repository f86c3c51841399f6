"""A report is one file: it asks for nothing, shows everything, and obeys no text."""

import json
import os
import shutil
from html.parser import HTMLParser

import numpy as np
import pytest

from tests.plots import samples
from workbench.errors import BadInput
from workbench.plots import figure
from workbench.report import report

HOSTILE = "</script><script>document.title='owned'</script><img src='http://evil.example/x.png'> & \u2028"
CHROMIUM = os.environ.get("WORKBENCH_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")


class Page(HTMLParser):
    """What stands in a page: tags with their attributes, text outside scripts and styles, scripts."""

    def __init__(self, path):
        super().__init__()
        self.tags, self.words, self.scripts, self.inside = [], [], [], ""
        self.feed(path.read_text(encoding="utf-8"))
        self.text = " ".join(self.words)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag in ("script", "style"):
            self.inside = tag
            self.scripts += [""] if tag == "script" else []

    def handle_endtag(self, tag):
        self.inside = "" if tag == self.inside else self.inside

    def handle_data(self, data):
        if self.inside == "script":
            self.scripts[-1] += data
        elif not self.inside:
            self.words.append(data)

    def count(self, tag):
        return sum(name == tag for name, _ in self.tags)


def hostile():
    made = samples.missing("layer", "pos", reason=HOSTILE)
    values = made.values.assign_coords(token=("pos", [HOSTILE] * 7))
    return made.replace(values=values, title=HOSTILE, unit=HOSTILE, notes={**made.notes, "sign": HOSTILE})


SECTIONS = [
    ("Question", "Does it hold?\n\nA second <b>paragraph</b>.", None),
    ("Maps", "Two of them.", [samples.scores("site", "layer", "pos"), samples.missing("layer", "head")]),
    ("Lines", "", samples.curve()),
    ("Tokens", "", samples.readout()),
    ("Rows", "", [{"method": "eap", "r": 0.91234567, "n": 3}, {"method": HOSTILE, "r": None, "more": float("nan")}]),
    (HOSTILE, HOSTILE, hostile()),
]


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    return report(SECTIONS, tmp_path_factory.mktemp("out") / "deep" / "page.html", title=HOSTILE)


@pytest.fixture(scope="module")
def parsed(written):
    return Page(written)


def test_it_refers_to_nothing(parsed):
    for tag, attributes in parsed.tags:
        assert tag not in ("link", "img", "iframe", "object", "embed", "base", "form", "a")
        assert not {"src", "href", "srcset", "data", "action", "style", "onclick", "onload"} & set(attributes)
    assert parsed.tags.count(("script", {})) == 2
    policy = next(a["content"] for t, a in parsed.tags if t == "meta" and a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'")
    assert "http" not in policy


def test_plotly_stands_in_it_once(written):
    whole = written.read_text(encoding="utf-8")
    assert whole.count("plotly.js v") == 1
    assert len(whole) < 6_000_000


def test_texts_are_escaped(parsed):
    assert parsed.count("script") == 3
    assert parsed.count("b") == parsed.count("img") == 0
    assert parsed.text.count(HOSTILE) >= 6
    assert "A second <b>paragraph</b>." in parsed.text
    assert parsed.count("title") == parsed.count("h1") == 1


def test_every_section_stands_in_it(parsed):
    assert parsed.count("section") == parsed.count("h2") == len(SECTIONS)
    assert parsed.count("figure") == 5
    assert parsed.text.index("Question") < parsed.text.index("Does it hold?") < parsed.text.index("Maps")
    figures = [attributes["id"] for tag, attributes in parsed.tags if tag == "div" and "id" in attributes]
    assert figures == [f"figure-{i}" for i in range(5)]


def test_figures_are_those_of_both_themes(parsed):
    assert "<" not in parsed.scripts[0]
    stored = json.loads(parsed.scripts[0])
    assert len(stored) == 5
    for one, result in zip(stored, [*SECTIONS[1][2], SECTIONS[2][2], SECTIONS[3][2], SECTIONS[5][2]], strict=True):
        light, dark = (json.loads(figure(result, theme=theme).to_json()) for theme in ("light", "dark"))
        assert (one["data"], one["layout"]) == (light["data"], light["layout"])
        assert [{**a, **b} for a, b in zip(one["data"], one["dark"], strict=True)] == dark["data"]
        assert one["darkLayout"] == dark["layout"]
        assert "sendChartToCloud" in one["config"]["modeBarButtonsToRemove"]
    assert "z" not in stored[0]["dark"][0]


def test_numbers_stand_below_each_figure(parsed):
    made = SECTIONS[1][2][0]
    for value in made.values.values.ravel():
        assert f"{value:.6g}" in parsed.words
    assert "Numbers (42 rows; unit: logits)" in parsed.text
    assert parsed.count("details") == 10
    assert not any("open" in attributes for tag, attributes in parsed.tags if tag == "details")
    assert parsed.words.count("not computed") == 3
    assert {"eap", "0.912346", "3"} <= set(parsed.words)


def test_conventions_origin_and_code_stand_below_each_figure(parsed):
    made = SECTIONS[2][2]
    assert made.origin.caption() in parsed.words
    assert made.origin.code() in parsed.words
    assert made.notes["sign"] in parsed.words


def test_scores_per_prompt_are_averaged_as_in_the_figure(tmp_path):
    made = samples.scores("layer", "head", "prompt")
    page = Page(report(made, tmp_path / "page.html"))
    assert "Numbers (12 rows, mean over prompts with ± 1 s.e.; unit: logits)" in page.text
    assert f"{float(made.values.mean('prompt')[2, 3]):.6g}" in page.words


def test_long_tables_say_that_they_were_cut(tmp_path):
    made = samples.scores("layer", "head", layer=80, head=64)
    page = Page(report([made], tmp_path / "page.html"))
    assert "Numbers (the first 5000 of 5120 rows; unit: logits)" in page.text
    assert page.count("tr") == 5001


def test_without_figures_there_is_no_script(tmp_path):
    path = report([("Only", "words", None)], tmp_path / "page.html")
    assert Page(path).scripts == []
    assert path.stat().st_size < 10_000


@pytest.mark.parametrize("content", [[samples.scores("layer"), {"a": 1}], ["words"]])
def test_what_a_section_cannot_hold(tmp_path, content):
    with pytest.raises(BadInput, match="content of 'Heading' must be Results or rows"):
        report([("Heading", "", content)], tmp_path / "page.html")
    assert list(tmp_path.iterdir()) == []


def test_what_a_section_is_not(tmp_path):
    with pytest.raises(BadInput, match=r"a section must be a Result or \(heading, text, content\); got tuple"):
        report([("Heading", "")], tmp_path / "page.html")


def test_a_file_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    with pytest.raises(BadInput, match="path must be a file that can be written"):
        report(samples.scores("layer"), tmp_path / "file" / "page.html")
    with pytest.raises(BadInput, match="path must be a file that can be written"):
        report(samples.scores("layer"), tmp_path / "folder")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_opens_with_the_network_off(written, scheme):
    sync = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("needs Chromium: install the system package 'chromium', or set WORKBENCH_CHROMIUM to its path")
    asked, said = [], []
    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
    with sync.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        page = browser.new_page(viewport={"width": 1280, "height": 900}, color_scheme=scheme)
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(written.as_uri())
        page.wait_for_selector("#figure-4 .heatmaplayer image, #figure-4 .heatmaplayer g", state="attached")
        drawn = page.evaluate("document.querySelectorAll('.js-plotly-plot').length")
        paper = page.evaluate("document.querySelector('#figure-0').layout.template.layout.paper_bgcolor")
        ticks = page.evaluate("[...document.querySelectorAll('#figure-0 .xtick text')].map(t => t.textContent)")
        links = page.evaluate("document.querySelectorAll('a[href], svg a, img').length")
        title = page.title()
        browser.close()
    assert asked == [written.as_uri()]
    assert said == []
    assert drawn == 5
    assert links == 0
    assert title.split() == HOSTILE.split()
    assert paper == {"light": "#ffffff", "dark": "#17191d"}[scheme]
    assert ticks[:7] == ["<|bos|>", "·the", "·cat", "·the", "\\n", "·the", "∅"]


def test_numbers_are_not_confused_with_text(tmp_path):
    listed = [{"a": np.float32(0.5), "b": True, "c": np.int64(10**12), "d": "1.50"}]
    page = Page(report([("Rows", "", listed)], tmp_path / "page.html"))
    assert {"0.5", "True", "1000000000000", "1.50"} <= set(page.words)
