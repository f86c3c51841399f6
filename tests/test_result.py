"""Results: what they refuse to hold, what their mean says, and that an Origin is everything and nothing else."""

import dataclasses

import numpy as np
import pytest
import xarray as xr

from tests import families
from workbench.result import Curve, Origin, Readout, Result, Scores, canonical, kind_of

ORIGIN = Origin(
    method="patch",
    model="gpt2",
    fingerprint="0123456789abcdef",
    task="ioi",
    pairs="fedcba9876543210",
    task_params={"n": 8, "seed": 0, "template": None},
    params={"sites": ["z", "q"], "by": ["layer"], "normalise": False, "seed": None},
    device="cpu",
    dtype="float32",
    versions={"torch": "2.6"},
)


def grid(values, *dims):
    values = np.asarray(values, dtype=float)
    return xr.DataArray(values, dims=dims, coords={dim: np.arange(size) for dim, size in zip(dims, values.shape, strict=True)})


def test_every_field_of_the_origin_changes_the_key():
    changed = {
        field.name: {"x": "1"} if isinstance(getattr(ORIGIN, field.name), dict) else "other"
        for field in dataclasses.fields(Origin)
    }
    keys = {ORIGIN.key} | {dataclasses.replace(ORIGIN, **{name: value}).key for name, value in changed.items()}
    assert len(keys) == len(changed) + 1
    assert all(len(key) == 16 and set(key) <= set("0123456789abcdef") for key in keys)


def test_the_key_knows_no_order_and_no_tuples():
    shuffled = dataclasses.replace(ORIGIN, params=dict(reversed(ORIGIN.params.items())))
    tuples = dataclasses.replace(ORIGIN, params={**ORIGIN.params, "sites": ("z", "q")})
    assert shuffled.key == tuples.key == ORIGIN.key
    other = dataclasses.replace(ORIGIN, params={**ORIGIN.params, "sites": ["q", "z"]})
    assert other.key != ORIGIN.key


def test_the_key_stays_from_version_to_version():
    """A change here empties every user's store: make it on purpose only."""
    assert Origin("m", "r", "f", "t", "p").key == "4867bd9f7a7079d2"


def test_canonical_is_json_without_spaces():
    assert canonical({"b": (1, 2), "a": "é"}) == '{"a":"é","b":[1,2]}'


def test_caption_names_all_but_what_is_not_set():
    line = ORIGIN.caption()
    assert line == (
        f"patch(sites=z+q, by=layer, normalise=False) · gpt2 [01234567] · ioi(n=8, seed=0) · cpu float32 · {ORIGIN.key}"
    )
    scores = Scores("t", "logits", grid([1.0], "layer"), notes={"sign": "+ restores"}, origin=ORIGIN)
    assert scores.caption() == f"+ restores — {line}"
    assert scores.replace(notes={}).caption() == line
    assert scores.replace(origin=None).caption() == "+ restores"


def test_code_gives_the_same_numbers_again(tmp_path, monkeypatch):
    """The code under a figure is run as it stands, on a model folder; a made-up task stands in for those of real words."""
    import workbench
    from tests.conftest import toy_pairs
    from workbench.methods import METHODS
    from workbench.tasks import TASKS

    model = workbench.load(str(families.save("llama", tmp_path)), device="cpu")
    monkeypatch.setitem(TASKS, "toy", lambda model, n, seed: toy_pairs(model, n=n, seed=seed))
    asked = dict(sites=("z", "mlp_out"), by=("layer", "pos"), metric="prob_diff", normalise=False)
    first = METHODS["patch"](model, toy_pairs(model, n=2, seed=3), **asked)
    names: dict = {}
    exec(first.origin.code(), names)
    again = names["result"]
    assert again.origin == first.origin
    assert np.array_equal(again.values.values, first.values.values)


def test_code_of_own_pairs_says_that_they_are_to_be_given():
    code = dataclasses.replace(ORIGIN, task="custom").code()
    compile(code, "code", "exec")
    assert "workbench.custom(model, PATH_OR_ROWS)" in code
    assert "TASKS" not in code


