"""What a study of small networks is asked with: its fields, how many networks that trains, and what is too much."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from workbench.errors import BadInput, one_of
from workbench.views.fields import Field, about_of, field_of, given

# What the parameters are called in their source, or at more length than by their names.
TITLES = {
    "classes": "Classes (K)", "labels": "Labels (L)", "items": "Items in the context (N)", "burst": "Burst (B)",
    "p_burst": "Share of bursty sequences", "p_novel": "Share of sequences of new classes", "noise": "Noise of items (ε)",
    "zipf": "Zipf exponent of classes (α)", "dim": "Numbers of a token's content (D)", "longest": "Longest context (Nmax)",
    "shifted": "At a random place", "novel": "New classes per batch", "rate": "Learning rate", "decay": "Weight decay",
    "batch": "Sequences per step", "to_previous": "Nudge to the previous token (β1)", "to_labels": "Nudge to labels (β2)",
    "every": "Steps between evaluations", "seeds": "Networks (seeds)", "seed": "First seed", "factors": "L / N, several",
    "values": "Values across", "rows": "Values down", "words": "Words of the vocabulary", "followers": "Followers of a word",
    "phrases": "Phrases of a text", "shortest": "Words of a phrase, from",
    "often": "Share of places where a phrase begins", "length": "Tokens of a text", "grammar": "Seed of the followers",
    "heads": "Heads of a layer", "d_model": "Width of the residual stream", "d_mlp": "Units of an MLP (0: attention only)",
}  # fmt: skip
# What a study sets itself, or calls otherwise.
REPLACED = {
    "reddy_saddle": {"labels": "Labels (L), set by L / N"},
    "language": {"longest": "Words of a phrase, to", "batch": "Texts per step", "seeds": "Models (seeds)"},
}
# What is more would fill the memory, or train for days.
MOST = {
    "classes": 100_000, "labels": 1000, "items": 100, "dim": 1000, "longest": 500, "novel": 10_000, "batch": 5000,
    "seeds": 100, "steps": 1_000_000, "length": 1000, "layers": 8, "heads": 16, "d_model": 512, "d_mlp": 2048,
}  # fmt: skip
MOST_NETWORKS = 500


def study_fields(name: str) -> dict[str, Field]:
    """The fields of a study: its task's, its recipe's, then its own."""
    import torch

    from workbench.dynamics import STUDIES

    one_of("the study", name, STUDIES)
    study = STUDIES[name]
    told = [*(type(one).__doc__ for one in study.made), study.run.__doc__]
    about = {key: line for doc in told for key, line in about_of(doc).items()}
    titles = {**TITLES, **REPLACED.get(name, {})}
    made = {
        key: replace(field_of(key, parameter, about.get(key, "")), title=titles.get(key, ""))
        for key, parameter in study.params.items()
    }
    devices = ("cpu", "cuda") if torch.cuda.is_available() else ("cpu",)
    made["device"] = replace(made["device"], kind="choice", choices=devices)
    return made


def asked(fields: Mapping[str, Field], values: Mapping[str, Any]) -> dict[str, Any]:
    """The values that are not defaults, as a study takes them.

    Raises:
        BadInput: When one is none of its field's, or more than is sensible here.
    """
    checked = {name: one.check(values.get(name, one.default)) for name, one in fields.items()}
    for name, value in checked.items():
        _not_too_much(name, value)
    for field, listed in (("across", "values"), ("down", "rows")):
        for word in checked.get(listed, ()):
            _not_too_much(checked[field], int(word) if word.isdecimal() else 0)
    from workbench.dynamics.study import networks

    if networks(checked) > MOST_NETWORKS:
        raise BadInput(f"the networks must be at most {MOST_NETWORKS} on this page; got {networks(checked)}. Use fewer seeds.")
    return given(fields, checked)


def _not_too_much(name: str, value: Any) -> None:
    if name in MOST and value > MOST[name]:
        raise BadInput(f"{name} must be at most {MOST[name]} on this page; got {value}. `workbench train` takes more.")
