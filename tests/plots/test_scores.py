"""Heatmaps, bars and clouds show the numbers they were given, centred, labelled, and say what was left out."""

import numpy as np
import pytest

from tests.plots import samples
from workbench.errors import BadInput
from workbench.plots import PALETTES, THEMES, figure
from workbench.plots.theme import colours


def maps(fig):
    return [trace for trace in fig.data if trace.type == "heatmap" and trace.hovertext is not None]


def said(fig):
    return next((one.text for one in fig.layout.annotations if one.name == "subtitle"), "")


@pytest.mark.parametrize("dims", [("layer", "pos"), ("layer", "head"), ("pos", "layer"), ("head", "pos"), ("site", "layer")])
def test_a_heatmap_holds_the_numbers(dims):
    made = samples.scores(*dims)
    fig = figure(made)
    (drawn,) = maps(fig)
    rows, columns = fig.layout.meta["rows"], fig.layout.meta["columns"]
    assert np.array_equal(drawn.z, made.values.transpose(rows, columns).values)
    assert list(drawn.x) == list(range(made.values.sizes[columns]))
    assert list(drawn.y) == list(range(made.values.sizes[rows]))
    assert (fig.layout.xaxis.title.text, fig.layout.yaxis.title.text) == (columns, rows)
    assert drawn.colorbar.title.text == "logits"


def test_layer_0_is_at_the_bottom_and_other_rows_begin_at_the_top():
    low, high = figure(samples.scores("layer", "head")).layout.yaxis.range
    assert (low, high) == (-0.5, 2.5)
    low, high = figure(samples.scores("head", "pos")).layout.yaxis.range
    assert (low, high) == (3.5, -0.5)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_zero_is_the_middle(theme):
    made = samples.scores("layer", "head")
    (drawn,) = maps(figure(made, theme=theme))
    assert drawn.zmid == 0
    assert drawn.zmax == -drawn.zmin == np.abs(made.values.values).max()
    middle = dict(drawn.colorscale)[0.5]
    channels = [int(middle[i : i + 2], 16) for i in (1, 3, 5)]
    assert max(channels) - min(channels) < 12
    assert drawn.colorscale[0][1] != drawn.colorscale[-1][1]


def test_numbers_that_cannot_be_negative_begin_at_zero():
    made = samples.scores("layer", "head", notes={"range": "positive"})
    made = made.replace(values=abs(made.values))
    (drawn,) = maps(figure(made))
    assert (drawn.zmin, drawn.zmax) == (0, made.values.values.max())
    assert drawn.zmid is None


def test_no_numbers_but_zero():
    made = samples.scores("layer", "head")
    (drawn,) = maps(figure(made.replace(values=made.values * 0)))
    assert (drawn.zmin, drawn.zmax) == (-1, 1)


def test_a_limit_ends_the_colours_and_keeps_the_numbers():
    made = samples.scores("layer", "head")
    (drawn,) = maps(figure(made, limit=0.5))
    assert (drawn.zmin, drawn.zmax) == (-0.5, 0.5)
    assert np.array_equal(drawn.z, made.values.values)


def test_tokens_label_their_positions_in_order():
    fig = figure(samples.scores("layer", "pos"))
    assert list(fig.layout.xaxis.ticktext) == samples.SHOWN
    assert list(fig.layout.xaxis.tickvals) == list(range(7))
    (drawn,) = maps(fig)
    assert drawn.hovertext[2][3].split("<br>")[:2] == ["layer 2", "pos 3 “·the”"]
    assert drawn.hovertext[2][0].split("<br>")[1] == "pos 0 “&lt;|bos|&gt;”"


@pytest.mark.parametrize("sizes", [(30, 15), (80, 64), (1, 1), (12, 300), (200, 3)])
def test_ticks_are_right_and_not_crowded(sizes):
    fig = figure(samples.scores("layer", "head", layer=sizes[0], head=sizes[1]))
    for at, size, pixels in (
        (fig.layout.yaxis, sizes[0], fig.layout.height - fig.layout.margin.t - fig.layout.margin.b),
        (fig.layout.xaxis, sizes[1], fig.layout.width - fig.layout.margin.l - fig.layout.margin.r),
    ):
        assert list(at.ticktext) == [str(place) for place in at.tickvals]
        assert at.tickvals[0] == 0
        assert at.tickvals[-1] < size
        if len(at.tickvals) > 1:
            assert pixels / size * at.tickvals[1] > 13


