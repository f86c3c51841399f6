"""STUDIES: the catalogue of questions that are answered by training."""

from workbench.dynamics.formation import formation
from workbench.dynamics.language import SHAPES, Pace
from workbench.dynamics.phases import phases, saddle
from workbench.dynamics.study import Study, course, events
from workbench.dynamics.text import Text

_TEXT = (Text(), SHAPES["attention"], Pace())
_OLSSON = "Olsson et al. 2022, In-context Learning and Induction Heads, arXiv:2209.11895"

STUDIES = {
    study.name: study
    for study in (
        Study("reddy", "Progress of in-context learning", course, "curve"),
        Study("reddy_events", "Order of events", events, "scores"),
        Study("reddy_phases", "In-context and in-weights learning", phases, "scores", usual={"p_novel": 0.0}),
        Study("reddy_saddle", "Learning with as many labels as items, and with more", saddle, "scores"),
        Study("language", "An induction circuit forms", formation, "curve", _OLSSON, "phrases", _TEXT),
    )
}
