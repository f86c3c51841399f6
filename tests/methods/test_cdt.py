"""Contextual decomposition: the hooks give what the paper's equations give, written out with both parts run."""

import math

import numpy as np
import pytest
import torch

from tests import families
from tests.conftest import toy_pairs
from workbench import decomposition as room
from workbench.errors import BadInput
from workbench.methods import METHODS
from workbench.models import load
from workbench.sweep import TOKENS

cdt = METHODS["cdt"]


class Plain:
    """The paper's equations on pairs (relevant, irrelevant), with no hook and no part had by subtraction from the model.

    Whatever a rule gives, `whole` holds the ordinary activation and every step checks that the two parts add up to it.
    """

    def __init__(self, folder, stabilise: bool):
        from transformers import AutoModelForCausalLM

        self.hf = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float64, attn_implementation="eager").eval()
        self.stabilise, self.gpt2 = stabilise, self.hf.config.model_type == "gpt2"
        self.weights = {name: weight.detach() for name, weight in self.hf.named_parameters()}

    # Rules.

    def linear(self, parts, name):
        weight, bias = self.weights[f"{name}.weight"], self.weights.get(f"{name}.bias")
        return self.affine([part @ (weight if self.gpt2 else weight.T) for part in parts], bias)

    @staticmethod
    def affine(parts, bias):
        if bias is None:
            return parts
        rel, irrel = parts
        sizes = (rel.abs() + irrel.abs()).clamp(min=1e-300)
        return [rel + rel.abs() / sizes * bias, irrel + irrel.abs() / sizes * bias]

    def norm(self, parts, name):
        whole = sum(parts)
        weight, bias = self.weights[f"{name}.weight"], self.weights.get(f"{name}.bias")
        if self.gpt2:
            scale = (whole.var(-1, keepdim=True, unbiased=False) + self.hf.config.layer_norm_epsilon).sqrt()
            parts = [part - part.mean(-1, keepdim=True) for part in parts]
        else:
            scale = (whole.pow(2).mean(-1, keepdim=True) + self.hf.config.rms_norm_eps).sqrt()
        return self.affine([part / scale * weight for part in parts], bias)

    def settle(self, parts):
        if not self.stabilise:
            return parts
        rel, irrel = parts
        whole, clash, rel_wins = rel + irrel, rel * irrel < 0, rel.abs() > irrel.abs()
        new_rel = torch.where(clash, torch.where(rel_wins, whole, torch.zeros_like(whole)), rel)
        new_irrel = torch.where(clash, torch.where(rel_wins, torch.zeros_like(whole), whole), irrel)
        return [new_rel, new_irrel]

    def mlp(self, parts, layer):
        if self.gpt2:
            act = self.hf.transformer.h[layer].mlp.act
            rel, irrel = self.settle(self.linear(parts, f"transformer.h.{layer}.mlp.c_fc"))
            after = [act(rel + irrel) - act(irrel), act(irrel)]
            return self.settle(self.linear(after, f"transformer.h.{layer}.mlp.c_proj"))
        at = f"model.layers.{layer}.mlp"
        gate, up = (self.settle(self.linear(parts, f"{at}.{name}")) for name in ("gate_proj", "up_proj"))
        silu = torch.nn.functional.silu
        irrel = silu(gate[1]) * up[1]
        return self.settle(self.linear([silu(sum(gate)) * sum(up) - irrel, irrel], f"{at}.down_proj"))

    def queries_keys_values(self, parts, layer):
        if self.gpt2:
            joint = self.linear(parts, f"transformer.h.{layer}.attn.c_attn")
            three = [part.chunk(3, -1) for part in joint]
            return [[self.by_head(part[i], families.HEADS) for part in three] for i in range(3)]
        at = f"model.layers.{layer}.self_attn"
        found = []
        for name, heads in (("q", families.HEADS), ("k", families.KV_HEADS), ("v", families.KV_HEADS)):
            pieces = [self.by_head(part, heads) for part in self.linear(parts, f"{at}.{name}_proj")]
            pieces = [self.rotate(piece) for piece in pieces] if name != "v" else pieces
            found.append([piece.repeat_interleave(families.HEADS // heads, 1) for piece in pieces])
        return found

    @staticmethod
    def by_head(flat, heads):
        return flat.view(*flat.shape[:2], heads, -1).transpose(1, 2)

    @staticmethod
    def rotate(x):
        half = x.shape[-1] // 2
        angle = torch.arange(x.shape[2]).double()[:, None] / 10000.0 ** (torch.arange(half).double() / half)
        cos, sin = angle.cos(), angle.sin()
        first, second = x[..., :half], x[..., half:]
        return torch.cat([first * cos - second * sin, second * cos + first * sin], -1)

    @staticmethod
    def attend(query, key, value):
        scores = query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1])
        future = torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1)
        return scores.masked_fill(future, float("-inf")).softmax(-1) @ value

    def attention(self, parts, layer, source):
        query, key, value = self.queries_keys_values(parts, layer)
        whole = self.attend(sum(query), sum(key), sum(value))
        rel = self.attend(query[0], key[0], value[0])
        z = [rel, whole - rel] if source is None else source(whole)
        flat = [part.transpose(1, 2).flatten(2) for part in z]
        name = f"transformer.h.{layer}.attn.c_proj" if self.gpt2 else f"model.layers.{layer}.self_attn.o_proj"
        return self.linear(flat, name), whole

    # Runs.

    def run(self, tokens, source_layer=None, source=None):
        """Parts of the logits [batch pos vocab] and z of every layer; the source is set at its layer's z."""
        if self.gpt2:
            where = torch.arange(tokens.shape[1])
            stream = self.weights["transformer.wte.weight"][tokens] + self.weights["transformer.wpe.weight"][where]
            before, between, last, head = (
                "transformer.h.{}.ln_1",
                "transformer.h.{}.ln_2",
                "transformer.ln_f",
                "transformer.wte",
            )
        else:
            stream = self.weights["model.embed_tokens.weight"][tokens]
            at = "model.layers.{}."
            before, between, last = at + "input_layernorm", at + "post_attention_layernorm", "model.norm"
            head = "model.embed_tokens"
        theirs = self.hf(tokens, output_hidden_states=True)
        parts, zs = [torch.zeros_like(stream), stream], []
        for layer in range(families.LAYERS):
            assert torch.allclose(sum(parts), theirs.hidden_states[layer], atol=1e-5)
            added, z = self.attention(self.norm(parts, before.format(layer)), layer, source if layer == source_layer else None)
            zs.append(z)
            parts = [part + more for part, more in zip(parts, added, strict=True)]
            added = self.mlp(self.norm(parts, between.format(layer)), layer)
            parts = self.settle([part + more for part, more in zip(parts, added, strict=True)])
        logits = [part @ self.weights[f"{head}.weight"].T for part in self.norm(parts, last)]
        assert torch.allclose(sum(logits), theirs.logits, atol=1e-5)
        return logits[0], zs

    def score(self, pairs, layer, head, reference):
        _, corrupt = self.run(pairs.corrupt)
        usual = corrupt[layer].mean(0, keepdim=True) if reference == "mean" else torch.zeros_like(corrupt[layer][:1])

        def source(z):
            rel = torch.zeros_like(z)
            rel[:, head] = (z - usual)[:, head]
            return [rel, z - rel]

        logits, _ = self.run(pairs.clean, layer, source)
        rows = zip(range(len(pairs)), pairs.end, pairs.right, pairs.wrong, strict=True)
        return [
            (logits[row, end, list(right)].mean() - logits[row, end, list(wrong)].mean()).item()
            for row, end, right, wrong in rows
        ]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return {family: families.save(family, tmp_path_factory.mktemp(family)) for family in ("gpt2", "llama")}


