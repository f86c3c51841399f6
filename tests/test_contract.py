"""What every method and every task of the catalogues must keep; a new one is tested the day it is added."""

import inspect
import re
from contextlib import suppress

import numpy as np
import pytest
import torch

from tests.conftest import toy_pairs
from workbench.errors import BadInput
from workbench.hooks import end_logits
from workbench.methods import METHODS
from workbench.pairs import Pairs
from workbench.params import choices
from workbench.plots import figure, rows, table
from workbench.progress import Stopped, listening
from workbench.result import KINDS, canonical
from workbench.store import Store
from workbench.tasks import TASKS

UNITS = {
    "robust deviations",
    "attention",
    "share of attention",
    "each its own",
    "cosine",
    "length",
    "coordinate",
    "share of the coordinate",
    "share of the needle",
    "share of the words",
    "% of the first time",
    "share of the stream",
    "logits",
    "probability",
    "nats",
    "share of the gap",
    "share of prompts",
    "share",
    "correlation",
    "composition score",
}


# What a method needs to be asked on a random model that does no task, or on one pair: faithfulness divides by a gap, which a
# distance from the clean run always has, and one pair has no halves. Masks need not be learned to the end.
ASKED = {
    "attention": {"text": "c d e c d e f"},
    "channel_graph": {"rate": 0.999, "rotations": 20},  # at a stricter rate nothing stands out of a random model
    "channel_map": {"channel": "0.1.2+1.0.3", "steps": 3},
    "channel_scale": {"channel": "0.1.2"},
    "component_pairs": {"writer": "0.1", "reader": "2.1"},
    "direct_paths": {"reader": "2.1"},
    "discover": {"metric": "kl", "hold_out": False},
    "edge_pruning": {"steps": 20},
    "heads": {"examples": 2, "length": 4, "copies": 2},
    "in_context": {"examples": 2, "length": 20, "early": 3, "late": 15, "window": 3},
    "induction": {"examples": 2, "length": 5, "copies": 2},
    "list_recall": {"channel": "0.1.2", "objects": "2,3", "prompts": 4},
    "masking": {"masked": "0,2", "lengths": "64", "depths": 1, "needles": 1, "draws": 1},
    "repeat_surprisal": {"listed": "3", "examples": 2, "sentences": 1},
    "retrieval": {"lengths": "64", "depths": 1, "needles": 1},
}
FIRST = {name: asked for name, asked in ASKED.items() if name != "discover"}
# What looks at where the prompts name their answers.
NAMING = {"heads", "channel_map", "channel_scale", "direct_paths"}
# What a random model never does, so that there is no number; and what is longer than the context of some of them.
NEVER, LONG = {"retrieval", "masking"}, {"retrieval", "masking"}
# What makes its own prompts, and so needs their words.
WORDY = {"in_context", "list_recall", "masking", "repeat_surprisal", "retrieval"}


def pairs_for(method, model, **asked):
    """Pairs that the method can be asked about; none where the weights are enough."""
    if not method.needs_pairs:
        return None
    return toy_pairs(model, named=method.name in NAMING, **asked)


@pytest.fixture(params=sorted(METHODS))
def method(request):
    return METHODS[request.param]


@pytest.fixture
def model(method, model_of, wordy_of):
    return (wordy_of if method.name in WORDY else model_of)("llama")


@pytest.fixture(scope="module")
def results():
    """What each method gives on the same model and pairs, computed once; no test changes a result."""
    return {}


@pytest.fixture
def result(method, model, results):
    if method.name not in results:
        results[method.name] = method(model, pairs_for(method, model), **FIRST.get(method.name, {}))
    return results[method.name]


def test_id_is_the_same_everywhere(method):
    assert inspect.getmodule(method.run).__name__ == f"workbench.methods.{method.name}"
    assert METHODS[method.name] is method


def test_right_kind_unit_and_named_axes(method, result):
    assert type(result) is KINDS[method.kind]
    assert result.unit in UNITS
    assert result.title
    assert not [dim for dim in result.values.dims if dim.startswith("dim_")]
    for dim in result.values.dims:
        assert dim in result.values.coords, f"{dim} has no labels"
    assert "sign" in result.notes


def test_finite_or_nan_with_a_reason(method, result):
    values = result.values.values
    assert not np.isinf(values).any()
    assert not np.isnan(values).any() or result.notes["nan"]
    assert np.abs(np.nan_to_num(values)).max() > 0 or method.name in NEVER


def test_same_call_same_numbers(method, model, result):
    again = method(model, pairs_for(method, model), **FIRST.get(method.name, {}))
    assert np.array_equal(again.values.values, result.values.values, equal_nan=True)
    assert again.origin.key == result.origin.key