def test_an_infinity_is_refused_and_nan_needs_a_reason():
    with pytest.raises(ValueError, match="hold an infinity"):
        Scores("t", "logits", grid([1.0, np.inf], "layer"))
    with pytest.raises(ValueError, match="gives no reason"):
        Scores("t", "logits", grid([1.0, np.nan], "layer"))
    Scores("t", "logits", grid([1.0, np.nan], "layer"), notes={"nan": "no such head"})


@pytest.mark.parametrize("end", ["lower", "upper"])
def test_an_interval_lies_over_the_same_dims(end):
    values = grid(np.zeros((2, 2)), "layer", "head")
    Scores("t", "logits", values, **{end: values})
    with pytest.raises(ValueError, match=f"{end} has dims"):
        Scores("t", "logits", values, **{end: values.T})
    with pytest.raises(ValueError, match=f"{end} has dims"):
        Scores("t", "logits", values, **{end: values[:1]})


def test_mean_and_its_standard_error_are_numpys():
    numbers = np.random.default_rng(0).normal(size=(3, 4, 5))
    scores = Scores("t", "logits", grid(numbers, "layer", "prompt", "head"), notes={"sign": "+"}, origin=ORIGIN)
    mean = scores.mean()
    centre, error = numbers.mean(1), numbers.std(1, ddof=1) / 2
    assert mean.values.dims == ("layer", "head")
    assert np.allclose(mean.values.values, centre)
    assert np.allclose(mean.lower.values, centre - error)
    assert np.allclose(mean.upper.values, centre + error)
    assert mean.origin == ORIGIN
    assert mean.notes == scores.notes
    assert mean.mean() is mean
    assert np.allclose(scores.mean("layer").values.values, numbers.mean(0))


def test_the_mean_of_one_prompt_has_no_interval():
    mean = Scores("t", "logits", grid([[2.0, 3.0]], "prompt", "layer")).mean()
    assert mean.values.values.tolist() == [2.0, 3.0]
    assert mean.lower is None
    assert mean.upper is None


def test_a_curve_has_series_first():
    Curve("t", "logits", grid(np.zeros((2, 3)), "series", "layer"))
    for dims in (("layer", "series"), ("series",), ("series", "layer", "pos")):
        with pytest.raises(ValueError, match="a Curve has dims"):
            Curve("t", "logits", grid(np.zeros((2, 3, 4)[: len(dims)]), *dims))


def test_a_readout_has_ranks_last_and_a_token_for_each():
    values = grid(np.zeros((2, 3)), "layer", "rank")
    tokens = xr.DataArray(np.full((2, 3), "a"), dims=("layer", "rank"))
    Readout("t", "probability", values, parts={"token": tokens})
    with pytest.raises(ValueError, match="last dim is 'rank'"):
        Readout("t", "probability", values)
    with pytest.raises(ValueError, match="last dim is 'rank'"):
        Readout("t", "probability", values.T, parts={"token": tokens.T})
    with pytest.raises(ValueError, match="tokens have shape"):
        Readout("t", "probability", values, parts={"token": tokens[:1]})


def test_html_escapes_what_comes_from_outside():
    scores = Scores(
        "<script>one</script>", "<b>", grid([0.0], "<i>"), notes={"<u>": "<img src=x>", "sign": "a & b"},
        origin=dataclasses.replace(ORIGIN, model="<script>two</script>"),
    )  # fmt: skip
    page = scores._repr_html_()
    for raw in ("<script>", "<img", "<u>", "<i>", "[<b>]", "a & b"):
        assert raw not in page
    for shown in ("&lt;script&gt;one", "&lt;script&gt;two", "&lt;img src=x&gt;", "&lt;i&gt; (1)", "a &amp; b"):
        assert shown in page


def test_replace_checks_again_and_kinds_have_names():
    scores = Scores("t", "logits", grid([1.0], "layer"))
    with pytest.raises(ValueError, match="infinity"):
        scores.replace(values=grid([np.inf], "layer"))
    assert kind_of(scores) == "scores"
    assert kind_of(Result("t", "logits", grid([1.0], "layer"))) == "result"
