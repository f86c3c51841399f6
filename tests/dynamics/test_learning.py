"""Trainings that take a minute: what is learnt, in what order, and what decides between context and weights."""

import dataclasses

import numpy as np
import pytest

from workbench.dynamics import STUDIES, Member, Recipe, Setting
from workbench.dynamics.events import half_way
from workbench.dynamics.train import train

pytestmark = pytest.mark.slow

FIXED = Setting.fast(p_novel=0.0)


@pytest.fixture(scope="module")
def curve():
    return STUDIES["reddy"](steps=1500, every=50, seeds=4)


def test_learning_in_context_is_abrupt_after_a_plateau(curve):
    """At 1,500 steps and not at 1,000: some seeds turn late."""
    at = curve.parts["seeds"]
    assert (at.sel(series="ic", step=1500) > 0.95).all()
    assert (at.sel(series="ila1", step=1500) > 0.8).all()
    assert (at.sel(series="tila2", step=1500) > 0.7).all()
    assert (at.sel(series="ila1", step=500) < 0.3).all()
    assert (at.sel(series="ic", step=400) < 0.25).all()
    assert (at.sel(series="cla", step=400) > 0.8).all()
    assert abs(at.sel(series="ic", step=1500) - at.sel(series="ic2", step=1500)).max() < 0.05
    assert "4 of 4 seeds" in curve.notes["transition"]


def test_labels_are_found_long_before_items_are(curve):
    """TLA2 and CLA rise first; ILA1 and TILA2 rise with the accuracy."""
    moved = {
        name: np.array([half_way(curve.values.step.values, row) for row in curve.parts["seeds"].sel(series=name).values])
        for name in ("ic", "cla", "tla2", "ila1", "tila2")
    }
    for early in ("tla2", "cla"):
        assert (moved[early] + 200 < moved["ic"]).all()
    for together in ("ila1", "tila2"):
        assert (abs(moved[together] - moved["ic"]) < 250).all()


def test_many_bursts_of_many_classes_teach_context_and_few_classes_weights():
    many = dataclasses.replace(FIXED, classes=2048, burst=4)
    few = dataclasses.replace(FIXED, classes=128, burst=1)
    trace = train([Member(many, 0), Member(few, 0)], Recipe.fast(), steps=1250, every=1250).trace
    in_context, in_weights = ({name: trace.of(name)[row, -1] for name in ("ic", "ic2", "iw", "ila1")} for row in (0, 1))
    assert in_context["ic"] > 0.9
    assert in_context["ic2"] > 0.9
    assert in_context["iw"] < 0.2
    assert in_weights["iw"] > 0.9
    assert in_weights["ic"] < 0.1
    assert in_weights["ic2"] < 0.05
    assert in_weights["ila1"] < 0.3


def test_as_many_labels_as_items_fewer_seeds_learn():
    """Without biases, so that no network is dead: what is missing is the first step, and not the means."""
    found = STUDIES["reddy_saddle"](steps=1200, every=1200, seeds=4, architecture="unbiased")
    equal, more = found.parts["learned"].values
    assert found.parts["dead"].values.tolist() == [0, 0]
    assert more - equal >= 3
