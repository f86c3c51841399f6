"""Bursty sequences of items and labels: the task on which in-context learning appears abruptly, or does not.

A sequence shows N items, each followed by its label, and then one item more, whose label is asked for. Items are noisy copies
of their class's mean. Where the last item's class stands in the context the label can be read there; where the class is one of
the K fixed ones it can be known by heart. Burst B, and how often classes are new, decide which of the two pays.

Source: Reddy 2023, https://arxiv.org/abs/2312.03002, section 2, and the author's data code. What is drawn for a step depends
on the network's seed and the step alone, so that a run that goes on after a kill sees what it would have seen.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from workbench.errors import BadInput, at_least, one_of

# Streams of random numbers of one seed, so that no two uses share their draws.
MEANS, TRAIN, IC, IC2, IW, WEIGHTS = range(6)
TESTS = {"ic": IC, "ic2": IC2, "iw": IW}


@dataclass(frozen=True)
class Setting:
    """One task: what its sequences are made of.

    Attributes:
        classes: K, classes whose means are fixed; class k has label k mod L.
        labels: L.
        items: N, items in the context.
        burst: B, how often each class of a bursty context is shown; divides N.
        p_burst: Share of sequences with a bursty context, of those with fixed classes.
        p_novel: Share of sequences made of classes that are new in each batch; these are always bursty.
        noise: ε, the spread of items around their class's mean, which has length about 1.
        zipf: α; classes of sequences that are not bursty are drawn with chance ~ rank^-α.
        dim: D, numbers of a token's content.
        longest: Nmax; a token's place is one of 2 Nmax + 1.
        shifted: Whether the block stands at a random place; at the first where not.
        novel: New classes per batch, a multiple of L.
    Raises:
        BadInput: When these do not go together.
    """

    classes: int = 512
    labels: int = 32
    items: int = 8
    burst: int = 2
    p_burst: int | float = 1.0
    p_novel: int | float = 0.0
    noise: int | float = 0.1
    zipf: int | float = 0.0
    dim: int = 63
    longest: int = 32
    shifted: bool = True
    novel: int = 128

    def __post_init__(self):
        for name, least in (("labels", 2), ("items", 2), ("burst", 1), ("dim", 1), ("noise", 0), ("zipf", 0)):
            at_least(name, getattr(self, name), least)
        for name in ("p_burst", "p_novel"):
            if not 0 <= getattr(self, name) <= 1:
                raise BadInput(f"{name} must be from 0 to 1; got {getattr(self, name)!r}.")
        for name in ("noise", "zipf"):
            if not np.isfinite(getattr(self, name)):
                raise BadInput(f"{name} must be finite; got {getattr(self, name)!r}.")
        for name in ("classes", "novel"):
            if getattr(self, name) < self.labels or getattr(self, name) % self.labels:
                raise BadInput(f"{name} must be a multiple of labels, {self.labels}; got {getattr(self, name)}.")
        if self.items % self.burst or self.burst == self.items:
            raise BadInput(f"burst must divide items, {self.items}, and be less; got {self.burst}.")
        if self.items // self.burst > self.labels:
            raise BadInput(
                f"items / burst must be at most labels, {self.labels}, as a context shows each label for one class; "
                f"got {self.items // self.burst}. Use a larger burst or more labels."
            )
        at_least("longest", self.longest, self.items)

    @classmethod
    def fast(cls, **changes: object) -> "Setting":
        """The task made small: no room for longer contexts, no shift, new classes in every batch, no repeats."""
        given = {"burst": 1, "p_novel": 1.0, "longest": 8, "shifted": False, **changes}
        unknown = set(given) - {field.name for field in fields(cls)}
        if unknown:
            one_of("a field of Setting", sorted(unknown)[0], [field.name for field in fields(cls)])
        return cls(**given)

    @property
    def length(self) -> int:
        """Tokens of a sequence, 2N + 1."""
        return 2 * self.items + 1

    @property
    def places(self) -> int:
        """Numbers that tell a token's place, 2 Nmax + 1."""
        return 2 * self.longest + 1

    @property
    def width(self) -> int:
        """Numbers of a token: its place, one-hot, then its content."""
        return self.places + self.dim


