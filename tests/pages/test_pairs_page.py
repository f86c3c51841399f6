"""The page of pairs in headless Chromium, on a tiny model that has the tasks' words, with no network."""

import csv
from urllib.parse import parse_qs, urlsplit

import pytest

from tests import families
from tests.pages.conftest import EXPECT, darken, quiet, until
from tests.tasks.conftest import TWOS, word_level
from workbench.views.files import numbers
from workbench.views.pairs import OwnPairs

pytestmark = pytest.mark.browser

HOSTILE = "<img src=x onerror=window.hacked=1> <script>window.hacked=1</script>"
CLEAN = "When Mary and John arrived at the market, John gave the book to"


@pytest.fixture(scope="module")
def wordy(tmp_path_factory):
    return str(families.save("llama", tmp_path_factory.mktemp("pairs"), words=word_level(TWOS, digits=2)))


@pytest.fixture
def url(serve, wordy):
    """The page, served; set to the tiny model and three pairs of a task."""
    return serve("pairs", OwnPairs, model=wordy, task="ioi", options={"n": 3})


@pytest.fixture
def button():
    """The button that says the page has loaded."""
    return "Check pairs"


def check(tab):
    tab.get_by_role("button", name="Check pairs").click()
    tab.get_by_text("Done.", exact=True).wait_for(timeout=2 * EXPECT)
    tab.get_by_label("clean 1", exact=True).wait_for(timeout=EXPECT)


def words(tab, place, row):
    """The tokens of one prompt of a pair, as they are shown."""
    return tab.get_by_role("group", name=f"Pair {place}").locator(f".column .token:nth-of-type({row})").all_text_contents()


def test_one_click_shows_tokens_under_tokens_and_what_the_model_says(tab, views):
    check(tab)
    view = views[-1]
    layout = view.layouts[view.lines[0].number]
    assert [word.replace("·", " ") for word in words(tab, 1, 1)] == list(layout.clean)
    assert [word.replace("·", " ") for word in words(tab, 1, 2)] == list(layout.corrupt)
    labels = tab.get_by_role("group", name="Pair 1").locator(".label").all_text_contents()
    assert labels.index("IO") == layout.positions["IO"]
    assert labels[-1] == "END"
    first = tab.get_by_role("group", name="Pair 1").get_by_text("first ≠")
    assert first.count() == 1
    rank = int(view.answers[view.lines[0].number]["rank clean"])
    tab.get_by_text(f"right answer rank {rank:,}, probability").first.wait_for(timeout=EXPECT)
    assert tab.get_by_text("Baseline").first.is_visible()
    darken(tab)


def test_the_baseline_has_a_menu_with_its_numbers_and_its_code(tab, views):
    check(tab)
    # Of a model that is loaded the page has checked once by itself, and "Done." may be of that.
    until(tab, lambda: not views[-1].live and views[-1].baseline is not None, rest=300)
    found = views[-1].baseline
    menu = tab.get_by_role("button", name="Menu of this panel")
    menu.click()
    assert tab.get_by_role("menuitem", name="Save PNG").get_attribute("title") == "unavailable: no figure is drawn here"
    tab.get_by_role("menuitem", name="Show the code").click()
    assert tab.locator("dialog[open] pre").inner_text().strip() == found.origin.code().strip()
    tab.keyboard.press("Escape")
    menu.click()
    tab.get_by_role("menuitem", name="Numbers as a table").click()
    rows = tab.locator("dialog[open] tbody tr")
    rows.first.wait_for(timeout=EXPECT)
    assert len(numbers(found)["rows"]) == rows.count()
    assert f"{float(found.values.sel(run='clean').mean()):.6g}" in rows.first.inner_text()
    tab.keyboard.press("Escape")
    over, add = menu.bounding_box(), tab.get_by_role("button", name="Download CSV").bounding_box()
    assert over["y"] + over["height"] <= add["y"], "the menu covers no button"
    small = tab.get_by_role("group", name="Pair 1").bounding_box()
    tab.get_by_role("button", name="Maximise this panel").click()
    tab.wait_for_timeout(300)
    assert tab.get_by_role("group", name="Pair 1").bounding_box()["width"] > small["width"]
    tab.keyboard.press("Escape")


