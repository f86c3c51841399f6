"""Composition scores of heads: how much of what one writes, another reads, relative to what their sizes would allow.

Of component i of a writer, C_i = |b_i R| / |R|, R the reader's matrix: the component's strength cancels. Of the whole writer
C = |W_OV R| / (|W_OV| |R|), and C² is the mean of C_i² weighted by the squared strengths: so one pass over components gives
both. A direction drawn at random has C near 1 / sqrt(d_model).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from workbench import progress
from workbench.channels.weights import Heads

# A score this small is none: a direction drawn at random in a model of 8,192 dimensions has ten times as much.
LEAST = 1e-3


@dataclass(frozen=True, eq=False)
class Block:
    """Scores of all components of one writing layer against all readers of one later layer through one slot.

    Attributes:
        slot, writer, reader: Slot, and the two layers.
        scores: C_i.
        full: C of the whole writers.
    """

    slot: str
    writer: int
    reader: int
    scores: Float[Tensor, "head component reader"]
    full: Float[Tensor, "head reader"]


def blocks(heads: Heads, slots: tuple[str, ...] = ("q", "k", "v"), rotations: int = 0, seed: int = 0) -> Iterator[Block]:
    """Score every component against every later head; with `rotations`, after turning each writer's components at random.

    A rotation mixes the directions that a head writes among each other and leaves the space they span: what it has of the
    reader's directions stays, and only whether single components hold it changes.
    """
    with progress.bar("composition", heads.n_layers - 1, unit="layer") as bar:
        for reader in range(1, heads.n_layers):
            for slot in slots:
                read = heads.reader(reader, slot)
                for writer in range(reader):
                    made = heads.components(writer)
                    directions, share = made.writes, made.share
                    for turn in range(max(1, rotations)):
                        if rotations:
                            directions = turned(made.writes, seed + turn * heads.n_layers + writer)
                        yield _block(slot, writer, reader, directions, share, read)
            bar.advance(1)


def pair_block(heads: Heads, slot: str, writer: int, reader: int) -> Block:
    """All components of one layer against the readers of one later layer."""
    made = heads.components(writer)
    return _block(slot, writer, reader, made.writes, made.share, heads.reader(reader, slot))


def _block(slot: str, writer: int, reader: int, directions: Tensor, share: Tensor, read: Tensor) -> Block:
    count, components, width = directions.shape
    # [writer·component, d_model] @ [d_model, reader·d_head]: one product per pair of layers.
    product = directions.reshape(-1, width) @ read.permute(1, 0, 2).reshape(width, -1)
    square = product.view(count, components, len(read), -1).square().sum(-1)
    return Block(slot, writer, reader, square.sqrt(), (square * share.unsqueeze(-1)).sum(1).sqrt())


def crossed(
    heads: Heads, slot: str, writer: tuple[int, int], reader: tuple[int, int]
) -> tuple[Float[Tensor, "component reading"], Float[Tensor, "reading"]]:
    """Scores of every component of a writer against every component of a reader's matrix, and the latter's squared shares.

    Both are directions of the stream: a score is the size of their cosine. Weighted by the shares, the squared scores of a
    component add up to C_i².
    """
    reads, strength, _ = torch.linalg.svd(heads.reader(reader[0], slot)[reader[1]], full_matrices=False)
    return (heads.components(writer[0]).writes[writer[1]] @ reads).abs(), strength.square()


def turned(directions: Float[Tensor, "head component d_model"], seed: int) -> Float[Tensor, "head component d_model"]:
    """Orthonormal directions of the same spaces, drawn evenly."""
    generator = torch.Generator().manual_seed(seed)
    count, components, _ = directions.shape
    drawn = torch.randn(count, components, components, generator=generator).to(directions)
    q, r = torch.linalg.qr(drawn)
    # Without the signs of R's diagonal the draw would not be even (Mezzadri 2007).
    q = q * r.diagonal(dim1=-2, dim2=-1).sign().unsqueeze(-2)
    return q @ directions


def robust(
    scores: Float[Tensor, "head component reader"], among: Float[Tensor, "head other reader"] | None = None
) -> Float[Tensor, "head component reader"]:
    """How far each component stands out of its head, or of others: deviations from the median over 1.4826 times their median.

    A spread below `LEAST` is taken for that: of a head that writes almost nothing all deviations are small.
    """
    others = scores if among is None else among
    centre = others.median(1, keepdim=True).values
    spread = 1.4826 * (others - centre).abs().median(1, keepdim=True).values
    return (scores - centre) / spread.clamp(min=LEAST)