@pytest.fixture(scope="module")
def precise(folders):
    """The same weights in double: where a bias is shared out between two parts near 0, single precision shows."""
    return {family: load(str(folder), device="cpu", dtype="float64") for family, folder in folders.items()}


@pytest.mark.parametrize("family", ["gpt2", "llama"])
@pytest.mark.parametrize("stabilise", [False, True])
@pytest.mark.parametrize("reference", ["mean", "zero"])
def test_hooks_give_what_the_equations_give(folders, precise, family, stabilise, reference):
    model = precise[family]
    pairs = toy_pairs(model, n=2)
    if reference == "mean":
        pairs = type(pairs)(**{**vars(pairs), "positions": {"END": pairs.end}})
        assert pairs.same_layout
    told = cdt(model, pairs, reference=reference, stabilise=stabilise).values
    with torch.no_grad():
        plain = Plain(folders[family], stabilise)
        for layer in range(families.LAYERS):
            for head in range(families.HEADS):
                expected = plain.score(pairs, layer, head, reference)
                assert told.sel(layer=layer, head=head).values == pytest.approx(expected, abs=1e-5), (layer, head)
    assert float(np.abs(told).max()) > 0.1


@pytest.mark.parametrize("family", families.FAMILIES)
@pytest.mark.parametrize("stabilise", [False, True])
def test_what_is_all_relevant_stays_so_and_nothing_makes_nothing(model_of, family, stabilise):
    """Both ends of the split: with no irrelevant part the model runs as ever, with no relevant part nothing comes out."""
    model = model_of(family)
    pairs = toy_pairs(model)
    split = room.Split(model, pairs, stabilise)
    assert split.gap() < 1e-4
    nothing = split.scores(1, [0, 2], split.kept[split.heads[1]])
    assert nothing.shape == (2, 3)
    assert nothing.abs().max() < 1e-7