def test_the_model_is_left_as_found(method, model):
    pairs = pairs_for(method, model)
    tokens = toy_pairs(model)
    weights = {name: weight.clone() for name, weight in model.original_model.state_dict().items()}
    with torch.no_grad():
        before = end_logits(model, tokens.clean, tokens.end)
    method(model, pairs, **FIRST.get(method.name, {}))
    assert not any(point.fwd_hooks or point.bwd_hooks for point in model.hook_dict.values())
    assert not model.unembed._forward_pre_hooks
    assert all("forward" not in block.__dict__ for block in model.blocks)
    assert all(weight.grad is None and not weight.requires_grad for weight in model.original_model.parameters())
    assert all(torch.equal(weight, weights[name]) for name, weight in model.original_model.state_dict().items())
    with torch.no_grad():
        assert torch.equal(end_logits(model, tokens.clean, tokens.end), before)


def test_works_on_one_pair_and_on_pairs_of_several_lengths(method, model):
    asked = ASKED.get(method.name, {})
    assert method(model, pairs_for(method, model, n=1), **asked).values.size
    assert method(model, pairs_for(method, model, ragged=True, n=5), **asked).values.size


def test_works_on_every_family(method, model_of, wordy_of):
    for family in ("gpt2", "neox", "qwen3", "gemma2"):
        if family == "gpt2" and method.name in LONG:
            continue
        model = (wordy_of if method.name in WORDY else model_of)(family)
        # One pair has no spread that its gap could be lost in.
        found = method(model, pairs_for(method, model, n=1 if method.name in ASKED else 3), **ASKED.get(method.name, {}))
        assert np.isfinite(found.values.values).all() or found.notes["nan"], family


def test_stops_when_asked(method, model):
    seen = []

    def stop(step):
        seen.append(step)
        raise Stopped

    with listening(stop), suppress(Stopped):
        method(model, pairs_for(method, model), **FIRST.get(method.name, {}))
    assert not any(point.fwd_hooks for point in model.hook_dict.values())
    assert len(seen) <= 1


def test_survives_the_store(result, tmp_path):
    store = Store(tmp_path)
    back = store.get(store.put(result))
    assert type(back) is type(result)
    assert back.origin == result.origin
    assert back.origin.key == result.origin.key
    assert back.values.identical(result.values)
    assert dict(back.notes) == dict(result.notes)
    assert set(back.parts) == set(result.parts)
    assert all(back.parts[name].identical(part) for name, part in result.parts.items())


def test_has_a_figure_a_table_and_a_caption(method, result):
    assert figure(result).data
    assert len(table(result)) == result.values.size
    assert rows(result) or method.name in NEVER
    assert method.name in result.caption()


def test_docstring_names_every_parameter_and_has_a_source(method):
    doc = inspect.getdoc(method.run)
    for section in ("Convention:", "Source:", "Args:", "Returns:", "Raises:"):
        assert section in doc, section
    for name in inspect.signature(method.run).parameters:
        assert re.search(rf"^\s+{name}: \S", doc, re.M), name
    assert method.source


def test_wrong_parameters_are_told_in_one_line(method, model):
    pairs = toy_pairs(model)
    with pytest.raises(BadInput, match=f"a parameter of {method.name} must be one of"):
        method(model, pairs, nonsense=1)
    for name, parameter in method.params.items():
        if choices(parameter.annotation):
            with pytest.raises(BadInput, match=rf"{method.name}: {name} must be"):
                method(model, pairs, **{name: "nonsense"})


def test_origin_says_what_was_asked_and_the_code_is_python(method, result):
    assert result.origin.params == {**result.origin.params}
    assert set(result.origin.params) == set(method.params)
    compile(result.origin.code(), "code", "exec")
    canonical(result.origin.params)


def test_another_question_is_another_key(llama):
    pairs = toy_pairs(llama)
    keys = {
        METHODS["patch"].origin(llama, pairs).key,
        METHODS["patch"].origin(llama, pairs, metric="kl").key,
        METHODS["atp"].origin(llama, pairs).key,
        METHODS["patch"].origin(llama, toy_pairs(llama, seed=1)).key,
        METHODS["patch"].origin(llama, pairs.select([0, 1])).key,
    }
    assert len(keys) == 5


@pytest.mark.parametrize("name", sorted(TASKS))
def test_every_task_has_a_source_and_a_documented_signature(name):
    task = TASKS[name]
    assert task.name == name
    assert inspect.getmodule(task.make).__name__ == f"workbench.tasks.{name}"
    assert task.source
    assert task.title
    doc = inspect.getdoc(task.make)
    for parameter in list(inspect.signature(task.make).parameters)[1:]:
        assert re.search(rf"^\s+{parameter}: \S", doc, re.M), parameter


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(TASKS))
def test_every_task_can_be_built_and_done_on_the_real_model(name, smollm):
    pairs = TASKS[name](smollm, n=12, seed=3)
    assert isinstance(pairs, Pairs)
    assert len(pairs) == 12
    assert TASKS[name](smollm, **pairs.params).digest() == pairs.digest()
    assert TASKS[name](smollm, n=12, seed=4).digest() != pairs.digest()
    told = METHODS["baseline"](smollm, pairs)
    assert float(told.parts["right"].sel(run="clean").mean()) >= 0.5
    assert float(told.values.sel(run="clean").mean()) > float(told.values.sel(run="corrupt").mean())
