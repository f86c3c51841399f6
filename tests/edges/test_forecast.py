"""The forecast of memory against tensors counted while the work is done."""

import pytest

from tests.conftest import toy_pairs
from workbench.edges import forecast as room
from workbench.edges.forecast import Live, forecast, prompts_at_once
from workbench.edges.wiring import Wiring
from workbench.errors import BadInput
from workbench.methods import METHODS

ASKED = [("query", None), ("key_value", None), ("query", ("ln", "half"))]


@pytest.mark.parametrize("family", ["llama", "gpt2", "gemma2", "neox"])
@pytest.mark.parametrize(("method", "held", "rules"), [("eap", 1, None), ("eap_ig", 5, None), ("eap_relp", 1, ("ln", "half"))])
def test_the_forecast_is_what_is_then_held(model_of, family, method, held, rules):
    model = model_of(family)
    pairs = toy_pairs(model, n=16, length=14)
    asked = {"rules": rules} if rules else {}
    METHODS[method](model, pairs, **asked)
    with Live() as live:
        METHODS[method](model, pairs, **asked)
    assert forecast(Wiring(model), 16, 14, held, rules).peak == pytest.approx(live.taken(), rel=0.15)


def test_probes_are_run_once_per_model_readers_and_rules(model_of, monkeypatch):
    model = model_of("llama")
    found = [room.probed(Wiring(model, readers), rules) for readers, rules in ASKED]
    monkeypatch.setattr(room, "_probe", lambda *_: pytest.fail("probed again"))
    assert [room.probed(Wiring(model, readers), rules) for readers, rules in ASKED] == found
    assert len(set(found)) == len(found)


def test_memory_is_counted_tensor_by_tensor():
    import torch

    outside = torch.zeros(1000)
    with Live() as live:
        one = outside + 1
        view = one[:10]
        assert (live.now, live.taken()) == (4000, 4000)
        two = one * 2
        assert live.now == 8000
        del one
        assert live.now == 8000, "a view holds its storage"
        del view
        assert live.now == 4000
        assert live.taken() == 8000
        del two
        assert live.now == 0


def test_fewer_prompts_at_once_where_memory_is_short_and_the_same_scores(llama, monkeypatch):
    pairs = toy_pairs(llama, n=6)
    whole = METHODS["eap"](llama, pairs)
    wiring = Wiring(llama)
    assert prompts_at_once(wiring, pairs) == 6
    three = forecast(wiring, 3, pairs.clean.shape[1]).peak
    monkeypatch.setattr(room, "free_memory", lambda device: three / room.SHARE * 1.05)
    assert prompts_at_once(wiring, pairs) == 3
    told = METHODS["eap"](llama, pairs)
    assert abs(told.values - whole.values).max() < 1e-6
    monkeypatch.setattr(room, "free_memory", lambda device: 1000)
    with pytest.raises(BadInput, match=r"scores of edges must fit into free memory; got a forecast of .* for one prompt of 7"):
        METHODS["eap"](llama, pairs)
