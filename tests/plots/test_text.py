"""Text is shown as it stands, blanks are seen, and lines fit."""

import pytest

from workbench.plots import text


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (" the", "·the"),
        ("the ", "the·"),
        ("  a b ", "··a b·"),
        ("   ", "···"),
        ("", "∅"),
        ("\n\n", "\\n\\n"),
        (" \t", "·\\t"),
        ("\x00", "\\x00"),
        ("‮abc", "\\u202eabc"),
        ("日本", "日本"),
        ("\N{REPLACEMENT CHARACTER}", "\N{REPLACEMENT CHARACTER}"),
    ],
)
def test_visible(given, shown):
    assert text.visible(given) == shown


def test_safe():
    assert text.safe("<b>&amp;$x$") == "&lt;b&gt;&amp;amp;&#36;x&#36;"
    assert text.token(" <i>") == "·&lt;i&gt;"
    assert text.token("<<<<<<", 4) == "&lt;&lt;&lt;…"


@pytest.mark.parametrize("width", [60, 200, 900])
@pytest.mark.parametrize("given", ["a few words that go on and on " * 5, "x" * 300, "日本語" * 60, "", "one\n\ntwo three"])
def test_wrapped_lines_fit_and_lose_nothing(given, width):
    lines = text.wrap(given, width, 11)
    assert all(text.extent(line, 11) <= width for line in lines)
    assert "".join("".join(lines).split()) == "".join(given.split())


def test_paragraphs_stay_apart():
    assert text.wrap("one\ntwo", 900, 11) == ["one", "two"]


def test_wide_letters_are_wide():
    assert text.extent("") == 0
    assert text.extent("日本") > text.extent("mm") > text.extent("aa") > text.extent("ii") > 0
    assert text.extent("é") == pytest.approx(text.extent("e\N{COMBINING ACUTE ACCENT}"))