def test_long_tokens_have_room():
    made = samples.scores("layer", "pos", pos=60)
    made = made.replace(values=made.values.assign_coords(token=("pos", ["antidisestablishment"] * 60)))
    fig = figure(made)
    assert fig.layout.xaxis.tickangle == -90
    assert len(fig.layout.xaxis.ticktext) == 60
    caption = next(one for one in fig.layout.annotations if one.name == "caption")
    assert -caption.yshift > 120


def test_missing_cells_are_grey_and_say_why():
    made = samples.missing("layer", "pos", reason="a <reason>")
    fig = figure(made)
    drawn, grey, crosses = fig.data
    assert np.array_equal(drawn.z, made.values.values, equal_nan=True)
    assert np.array_equal(np.isnan(grey.z), ~np.isnan(made.values.values))
    assert (list(crosses.x), list(crosses.y)) == ([1], [1])
    assert grey.hoverinfo == crosses.hoverinfo == "skip"
    assert drawn.hovertext[1][1].endswith("not computed: a &lt;reason&gt;")
    assert all("not computed" not in drawn.hovertext[0][j] for j in range(7))
    assert {colour for _, colour in grey.colorscale} == {THEMES["light"].gap}
    assert drawn.zmax == np.nanmax(np.abs(made.values.values))


def test_hover_tells_value_unit_and_interval():
    made = samples.scores("layer", "head")
    made = made.replace(lower=made.values - 0.25, upper=made.values + 0.25, notes={"interval": "95% interval"})
    (drawn,) = maps(figure(made))
    value = float(made.values[1, 2])
    assert drawn.hovertext[1][2] == f"layer 1<br>head 2<br><b>{value:+.4g}</b> logits<br>± 0.25 95% interval"
    (drawn,) = maps(figure(made.replace(upper=made.values + 1)))
    assert drawn.hovertext[1][2].endswith(f"{value - 0.25:.4g} to {value + 1:.4g} 95% interval")


def test_prompts_are_averaged_and_the_figure_says_so():
    made = samples.scores("layer", "prompt", "head")
    fig = figure(made)
    (drawn,) = maps(fig)
    assert np.array_equal(drawn.z, made.values.mean("prompt").values)
    assert said(fig) == "mean over 5 prompts"
    error = float(made.values.std("prompt", ddof=1)[1, 2]) / 5**0.5
    assert drawn.hovertext[1][2].endswith(f"± {error:.3g} s.e.")


def test_one_prompt():
    made = samples.scores("layer", "prompt", "head")
    fig = figure(made, prompt=3)
    assert np.array_equal(maps(fig)[0].z, made.values.isel(prompt=3).values)
    assert said(fig) == "prompt 3 of 0 to 4"
    with pytest.raises(BadInput, match="prompt must be from 0 to 4; got 5"):
        figure(made, prompt=5)
    with pytest.raises(BadInput, match="prompt must be one of 'mean'"):
        figure(made, prompt="median")


def test_sites_stand_side_by_side_on_one_scale():
    made = samples.scores("site", "layer", "pos")
    fig = figure(made)
    drawn = maps(fig)
    assert [np.array_equal(one.z, made.values[i].values) for i, one in enumerate(drawn)] == [True, True]
    assert len({(one.zmin, one.zmax) for one in drawn}) == 1
    assert [one.showscale for one in drawn] == [False, True]
    assert [one.text for one in fig.layout.annotations][:2] == ["site site0", "site site1"]
    assert fig.layout.xaxis.domain[1] < fig.layout.xaxis2.domain[0]
    assert drawn[1].hovertext[0][0].startswith("site site1<br>layer 0<br>")
    own = maps(figure(made, scale="own"))
    assert [one.zmax for one in own] == [np.abs(one.z).max() for one in own]
    assert [one.showscale for one in own] == [True, True]


@pytest.mark.parametrize("count", [1, 2, 3, 5, 12])
def test_panels_do_not_overlap(count):
    fig = figure(samples.scores("site", "layer", "head", site=count))
    boxes = []
    for index in range(count):
        number = str(index + 1) if index else ""
        boxes.append((fig.layout[f"xaxis{number}"].domain, fig.layout[f"yaxis{number}"].domain))
    for i, (x, y) in enumerate(boxes[: len(maps(fig))]):
        for other_x, other_y in boxes[:i]:
            assert x[0] >= other_x[1] or y[1] <= other_y[0]


