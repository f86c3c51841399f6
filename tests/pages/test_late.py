"""What a browser gets late."""

from collections.abc import Callable

import panel as pn
import pytest

from workbench.pages.late import after_load, late


def _box() -> tuple[pn.Column, list[pn.pane.HTML]]:
    objects = [pn.pane.HTML("one"), pn.pane.HTML("two", visible=False), pn.pane.HTML("three")]
    return pn.Column(*objects), objects


def test_hidden_is_left_out_until_first_shown_in_its_place() -> None:
    box, (one, two, three) = _box()
    late(box)
    assert list(box) == [one, three]
    two.visible = True
    assert list(box) == [one, two, three]
    # Made once, it stays: to hide it costs nothing.
    two.visible = three.visible = False
    assert list(box) == [one, two, three]


def test_filled_when_the_page_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    loads: list[Callable[[], None]] = []
    monkeypatch.setattr(type(pn.state), "onload", lambda self, do: loads.append(do))
    box, (one, two, three) = _box()
    after_load(box)
    assert list(box) == []
    # What becomes visible before is part of it.
    two.visible, three.visible = True, False
    assert list(box) == []
    loads[0]()
    assert list(box) == [one, two]
    three.visible = True
    assert list(box) == [one, two, three]
