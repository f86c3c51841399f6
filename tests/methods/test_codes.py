"""Discrete codes: the head that says something else on clean prompts is found, the others are not."""

import numpy as np
import pytest
import torch

from tests.conftest import toy_pairs
from tests.methods.conftest import HEAD, prompts
from workbench.errors import BadInput
from workbench.methods import METHODS
from workbench.methods.codes import Autoencoder, shares

codes = METHODS["codes"]
HEADS, D_HEAD, PROMPTS, PLANTED = 7, 11, 12, 3


def planted(seed: int = 0):
    """Outputs [clean or corrupt, prompt, head, d_head]: every head says one of three words, one says its own on clean."""
    drawn = torch.Generator().manual_seed(seed)
    words = torch.linalg.qr(torch.randn(D_HEAD, D_HEAD, generator=drawn)).Q[:5]
    said = torch.randint(0, 3, (PROMPTS, HEADS), generator=drawn).expand(2, -1, -1).clone()
    said[1] = said[1].roll(1, 0)
    said[0, :, PLANTED] = 3 + said[0, :, PLANTED] % 2
    return 2 * words[said] + 0.05 * torch.randn(2, PROMPTS, HEADS, D_HEAD, generator=drawn)


@pytest.mark.parametrize("seed", range(3))
def test_the_planted_head_is_found(seed):
    outputs = planted(seed)
    trained = Autoencoder(outputs.flatten(0, -2), 64, 300, 0.01, 0.01, seed)
    found = trained.codes(outputs).unsqueeze(2)
    told = shares(found[0], found[1])[0]
    assert told[PLANTED] == 1.0
    # Not zero: two features may share a word, and the noise then says which of them is the stronger.
    assert told[[head for head in range(HEADS) if head != PLANTED]].max() < 0.25


def test_training_rebuilds_what_no_training_does_not_and_the_penalty_thins_the_features():
    examples = planted().flatten(0, -2)

    def trained(epochs, l1):
        made = Autoencoder(examples, 16, epochs, l1, 0.01, 0)
        error = (made.rebuilt(examples) - examples).pow(2).mean().item()
        return error, (made._before(examples) > 0).double().sum(-1).mean().item(), made

    assert trained(300, 0.01)[0] < 0.02 < trained(1, 0.01)[0]
    assert trained(300, 0.5)[1] < trained(300, 0.0)[1]
    assert torch.allclose(trained(20, 0.01)[2].weight.norm(dim=1), torch.ones(16), atol=1e-6)


def test_shares_on_paper():
    clean = torch.tensor([[[1, 5]], [[2, 5]], [[3, 6]], [[1, 7]]])
    corrupt = torch.tensor([[[2, 5]], [[2, 6]], [[4, 7]], [[4, 8]]])
    assert shares(clean, corrupt).tolist() == [[0.75, 0.0]]


def test_only_heads_that_read_the_token_have_codes_of_their_own(byhand):
    """Heads 0 and 1 of layer 0 share the value that holds the token; every other head puts out zeros."""
    pairs = prompts(byhand, n=3)
    told = codes(byhand, pairs, n_features=32)
    others = told.values.where((told.values.layer > 0) | (told.values["head"] > HEAD), 0)
    assert not others.values.any()
    # Clean prompts hold the tokens 2, 3 and 4, corrupt ones 3, 4 and 5: one of three is new.
    assert told.values.sel(layer=0, head=[0, HEAD]).values.tolist() == pytest.approx([1 / 3, 1 / 3])


def test_scores_are_made_of_the_codes_in_the_parts(llama):
    told = codes(llama, toy_pairs(llama, n=5))
    code = told.parts["code"]
    assert code.dims == ("run", "layer", "head", "prompt")
    for layer in range(3):
        for head in range(4):
            clean, corrupt = (code.sel(run=run, layer=layer, head=head).values for run in ("clean", "corrupt"))
            assert told.values.sel(layer=layer, head=head).item() == pytest.approx(np.mean(~np.isin(clean, corrupt)))
    assert told.parts["error"].dims == ("layer", "head")
    assert f"{code.to_series().nunique()} of 64" in told.notes["codes"]


def test_the_end_is_where_the_metric_reads_and_padding_is_not_seen(llama):
    pairs = toy_pairs(llama, n=4, ragged=True)
    longer = type(pairs)(
        **{
            **vars(pairs),
            "clean": torch.nn.functional.pad(pairs.clean, (0, 2), value=9),
            "corrupt": torch.nn.functional.pad(pairs.corrupt, (0, 2), value=9),
        }
    )
    for at in ("end", "mean"):
        one, other = (codes(llama, each, at=at, epochs=5) for each in (pairs, longer))
        assert np.allclose(one.parts["error"], other.parts["error"], atol=1e-5), at
    ends, means = (codes(llama, pairs, at=at, epochs=5).parts["error"] for at in ("end", "mean"))
    assert float(np.abs(ends - means).max()) > 1e-3


def test_softmax_sums_to_one_and_keeps_the_order(llama):
    pairs = toy_pairs(llama)
    share, weight = codes(llama, pairs), codes(llama, pairs, normalise="softmax")
    assert float(weight.values.sum()) == pytest.approx(1)
    ratio = np.log(weight.values) - share.values
    assert float(ratio.max() - ratio.min()) == pytest.approx(0, abs=1e-12)


def test_the_seed_decides(llama):
    pairs = toy_pairs(llama)
    assert not codes(llama, pairs, seed=1).parts["code"].equals(codes(llama, pairs).parts["code"])


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (dict(n_features=1), "n_features must be at least 2; got 1"),
        (dict(epochs=0), "epochs must be at least 1; got 0"),
        (dict(l1=-1), "l1 must be at least 0; got -1"),
        (dict(lr=0.0), "lr must be over 0; got 0.0"),
    ],
)
def test_numbers_out_of_range_are_told(llama, asked, said):
    with pytest.raises(BadInput, match=said):
        codes(llama, toy_pairs(llama), **asked)