def test_many_heads_by_position_are_reduced_and_the_figure_says_so():
    made = samples.scores("layer", "head", "pos", head=14)
    fig = figure(made)
    (drawn,) = maps(fig)
    values = made.values.values
    best = np.abs(values).argmax(-1)
    assert np.array_equal(drawn.z, np.take_along_axis(values, best[..., None], -1)[..., 0])
    assert said(fig) == "largest by size over pos"
    assert drawn.hovertext[1][2].endswith(f"at pos {best[1, 2]} “{samples.SHOWN[best[1, 2]]}”")


def test_few_heads_by_position_are_panels():
    made = samples.scores("layer", "head", "pos")
    drawn = maps(figure(made))
    assert len(drawn) == 4
    assert np.array_equal(drawn[3].z, made.values.isel(head=3).values)
    drawn = maps(figure(made, facet="layer"))
    assert len(drawn) == 3
    assert np.array_equal(drawn[2].z, made.values.isel(layer=2).values)


def test_over_chooses_what_is_reduced():
    made = samples.scores("site", "layer", "head", "pos")
    fig = figure(made, over=["pos", "head"])
    flat = made.values.transpose("layer", "site", "head", "pos").values.reshape(3, 2, -1)
    best = np.abs(flat).argmax(-1)[..., None]
    assert np.array_equal(maps(fig)[0].z, np.take_along_axis(flat, best, -1)[..., 0])
    assert said(fig) == "largest by size over head and pos"
    head, pos = divmod(int(best[2, 1, 0]), 7)
    assert maps(fig)[0].hovertext[2][1].endswith(f"at head {head} · pos {pos} “{samples.SHOWN[pos]}”")
    fig = figure(made, over=["site", "layer"])
    flat = made.values.transpose("head", "pos", "site", "layer").values.reshape(4, 7, -1)
    best = np.abs(flat).argmax(-1)[..., None]
    assert np.array_equal(maps(fig)[0].z, np.take_along_axis(flat, best, -1)[..., 0])
    with pytest.raises(BadInput, match="over must be one of"):
        figure(made, over="rank")
    with pytest.raises(BadInput, match="over must leave a dim"):
        figure(made, over=["site", "layer", "head", "pos"])


def test_no_dim_vanishes_in_silence():
    fig = figure(samples.scores("site", "layer", "head", "pos", "prompt"))
    assert said(fig) == "mean over 5 prompts<br>largest by size over pos"
    assert len(maps(fig)) == 2
    assert said(figure(samples.scores("site", "layer", "pos", site=1))) == "site site0"


def test_missing_in_every_place_stays_missing():
    made = samples.missing("layer", "head", "pos")
    values = made.values.copy()
    values[2, 1, :] = np.nan
    (drawn,) = maps(figure(made.replace(values=values), over="pos"))
    assert np.isnan(drawn.z).sum() == 1
    assert np.isnan(drawn.z[2, 1])


def test_numbers_can_be_written_in_the_cells():
    made = samples.missing("layer", "head")
    (drawn,) = maps(figure(made, numbers=True))
    assert drawn.text[2][3] == f"{float(made.values[2, 3]):.2f}"
    assert drawn.text[1][1] == ""


# bars


def test_bars_are_the_largest_and_the_sum_of_the_rest():
    made = samples.scores("component", component=40)
    names = [f"a{i}.h<{i}>" for i in range(40)]
    made = made.replace(values=made.values.assign_coords(component=names))
    (bar,) = figure(made, top=7).data
    values = made.values.values
    order = np.argsort(-np.abs(values))
    assert list(bar.x[:7]) == values[order[:7]].tolist()
    assert bar.x[7] == pytest.approx(values[order[7:]].sum(), abs=1e-12)
    fig = figure(made, top=7)
    labels = list(fig.layout.yaxis.ticktext)
    assert labels == [*(f"a{i}.h&lt;{i}&gt;" for i in order[:7]), "33 others (sum)"]
    assert fig.layout.yaxis.range[0] > fig.layout.yaxis.range[1]
    assert fig.layout.xaxis.title.text == "logits"
    with pytest.raises(BadInput, match="top must be at least 1"):
        figure(made, top=0)