def test_in_the_last_layer_the_split_is_direct_attribution_where_nothing_follows(byhand, easy):
    """With no MLP and no bias a head of the last layer reaches the answer by the norm, whose divisor is the clean run's."""
    direct = METHODS["dla"](byhand, easy).values
    split = cdt(byhand, easy, reference="zero").values
    assert np.allclose(split, direct, atol=1e-4)
    assert float(np.abs(split).max()) > 1


def test_a_head_as_usual_scores_nothing(llama):
    """One pair whose corrupt prompt is its clean one: no head departs from its reference."""
    pairs = toy_pairs(llama, n=1)
    same = type(pairs)(**{**vars(pairs), "corrupt": pairs.clean})
    # The two recordings are two passes: on some machines their last bits differ.
    assert np.abs(cdt(llama, same).values.values).max() < 1e-6
    assert np.abs(cdt(llama, same, reference="zero").values.values).max() > 1e-3


def test_heads_and_prompts_do_not_see_each_other(llama, monkeypatch):
    pairs = toy_pairs(llama, n=3, ragged=True)
    whole = cdt(llama, pairs, reference="zero").values
    monkeypatch.setitem(TOKENS, "cpu", 1)
    assert np.allclose(cdt(llama, pairs, reference="zero").values, whole, atol=1e-4)
    for prompt in range(3):
        alone = cdt(llama, pairs.select([prompt]), reference="zero").values
        assert np.allclose(alone.isel(prompt=0), whole.isel(prompt=prompt), atol=1e-4)


def test_memory_that_runs_out_halves_the_heads(llama, monkeypatch):
    pairs = toy_pairs(llama)
    whole, real = cdt(llama, pairs).values, room.Split._scores

    def small(self, layer, heads, usual):
        if len(heads) > 1:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        return real(self, layer, heads, usual)

    monkeypatch.setattr(room.Split, "_scores", small)
    assert np.allclose(cdt(llama, pairs).values, whole, atol=1e-4)


def test_soft_capped_logits_are_read_before_the_cap(model_of):
    model = model_of("gemma2")
    pairs = toy_pairs(model)
    told = cdt(model, pairs)
    direct = METHODS["dla"](model, pairs, by="component").values.sum("component")
    assert np.allclose(told.parts["clean"], direct, atol=1e-4)
    assert "before the soft cap" in told.notes["cap"]


def test_a_model_with_a_part_of_no_known_rule_is_refused(llama, monkeypatch):
    pairs = toy_pairs(llama)
    monkeypatch.setattr(room.Split, "_beside", lambda self, name, activation: 2 * activation)
    with pytest.raises(BadInput, match="cdt must know a rule for every part of the model"):
        cdt(llama, pairs)
    monkeypatch.undo()
    monkeypatch.setattr(room.Split, "_act", lambda self, layer: torch.tanh)
    with pytest.raises(BadInput, match=r"MLPs of the form act\(x\) or act\(gate\)"):
        cdt(llama, pairs)
