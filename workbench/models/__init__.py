"""Models: `load(ref)`, the catalogue, and a model's card. The only room that imports transformer_lens."""

from workbench.models.card import Card, card
from workbench.models.catalogue import CATALOGUE, Known
from workbench.models.find import on_disk, own_refs, revisions
from workbench.models.load import load

__all__ = ["CATALOGUE", "Card", "Known", "card", "load", "on_disk", "own_refs", "revisions"]