@dataclass(frozen=True, eq=False)
class Batch:
    """Sequences of several networks.

    Attributes:
        tokens: x1 l1 … xN lN x; of each, its place and its content.
        right: The label asked for.
        context: Labels in the context, by item.
        same: Whether an item of the context is of the last item's class.
    """

    tokens: Float[Tensor, "network batch pos d_model"]
    right: Int[Tensor, "network batch"]
    context: Int[Tensor, "network batch item"]
    same: Bool[Tensor, "network batch item"]


class Worlds:
    """The fixed classes and labels of several networks, one for each seed, and the sequences made of them.

    Args:
        settings: One per network, alike in labels, items, dim, longest and novel.
        seeds: One per network.
        device: Where the tensors are.
    """

    def __init__(self, settings: Sequence[Setting], seeds: Sequence[int], device: str | torch.device = "cpu"):
        self.settings, self.seeds, self.device = list(settings), list(seeds), torch.device(device)
        self.one = self.settings[0]
        counts = np.array([setting.classes for setting in self.settings])
        self._classes = self._tensor(counts)
        self._starts = self._tensor(np.cumsum(counts) - counts)
        means = [_means(setting, seed) for setting, seed in zip(self.settings, self.seeds, strict=True)]
        self.label_means = self._tensor(np.stack([labels for labels, _ in means]))
        self.class_means = self._tensor(np.concatenate([classes for _, classes in means]))
        self._chances = self._tensor(_cumulative(self.settings))

    def batch(self, step: int, size: int) -> Batch:
        """The training batch of a step: it depends on a network's seed and setting and on the step alone."""
        return self._made("train", TRAIN, step, size)

    def test(self, kind: Literal["ic", "ic2", "iw"], size: int) -> Batch:
        """Sequences to test on, always the same.

        'ic': new classes, bursty: the label can only be read in the context. 'ic2': the fixed classes, bursty, each with the
        next class's label, l + 1 mod L, in the context, which is then right: the context against what is known by heart. 'iw':
        context and last item drawn from the fixed classes, each by itself: the context does not help.
        """
        one_of("test", kind, TESTS)
        return self._made(kind, TESTS[kind], 0, size)

    def _made(self, kind: str, stream: int, step: int, size: int) -> Batch:
        uniform, normal, fresh = self._drawn(stream, step, size)
        novel, classes, target = self._chosen(kind, uniform)
        labels = classes % self.one.labels
        right = target % self.one.labels
        if kind == "ic2":
            labels, right = (labels + 1) % self.one.labels, (right + 1) % self.one.labels
        items = self._items(torch.cat([classes, target.unsqueeze(-1)], -1), novel, normal, fresh)
        return Batch(self._tokens(items, labels, uniform[-1]), right, labels, classes == target.unsqueeze(-1))

    def _drawn(self, stream: int, step: int, size: int):
        """Random numbers by network: uniform ones by use, the noise of items, the means of new classes."""
        one, networks = self.one, len(self.seeds)
        uses = [one.labels, one.items, one.items, one.items + 1, 4]
        uniform = np.empty((networks, size, sum(uses)))
        normal = np.empty((networks, size, one.items + 1, one.dim), np.float32)
        fresh = np.empty((networks, one.novel, one.dim), np.float32)
        for at, seed in enumerate(self.seeds):
            rng = np.random.default_rng([seed, stream, step])
            rng.random(out=uniform[at])
            rng.standard_normal(out=normal[at], dtype=np.float32)
            rng.standard_normal(out=fresh[at], dtype=np.float32)
        return self._tensor(uniform).split(uses, -1), self._tensor(normal), self._tensor(fresh) / one.dim**0.5

    def _chosen(self, kind: str, uniform: Sequence[Tensor]):
        """Which sequences are of new classes, the classes of their items, and the last item's class."""
        order, within_label, shuffle, free, flags = uniform
        novel = flags[..., 0] < self._each("p_novel") if kind == "train" else torch.full_like(flags[..., 0] < 1, kind == "ic")
        bursty = novel | (flags[..., 1] < self._each("p_burst")) if kind == "train" else torch.full_like(novel, kind != "iw")
        # Labels first, without repeats, and then a class of each: so α plays no part in a bursty context.
        group = torch.arange(self.one.items, device=self.device) // self._each("burst", torch.int64)
        group = group.unsqueeze(1).expand(-1, novel.shape[1], -1)
        labels = order.argsort(-1).gather(-1, group)
        of_label = torch.where(novel, self.one.novel, self._classes.unsqueeze(-1)).unsqueeze(-1) // self.one.labels
        classes = labels + self.one.labels * (within_label.gather(-1, group) * of_label).long()
        classes = classes.gather(-1, shuffle.argsort(-1))
        slot = (flags[..., 2:3] * self.one.items).long()
        alone = torch.searchsorted(self._chances, free.flatten(1), right=True).view_as(free)
        together = torch.cat([classes, classes.gather(-1, slot)], -1)
        chosen = torch.where(bursty.unsqueeze(-1), together, alone)
        return novel, chosen[..., :-1], chosen[..., -1]

    def _items(self, classes: Tensor, novel: Tensor, noise: Tensor, fresh: Tensor) -> Tensor:
        """Items around their class's mean, of length about 1 whatever the noise."""
        means = torch.empty_like(noise)
        known = ~novel
        if known.any():
            means[known] = self.class_means[(classes + self._starts.view(-1, 1, 1))[known]]
        if novel.any():
            at = torch.arange(len(self.seeds), device=self.device).view(-1, 1, 1) * self.one.novel
            means[novel] = fresh.flatten(0, 1)[(classes + at)[novel]]
        spread = self._each("noise").view(-1, 1, 1, 1)
        return (means + spread / self.one.dim**0.5 * noise) / (1 + spread**2).sqrt()

    def _tokens(self, items: Tensor, labels: Tensor, flags: Tensor) -> Float[Tensor, "network batch pos d_model"]:
        one, (networks, size) = self.one, labels.shape[:2]
        tokens = torch.zeros(networks, size, one.length, one.width, device=self.device)
        tokens[:, :, ::2, one.places :] = items
        at = torch.arange(networks, device=self.device).view(-1, 1, 1)
        tokens[:, :, 1::2, one.places :] = self.label_means[at, labels]
        room = torch.tensor([float(setting.shifted) for setting in self.settings], device=self.device).view(-1, 1)
        shift = (flags[..., 3] * (one.places - one.length + 1) * room).long()
        place = torch.arange(one.length, device=self.device) + shift.unsqueeze(-1)
        return tokens.scatter_(-1, place.unsqueeze(-1), 1.0)

    def _each(self, name: str, dtype: torch.dtype = torch.float32) -> Tensor:
        """A field of every network's setting, [network, 1]."""
        values = [getattr(setting, name) for setting in self.settings]
        return torch.tensor(values, dtype=dtype, device=self.device).unsqueeze(-1)

    def _tensor(self, values: np.ndarray) -> Tensor:
        return torch.from_numpy(values).to(self.device)


def _means(setting: Setting, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Means of labels and of fixed classes: independent normal numbers, of length about 1."""
    rng = np.random.default_rng([seed, MEANS])
    drawn = rng.standard_normal((setting.labels + setting.classes, setting.dim), dtype=np.float32)
    return tuple(np.split(drawn / np.float32(setting.dim**0.5), [setting.labels]))


def _cumulative(settings: Sequence[Setting]) -> Float[np.ndarray, "network class"]:
    """Cumulated chances of the fixed classes; 1 beyond a network's last but one, so that no draw falls outside."""
    made = np.ones((len(settings), max(setting.classes for setting in settings)))
    for row, setting in zip(made, settings, strict=True):
        chance = np.arange(1, setting.classes + 1) ** -float(setting.zipf)
        row[: setting.classes - 1] = (np.cumsum(chance) / chance.sum())[:-1]
    return made
