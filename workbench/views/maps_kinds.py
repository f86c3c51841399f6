"""The kinds of cells that maps are made of: what is replaced, and along which axes."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """What cells a map has.

    Attributes:
        title: What they are, in a few words.
        site: What is replaced.
        by: The axes of a cell.
    """

    title: str
    site: str
    by: tuple[str, ...]


KINDS = {
    "heads": Kind("Heads", "z", ("layer", "head")),
    "positions": Kind("Heads by position", "z", ("layer", "head", "pos")),
    "stream": Kind("Residual stream", "resid_pre", ("layer", "pos")),
    "attention": Kind("Attention outputs", "attn_out", ("layer", "pos")),
    "mlp": Kind("MLP outputs", "mlp_out", ("layer", "pos")),
    "q": Kind("Queries", "q", ("layer", "head")),
    "k": Kind("Keys", "k", ("layer", "head")),
    "v": Kind("Values", "v", ("layer", "head")),
    "pattern": Kind("Attention patterns", "pattern", ("layer", "head")),
}
