"""Laws of every figure, whatever the kind."""

import json
import subprocess
import sys

import numpy as np
import plotly.graph_objects as go
import plotly.io as pio
import pytest

from tests.plots import samples
from workbench.errors import BadInput
from workbench.plots import FIGURES, figure, options
from workbench.plots.text import extent
from workbench.result import KINDS, Result, Scores

MADE = {
    "heatmap": lambda: samples.scores("layer", "pos"),
    "panels": lambda: samples.scores("site", "layer", "head"),
    "prompts": lambda: samples.scores("layer", "head", "prompt"),
    "gaps": lambda: samples.missing("layer", "pos"),
    "bars": lambda: samples.scores("component"),
    "one number": lambda: samples.scores(),
    "cloud": lambda: samples.compared(),
    "curve": lambda: samples.curve(),
    "readout": lambda: samples.readout(),
    "circuit": lambda: samples.circuit(),
    "edges": lambda: samples.circuit(kept=False),
    "ranks": lambda: samples.readout("layer"),
}


@pytest.fixture(params=MADE)
def result(request):
    return MADE[request.param]()


def annotation(fig, name):
    return next((one for one in fig.layout.annotations if one.name == name), None)


def texts(fig):
    """Every text that plotly would read as HTML."""

    def walk(value):
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            for key, inner in value.items():
                if key not in ("template", "bdata"):
                    yield from walk(inner)
        elif isinstance(value, list):
            for inner in value:
                yield from walk(inner)

    return list(walk(json.loads(fig.to_json())))


def test_every_kind_has_a_figure():
    assert set(FIGURES) == set(KINDS)


def test_title_caption_and_size(result):
    fig = figure(result)
    assert isinstance(fig, go.Figure)
    assert fig.layout.title.text == f"<b>{result.title}</b>"
    assert annotation(fig, "caption").text.replace("<br>", " ").endswith(result.caption())
    assert 240 <= fig.layout.width <= 1600
    assert 150 <= fig.layout.height <= 1200


def test_the_caption_lies_within_the_figure_and_below_the_axis(result):
    for width in (None, 320, 900):
        fig = figure(result, width=width)
        said = annotation(fig, "caption")
        lines = said.text.split("<br>")
        left, below = said.xshift + fig.layout.margin.l, -said.yshift
        assert left >= 8
        assert all(left + extent(line, said.font.size) <= fig.layout.width - 8 for line in lines)
        assert below >= 40
        assert below + 1.3 * said.font.size * len(lines) <= fig.layout.margin.b


def test_the_width_is_as_asked(result):
    for width in (320, 777, 1400):
        assert figure(result, width=width).layout.width == width
    with pytest.raises(BadInput, match="width must be at least 320"):
        figure(result, width=319)


def test_both_themes(result):
    light, dark = figure(result), figure(result, theme="dark")
    assert light.layout.template.layout.paper_bgcolor != dark.layout.template.layout.paper_bgcolor
    assert light.layout.width == dark.layout.width
    with pytest.raises(BadInput, match=r"theme must be one of 'light', 'dark'; got 'drak'\. Did you mean 'dark'"):
        figure(result, theme="drak")


def test_no_upload_button(result):
    assert "sendChartToCloud" in figure(result).layout.template.layout.modebar.remove


def test_nothing_newer_than_panels_plotly(result):
    fig = figure(result)
    assert {trace.type for trace in fig.data} <= {"heatmap", "scatter", "bar"}
    assert all(trace.customdata is None for trace in fig.data)


def test_the_same_result_gives_the_same_figure_and_stays_as_it_was(result):
    before = result.values.copy(deep=True)
    one = figure(result).to_json()
    assert one == figure(result).to_json()
    assert result.values.identical(before)


@pytest.mark.parametrize("kind", ["heatmap", "panels", "prompts", "gaps", "bars", "cloud", "curve", "readout", "ranks"])
def test_text_is_inert(kind):
    made = MADE[kind]()
    bad = samples.HOSTILE
    values = made.values
    for dim in values.dims:
        if dim not in ("rank", "prompt", "measure"):
            values = values.assign_coords({dim: [bad] * values.sizes[dim]})
            if dim == "pos":
                values = values.assign_coords(token=("pos", [bad] * values.sizes[dim]))
    parts = {}
    for name, part in made.parts.items():
        parts[name] = part.copy(data=np.full(part.shape, bad)) if name == "token" else part
        if "site" in part.dims:
            parts[name] = part.assign_coords(site=[bad] * part.sizes["site"])
    notes = {**made.notes, "sign": bad, "nan": bad, "warning": bad, "x": bad, "first": bad, "second": bad, "unit": bad}
    hostile = made.replace(values=values, parts=parts, title=bad, unit=bad, notes=notes, origin=None)
    fig = figure(hostile)
    seen = " ".join(texts(fig))
    assert samples.SAFE in seen
    for tag in ("<b>", "</b>", "<br>"):
        seen = seen.replace(tag, "")
    assert "<" not in seen
    assert "$" not in seen
    for tag in ("<b>b", "href='http://x.y'>"):
        assert tag not in " ".join(texts(fig))


def test_a_warning_stands_first_and_other_notes_follow():
    made = samples.missing("layer", "pos")
    fig = figure(made.replace(notes={**made.notes, "gap": "3 logits", "warning": "few prompts"}))
    lines = annotation(fig, "caption").text.split("<br>")
    assert lines[:3] == ["Warning: few prompts", "Grey with a cross, not computed: no such place", "Gap: 3 logits"]


def test_options_are_checked():
    made = samples.curve()
    assert options(made) == ["theme", "width", "palette", "log", "mark"]
    with pytest.raises(BadInput, match=r"option of the figure of curve must be one of .*'mark'; got 'shades'"):
        figure(made, shades="blues")
    assert "palette" in options(samples.scores("layer", "pos"))


def test_what_has_no_figure():
    allowed = "'scores', 'curve', 'readout', 'circuit'"
    with pytest.raises(BadInput, match=f"the kind of result must be one of {allowed}; got 'result'"):
        figure(Result("T", "u", samples.array("layer")))
    with pytest.raises(BadInput, match="must hold a number"):
        figure(Scores("T", "u", samples.array("layer", "head", layer=0)))


def test_importing_plots_changes_no_default():
    code = "import sys, workbench.plots, plotly.io as p; print(p.templates.default, 'torch' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.split() == ["plotly", "False"]
    assert {"workbench-light", "workbench-dark"} <= set(pio.templates)


@pytest.mark.parametrize("kind", ["scores", "bars", "readout", "circuit", "curve"])
def test_every_kind_takes_a_palette_of_its_numbers_and_refuses_the_other(kind):
    made = {
        "scores": samples.scores("layer", "head"), "bars": samples.scores("component"), "readout": samples.readout(),
        "circuit": samples.circuit(), "curve": samples.curve(),
    }[kind]  # fmt: skip
    diverging = kind in ("scores", "bars", "circuit")
    usual, other = figure(made), figure(made, palette="purple-green" if diverging else "viridis")
    assert usual.to_json() != other.to_json()
    with pytest.raises(BadInput, match="palette"):
        figure(made, palette="rainbow")
