"""Bursty sequences: each law of the task, on batches large enough to see it."""

import dataclasses

import numpy as np
import pytest
import torch

from workbench.dynamics import Setting, Worlds
from workbench.errors import BadInput

SMALL = Setting(classes=24, labels=6, items=4, burst=2, dim=5, longest=7, novel=12)


def content(batch, setting=SMALL):
    """Items and labels of a batch, [network, batch, item, dim]."""
    seen = batch.tokens[..., setting.places :]
    return seen[:, :, ::2], seen[:, :, 1::2]


def classes_of(batch, worlds, setting=SMALL, network=0):
    """Fixed classes of the items, by the nearest mean, and how far that is."""
    items, _ = content(batch, setting)
    start = int(worlds._starts[network])
    means = worlds.class_means[start : start + setting.classes]
    # Not by products, whose rounding would hide which classes are new.
    exact_mode = "donot_use_mm_for_euclid_dist"
    far, nearest = torch.cdist(items[network], means.expand(items.shape[1], -1, -1), compute_mode=exact_mode).min(-1)
    return nearest, far


def exact(**changes):
    """The small setting without noise, so that classes can be read off."""
    return dataclasses.replace(SMALL, noise=0, **changes)


def test_a_batch_depends_on_seed_and_step_alone():
    alone = Worlds([SMALL], [3])
    among = Worlds([SMALL, dataclasses.replace(SMALL, classes=12, burst=1), SMALL], [1, 2, 3])
    for step in (0, 7):
        one, other = alone.batch(step, 5), among.batch(step, 5)
        for name in ("tokens", "right", "context", "same"):
            assert torch.equal(getattr(one, name)[0], getattr(other, name)[2])
    assert torch.equal(alone.batch(7, 5).tokens, alone.batch(7, 5).tokens)
    assert not torch.equal(alone.batch(7, 5).tokens, alone.batch(8, 5).tokens)
    assert not torch.equal(alone.batch(0, 5).tokens, alone.test("ic", 5).tokens)
    one, other = Worlds([SMALL, SMALL], [1, 2]).batch(7, 50).context
    assert not torch.equal(one, other)
    assert not torch.equal(alone.batch(0, 50).context, alone.test("ic", 50).context)


def test_a_token_is_its_place_and_its_content():
    worlds = Worlds([exact()], [0])
    batch = worlds.batch(0, 400)
    assert batch.tokens.shape == (1, 400, 9, 15 + 5)
    place = batch.tokens[..., :15]
    assert (place.sum(-1) == 1).all()
    assert set(place.unique().tolist()) == {0.0, 1.0}
    where = place.argmax(-1)[0]
    assert (where.diff(dim=-1) == 1).all()
    assert set(where[:, 0].tolist()) == set(range(15 - 9 + 1))
    _, labels = content(batch)
    assert torch.equal(labels[0], worlds.label_means[0, batch.context[0]])


def test_without_a_shift_the_block_stands_first():
    place = Worlds([exact(shifted=False)], [0]).batch(0, 50).tokens[..., :15].argmax(-1)
    assert (place == torch.arange(9)).all()