def test_all_bars_where_they_fit_and_layers_in_their_order():
    made = samples.scores("component")
    (bar,) = figure(made).data
    assert sorted(bar.x) == sorted(made.values.values.tolist())
    made = samples.scores("prompt", "layer")
    fig = figure(made)
    (bar,) = fig.data
    assert list(bar.x) == made.values.mean("prompt").values.tolist()
    assert list(fig.layout.yaxis.ticktext) == ["layer 0", "layer 1", "layer 2"]
    error = made.values.std("prompt", ddof=1).values / 5**0.5
    assert np.allclose(bar.error_x.array, error)
    assert np.allclose(bar.error_x.arrayminus, error)


def test_a_bar_that_is_missing_says_so():
    made = samples.missing("component")
    fig = figure(made)
    assert fig.layout.yaxis.ticktext[-1] == "component 1 (not computed)"
    assert fig.data[0].hovertext[-1].endswith("not computed: no such place")


# clouds


def test_a_cloud_for_each_site():
    made = samples.compared()
    fig = figure(made)
    clouds = [trace for trace in fig.data if trace.mode == "markers"]
    for index, cloud in enumerate(clouds):
        assert np.array_equal(cloud.x, made.parts["first"][index].values.ravel())
        assert np.array_equal(cloud.y, made.parts["second"][index].values.ravel())
    assert len(clouds) == 2
    heading = fig.layout.annotations[1].text.replace("<br>", " ")
    r, rho, slope = made.values[1].values
    assert heading.startswith(f"<b>site1</b> r = {r:.3g} [{r - 0.1:.2f}, {r + 0.2:.2f}], ρ = {rho:.3g} [")
    assert f"slope = {slope:.3g} [" in heading
    assert (fig.layout.xaxis2.title.text, fig.layout.yaxis.title.text) == ("patch (logits)", "atp (logits)")
    assert clouds[0].hovertext[6].startswith("layer 1<br>head 2<br>patch: ")


def test_clouds_are_matched_by_the_names_of_their_dims():
    made = samples.compared(sites=False)
    turned = made.replace(parts={**made.parts, "second": made.parts["second"].transpose()})
    one, other = (next(trace for trace in figure(given).data if trace.mode == "markers") for given in (made, turned))
    assert np.array_equal(one.y, other.y)


def test_the_identity_is_drawn():
    fig = figure(samples.compared(sites=False))
    line = next(trace for trace in fig.data if trace.name == "identity")
    cloud = next(trace for trace in fig.data if trace.mode == "markers")
    assert list(line.x) == list(line.y) == [min([*cloud.x, *cloud.y]), max([*cloud.x, *cloud.y])]


def test_no_interval_where_there_is_none():
    made = samples.compared(sites=False)
    fig = figure(made.replace(lower=made.values, upper=made.values))
    assert "[" not in fig.layout.annotations[0].text


# palettes


@pytest.mark.parametrize("name", PALETTES)
def test_palettes(name):
    made = samples.scores("layer", "head")
    palette = PALETTES[name]
    if palette.kind == "diverging":
        assert maps(figure(made, palette=name))[0].colorscale[0][1] == palette.light[0]
    else:
        with pytest.raises(BadInput, match="diverging"):
            figure(made, palette=name)
        positive = made.replace(values=abs(made.values), notes={"range": "positive"})
        assert maps(figure(positive, palette=name))[0].colorscale[-1][1] == palette.light[-1]
    with pytest.raises(BadInput, match="palette"):
        colours("rainbow", palette.kind, "light")


# Linear RGB, after Viénot, Brettel and Mollon 1999, http://vision.psychol.cam.ac.uk/jdmollon/papers/colourmaps.pdf
DEUTERANOPE = np.array([[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]])
PROTANOPE = np.array([[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]])


@pytest.mark.parametrize("seen_by", [DEUTERANOPE, PROTANOPE])
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", [name for name, palette in PALETTES.items() if palette.kind == "diverging"])
def test_both_ends_differ_to_the_colour_blind(name, theme, seen_by):
    shown = getattr(PALETTES[name], theme)

    def seen(colour):
        rgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
        return (seen_by @ rgb**2.2).clip(0, 1) ** (1 / 2.2) * 255

    for low, high in zip(shown[: len(shown) // 2], shown[::-1], strict=False):
        assert np.abs(seen(low) - seen(high)).max() > 25
