"""What changes while a component is made or mounted is seen, in headless Chromium; threads do not lock each other out."""

import re
import threading
import time
from pathlib import Path

import pytest

from tests.pages.conftest import EXPECT, quiet, served_panels
from workbench.pages import mended

MANY = 30
ROUNDS = 6


@pytest.fixture
def url():
    """A page whose button inserts sliders and columns and changes them at once."""
    import panel_material_ui as pmui

    def made():
        box = pmui.Column()

        def insert(event):
            sliders = [pmui.DiscreteSlider(label=f"s{at}", options=[0], value=0) for at in range(MANY)]
            columns = [pmui.Column() for _ in range(MANY)]
            there.visible = False
            box.objects = [*sliders, *columns]
            # One after the other, so that for some it is just when they are mounted.
            for at, (slider, column) in enumerate(zip(sliders, columns, strict=True)):
                time.sleep(0.015)
                slider.param.update(options=[1, 2, 4, 8, 16], value=8)
                column.objects = [pmui.Button(label=f"said {at}")]
            there.visible = True

        button = pmui.Button(label="Insert")
        there = pmui.Button(label="All are there", visible=False)
        button.on_click(insert)
        return [button, there, box]

    with served_panels(made) as address:
        yield address


@pytest.fixture
def button():
    return "Insert"


def test_the_library_still_says_what_is_mended():
    import panel

    written = (Path(panel.__file__).parent / "dist" / "panel.min.js").read_text(encoding="utf-8")
    script = (Path(mended.__file__).with_suffix(".js")).read_text(encoding="utf-8")
    said = re.findall(r'^  \["(.+?)", "', script, re.MULTILINE)
    assert len(said) == 2
    for one in said:
        assert written.count(one) == 1


@pytest.mark.browser
@pytest.mark.slow
def test_what_is_changed_as_soon_as_it_is_inserted_is_seen(tab):
    for _ in range(ROUNDS):
        tab.get_by_role("button", name="Insert").click()
        tab.get_by_role("button", name="All are there").wait_for(timeout=EXPECT)
        quiet(tab)
        sliders = tab.get_by_role("slider")
        assert [sliders.nth(at).get_attribute("aria-valuetext") for at in range(MANY)] == ["8"] * MANY
        assert [tab.get_by_role("button", name=f"said {at}", exact=True).count() for at in range(MANY)] == [1] * MANY


def test_sessions_that_set_the_same_parameter_at_once_do_not_lock_each_other_out():
    import panel_material_ui as pmui
    from panel.util import edit_readonly

    mended.mend()
    one, other = (pmui.DiscreteSlider(options=[1, 2]) for _ in range(2))
    # As two threads give two sliders their steps.
    first, second = edit_readonly(one), edit_readonly(other)
    first.__enter__()
    second.__enter__()
    one.end = 3
    first.__exit__(None, None, None)
    other.end = 5
    second.__exit__(None, None, None)
    assert (one.end, other.end) == (3, 5)


def test_a_change_waits_until_the_models_that_are_being_made_are_there(monkeypatch):
    import panel_material_ui as pmui
    from bokeh.document import Document

    mended.mend()
    box, field = pmui.Column(), pmui.TextInput()
    reached, let = threading.Event(), threading.Event()
    monkeypatch.setattr(box, "_update_model", lambda *given: (reached.set(), let.wait(20)))
    maker = threading.Thread(target=box._scheduled_update_model, args=({}, {}, None, None, Document(), None, {}))
    changer = threading.Thread(target=field.param.update, kwargs={"value": "told"})
    maker.start()
    assert reached.wait(20)
    changer.start()
    changer.join(0.3)
    assert changer.is_alive()
    assert field.value == "told", "what is made from here on reads it"
    let.set()
    changer.join(20)
    assert not changer.is_alive()
    maker.join(20)