@pytest.mark.parametrize("burst", [1, 2])
def test_a_bursty_context_shows_distinct_labels_each_so_often(burst):
    setting = exact(burst=burst)
    worlds = Worlds([setting], [0])
    batch = worlds.batch(0, 600)
    found, far = classes_of(batch, worlds, setting)
    assert far.max() < 1e-5
    context, target = found[:, :-1], found[:, -1]
    assert torch.equal(context % 6, batch.context[0])
    for row in context.tolist():
        assert sorted(row.count(one) for one in set(row)) == [burst] * (4 // burst)
        assert len({one % 6 for one in row}) == 4 // burst
    assert torch.equal(batch.same[0], context == target.unsqueeze(-1))
    assert (batch.same.sum(-1) == burst).all()
    assert torch.equal(batch.right[0], target % 6)
    # All classes, and all orders: the first two items are of one class as often as chance has it.
    assert set(context.flatten().tolist()) == set(range(24))
    if burst == 2:
        assert float((context[:, 0] == context[:, 1]).float().mean()) == pytest.approx(1 / 3, abs=0.06)
    shares = batch.same[0].float().mean(0) / burst
    assert torch.allclose(shares, torch.full((4,), 0.25), atol=0.06)


def test_other_sequences_draw_items_and_target_by_rank():
    setting = exact(p_burst=0.0, zipf=1.0)
    worlds = Worlds([setting], [0])
    found, _ = classes_of(worlds.batch(0, 4000), worlds, setting)
    chance = 1 / np.arange(1, 25)
    for column in (found[:, 0], found[:, -1]):
        share = np.bincount(column.numpy(), minlength=24) / 4000
        assert np.abs(share - chance / chance.sum()).max() < 0.03


def test_rank_plays_no_part_in_a_bursty_context():
    worlds = Worlds([exact(zipf=2.0)], [0])
    found, _ = classes_of(worlds.batch(0, 2000), worlds)
    assert np.bincount(found.flatten().numpy(), minlength=24).max() < 2 * found.numel() / 24


def test_shares_of_bursty_and_new_sequences():
    setting = exact(p_burst=0.3, p_novel=0.5, classes=600)
    worlds = Worlds([setting], [0])
    batch = worlds.batch(0, 3000)
    _, far = classes_of(batch, worlds, setting)
    novel = far[:, 0] > 1e-4
    assert float(novel.float().mean()) == pytest.approx(0.5, abs=0.04)
    repeated = batch.same[0].sum(-1) > 0
    assert repeated[novel].all()
    assert float(repeated[~novel].float().mean()) == pytest.approx(0.3, abs=0.05)


def test_new_classes_are_new_in_each_batch_and_of_the_right_label():
    worlds = Worlds([exact(p_novel=1.0)], [0])
    batch, other = worlds.batch(0, 300), worlds.batch(1, 300)
    items, _ = content(batch)
    kinds = items[0].flatten(0, 1).unique(dim=0)
    assert len(kinds) == 12
    assert torch.cdist(kinds, content(other)[0][0].flatten(0, 1)).min() > 1e-3
    # One class, one label.
    pairs = torch.cat([items[0, :, :-1].flatten(0, 1), batch.context[0].flatten().unsqueeze(-1).float()], -1)
    assert len(pairs.unique(dim=0)) == 12


def test_noise_keeps_the_length_of_items():
    setting = dataclasses.replace(SMALL, dim=400, noise=1.0)
    items, labels = content(Worlds([setting], [0]).batch(0, 200), setting)
    for seen in (items, labels):
        assert float(seen.square().sum(-1).mean()) == pytest.approx(1, abs=0.05)
    worlds = Worlds([dataclasses.replace(SMALL, dim=400, noise=0.1)], [0])
    batch = worlds.batch(0, 50)
    found, _ = classes_of(batch, worlds, worlds.one)
    centre = worlds.class_means[found] / (1 + 0.01) ** 0.5
    spread = (content(batch, worlds.one)[0][0] - centre).square().sum(-1).mean()
    assert float(spread) == pytest.approx(0.01 / 1.01, rel=0.05)


def test_the_tests_are_what_they_say():
    worlds = Worlds([exact(classes=60, p_burst=0.5, p_novel=0.5)], [0])
    new, moved, alone = (worlds.test(kind, 500) for kind in ("ic", "ic2", "iw"))
    setting = worlds.one
    assert classes_of(new, worlds, setting)[1].min() > 1e-3
    assert (new.same.sum(-1) == 2).all()
    found, far = classes_of(moved, worlds, setting)
    assert far.max() < 1e-5
    assert torch.equal(moved.context[0], (found[:, :-1] + 1) % 6)
    assert torch.equal(moved.right[0], (found[:, -1] + 1) % 6)
    shown = (moved.context == moved.right.unsqueeze(-1)) == moved.same
    assert shown.all()
    assert torch.equal(content(moved)[1][0], worlds.label_means[0, moved.context[0]])
    found, far = classes_of(alone, worlds, setting)
    assert far.max() < 1e-5
    assert torch.equal(alone.right[0], found[:, -1] % 6)
    # Whether the target stands in the context is chance: 1 - (1 - 1/60)^4.
    assert float((alone.same.sum(-1) > 0).float().mean()) == pytest.approx(1 - (59 / 60) ** 4, abs=0.03)


def test_networks_of_other_settings_do_not_mix():
    settings = [exact(classes=12), exact(classes=48, burst=1, p_burst=0.0), exact(p_novel=1.0)]
    worlds = Worlds(settings, [0, 1, 2])
    batch = worlds.batch(0, 100)
    for at, setting in enumerate(settings):
        own = Worlds([setting], [at])
        assert torch.equal(own.batch(0, 100).tokens[0], batch.tokens[at])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"burst": 3}, "burst must divide items, 8, and be less; got 3"),
        ({"burst": 8}, "burst must divide items, 8, and be less; got 8"),
        ({"classes": 16}, "classes must be a multiple of labels, 32; got 16"),
        ({"classes": 33}, "classes must be a multiple of labels, 32; got 33"),
        ({"novel": 100}, "novel must be a multiple of labels, 32; got 100"),
        ({"longest": 7}, "longest must be at least 8; got 7"),
        ({"items": 64, "burst": 1, "longest": 64}, "items / burst must be at most labels, 32"),
        ({"p_burst": 1.5}, "p_burst must be from 0 to 1; got 1.5"),
        ({"p_novel": float("nan")}, "p_novel must be from 0 to 1; got nan"),
        ({"noise": -1}, "noise must be at least 0; got -1"),
        ({"zipf": float("inf")}, "zipf must be finite; got inf"),
        ({"burst": 0}, "burst must be at least 1; got 0"),
    ],
)
def test_what_does_not_go_together_is_told(changes, said):
    with pytest.raises(BadInput) as caught:
        Setting(**changes)
    assert said in str(caught.value)


def test_a_field_that_is_not_there_is_told():
    with pytest.raises(BadInput, match=r"a field of Setting must be one of .* Did you mean 'items'"):
        Setting.fast(itmes=3)


def test_defaults_are_the_papers():
    own = Setting()
    assert (own.classes, own.labels, own.items, own.burst, own.noise, own.zipf) == (512, 32, 8, 2, 0.1, 0.0)
    assert (own.width, own.places, own.length) == (128, 65, 17)
    assert Setting.fast().width == 80
