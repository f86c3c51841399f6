"""The small language models that come with the workbench: how their induction circuits formed, and where its two heads looked.

`data/trained/NAME/run.json` says how they were made, with which command, and what was measured of three seeds; the checkpoints
of the first are beside it, `load('trained:NAME@step700')`, and `models.revisions('trained:NAME')` lists them.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import torch
import xarray as xr

from workbench.channels.weights import parsed
from workbench.detectors.sequences import repeated
from workbench.dynamics.formation import Formed, curve_of
from workbench.errors import one_of
from workbench.hooks import read
from workbench.models import load
from workbench.models.find import DATA
from workbench.pairs import token_strings
from workbench.result import Curve, Origin, Scores
from workbench.sites import Site

RUN = "run.json"
# Random words that are looked at, and how often they come.
WORDS, COPIES = 8, 2


def looks(ref: str, steps: Sequence[int], pair: str) -> Scores:
    """Where the two heads of a circuit look at checkpoints of a run, on a few random words that come twice.

    Args:
        ref: A run with checkpoints: 'trained:attention', or its folder.
        steps: Steps that are there.
        pair: The two heads, '0.3 > 1.3'.
    Returns:
        Scores over (step, head, query, key) in shares of attention; rows look, columns are looked at.
    """
    names = pair.split(" > ")
    found, words = [], []
    for step in steps:
        model = load(f"{ref}@step{step}", device="cpu")
        tokens = repeated(model, 1, 0, WORDS, COPIES)
        words = token_strings(model.tokenizer, tokens[0].tolist())
        sites = [Site("pattern", parsed(name)[0]) for name in names]
        _, kept = read(model, tokens, torch.tensor([tokens.shape[1] - 1]), sites)
        found.append(np.stack([kept[site][0, parsed(name)[1]].numpy() for site, name in zip(sites, names, strict=True)]))
    return _looks(np.stack(found), steps, names, words)


def _looks(values: np.ndarray, steps: Sequence[int], names: Sequence[str], words: Sequence[str]) -> Scores:
    coords = {"step": list(steps), "head": list(names), "query": list(words), "key": list(words)}
    notes = {"sign": "a row is the token that looks, a column what it looks at", "range": "positive"}
    title = "Where the two heads look"
    return Scores(title, "share of attention", xr.DataArray(values, dims=tuple(coords), coords=coords), notes=notes)


def describe(formed: Formed, looked: Scores) -> dict[str, Any]:
    """What `run.json` says of runs: four digits of each measure, three of each share of attention."""
    return {
        "steps": formed.steps.tolist(),
        "seeds": formed.seeds,
        "heads": formed.heads,
        "shares": _rounded(formed.shares, 4),
        "losses": _rounded(formed.losses, 4),
        "looks": {
            "steps": looked.values.step.values.tolist(),
            "words": looked.values.key.values.tolist(),
            "attention": _rounded(looked.values.values, 3),
        },
    }


def _rounded(array: np.ndarray, digits: int) -> list[Any]:
    return np.vectorize(lambda value: float(f"{value:.{digits}g}"))(array).tolist()


def names() -> list[str]:
    """The models that come with the workbench."""
    return sorted(file.parent.name for file in (DATA / "trained").glob(f"*/{RUN}"))


@cache
def _told(name: str) -> dict[str, Any]:
    one_of("trained model", name, names())
    return json.loads((DATA / "trained" / name / RUN).read_text(encoding="utf-8"))


def formed(name: str) -> Curve:
    """How the circuit of a shipped model formed, 'attention' or 'full', over seeds; see `formation`.

    Raises:
        BadInput: When there is no such model.
    """
    told = _told(name)
    arrays = {part: np.array(told[part]) for part in ("steps", "shares", "losses")}
    made = Formed(seeds=told["seeds"], heads=told["heads"], **arrays)
    return curve_of(made).replace(origin=_origin(told, made))


def _origin(told: dict[str, Any], made: Formed) -> Origin:
    """That of the study which gives the same, with the versions that gave these."""
    from workbench.dynamics.studies import STUDIES

    every = {"steps": int(made.steps[-1]), "every": int(made.steps[1] - made.steps[0]), "seeds": len(made.seeds)}
    origin = STUDIES["language"].origin(**told["text"], **told["shape"], **told["pace"], **every)
    return replace(origin, versions=told["versions"])


def looked(name: str) -> Scores:
    """Where the two heads of a shipped model looked at its checkpoints; see `looks`.

    Raises:
        BadInput: When there is no such model.
    """
    told = _told(name)
    kept = told["looks"]
    return _looks(np.array(kept["attention"]), kept["steps"], told["heads"][0].split(" > "), kept["words"])