def test_typing_marks_what_is_wrong_and_one_click_mends_it(tab, url, views):
    check(tab)
    field = tab.get_by_label("wrong 1", exact=True)
    right = tab.get_by_label("right 1", exact=True).input_value()
    field.fill("")
    field.press_sequentially(right)
    alert = tab.get_by_role("alert").filter(has_text="the same token")
    alert.wait_for(timeout=EXPECT)
    assert field.input_value() == right
    assert tab.get_by_text("1 cannot be used").is_visible()
    alert.get_by_role("button").click()
    tab.get_by_text("3 pairs, all of them usable.").wait_for(timeout=EXPECT)
    assert field.input_value() == views[-1].lines[0].row["wrong"] != right
    said = ["one", "two", "three"]
    for place, text in enumerate(said, start=1):
        tab.get_by_label(f"right {place}", exact=True).fill(text)
    tab.get_by_label("clean 1", exact=True).focus()
    until(tab, lambda: [line.row["right"] for line in views[-1].lines] == said)
    undo = tab.get_by_role("button", name="Undo")
    where = undo.bounding_box()
    for left in (2, 1, 0):
        assert undo.bounding_box() == where, "it stays under the pointer"
        undo.click()
        until(tab, lambda left=left: sum(line.row["right"] in said for line in views[-1].lines) == left)
    tab.get_by_text("3 pairs, all of them usable.").wait_for(timeout=EXPECT)
    corrupt = tab.get_by_label("corrupt 2", exact=True)
    corrupt.fill(corrupt.input_value() + " book")
    tab.get_by_role("alert").filter(has_text="they first differ at").wait_for(timeout=EXPECT)
    gap = tab.get_by_role("group", name="Pair 2").locator(".gap")
    assert gap.locator(".token").first.text_content() == "none"
    assert gap.locator(".mark").first.text_content(), "not by colour alone"
    tab.get_by_role("button", name="Undo").click()
    tab.get_by_text("3 pairs, all of them usable.").wait_for(timeout=EXPECT)
    link = tab.get_by_role("link", name="Circuits").get_attribute("href")
    said = parse_qs(urlsplit(link).query)
    assert said["task"] == ["custom"]
    tab.goto(f"{url}?rows={said['rows'][0]}&task=custom")
    tab.get_by_label("wrong 1", exact=True).wait_for(timeout=EXPECT)
    assert views[-1].rows == views[-2].rows
    tab.goto(f"{url}?rows={'0' * 16}&task=custom")
    tab.get_by_text("rows must name a text that this server keeps").wait_for(timeout=EXPECT)


@pytest.mark.slow
def test_rows_are_copied_removed_pasted_uploaded_and_downloaded(tab, views, tmp_path):
    check(tab)
    tab.get_by_role("button", name="Duplicate pair 1").click()
    tab.get_by_label("clean 4", exact=True).wait_for(timeout=EXPECT)
    assert tab.get_by_label("clean 2", exact=True).input_value() == tab.get_by_label("clean 1", exact=True).input_value()
    # What is told of the copy moves the rows below it.
    quiet(tab)
    tab.get_by_role("button", name="Remove pair 4").click()
    tab.get_by_label("clean 4", exact=True).wait_for(state="detached", timeout=EXPECT)
    tab.get_by_label("clean 3", exact=True).evaluate(
        """(field, text) => {
          const data = new DataTransfer()
          data.setData("text/plain", text)
          field.dispatchEvent(new ClipboardEvent("paste", {clipboardData: data, bubbles: true, cancelable: true}))
        }""",
        f"{CLEAN}\t{CLEAN.replace('John', 'James')}\tMary\tJohn\n{HOSTILE}\tb\t{HOSTILE}\td",
    )
    tab.get_by_label("clean 4", exact=True).wait_for(timeout=EXPECT)
    tab.get_by_label("clean 4", exact=True).wait_for(timeout=EXPECT)
    assert tab.get_by_label("clean 3", exact=True).input_value() == CLEAN
    assert tab.get_by_label("right 4", exact=True).input_value() == HOSTILE
    tab.get_by_role("group", name="Pair 4").get_by_role("alert").first.wait_for(timeout=3 * EXPECT)
    assert tab.evaluate("window.hacked") is None
    with tab.expect_download(timeout=EXPECT) as waiting:
        tab.get_by_text("Download CSV").click()
    kept = tmp_path / "kept.csv"
    waiting.value.save_as(kept)
    with open(kept, newline="") as file:
        assert [row["right"] for row in csv.DictReader(file)] == [line.row["right"] for line in views[-1].lines]
    upload = tab.get_by_label("Upload pairs")
    for name, content, said in (
        ("a.csv", b"\x89PNG\r\n\x1a\n\xff\xfe", "the file must be text in UTF-8"),
        ("b.csv", b"only words", "the rows must be at least 1"),
        ("c.csv", b"x" * 30_000_000, "the file must have at most 4 MB; c.csv has 30.0 MB."),
    ):
        upload.set_input_files({"name": name, "mimeType": "text/csv", "buffer": content})
        tab.get_by_text(said).first.wait_for(timeout=EXPECT)
        assert len(views[-1].lines) == 4
    rows = f'clean,corrupt,right,wrong\n"{"book " * 10_000}","{"book " * 10_000}",🎉,שלום\n'
    upload.set_input_files({"name": "d.csv", "mimeType": "text/csv", "buffer": rows.encode()})
    tab.get_by_text("1 pair read from d.csv").wait_for(timeout=EXPECT)
    tab.get_by_role("alert").filter(has_text="at most 160 are read here").wait_for(timeout=EXPECT)
    assert len(words(tab, 1, 1)) == 160
    tab.get_by_text("more positions are not shown").wait_for(timeout=EXPECT)
