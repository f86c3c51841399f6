"""The names of places in a model to read or write: one name for each place, whatever the library calls it.

A bridged model has two names for many places, and a hook set under both fires twice. Here a `Site` is our name and a
layer; `hook_point` finds the one HookPoint behind it and says which sites a model lacks, and why.

Shapes, by site:

* ``resid_pre resid_mid resid_post attn_out mlp_out``: [batch pos d_model]
* ``z`` (head outputs before W_O) and ``q``: [batch pos head d_head]
* ``k v``: [batch pos kv_head d_head]; in grouped-query models several heads share one
* ``mlp_in`` (what the MLP is given, after its norm): [batch pos d_model]; read and written by edges only
* ``pattern`` (after the softmax) and ``scores`` (before it): [batch head query key]

In models with a norm after the sublayer (Gemma-2), attn_out and mlp_out are what is added to the stream: after that norm.
`resid_mid` does not exist where attention and MLP read the same stream in parallel (GPT-NeoX).
"""

from typing import Any, Literal, NamedTuple
from weakref import WeakKeyDictionary

from workbench.errors import BadInput, one_of, within


class Site(NamedTuple):
    """A place in a model: `name` at `layer`."""

    name: str
    layer: int

    def __str__(self) -> str:
        return f"{self.name} of layer {self.layer}"


SiteName = Literal["resid_pre", "q", "k", "v", "pattern", "z", "attn_out", "resid_mid", "mlp_out", "resid_post"]

# What the library calls each place; in the order in which a block computes them.
HOOKS = {
    "resid_pre": "hook_resid_pre",
    "q": "attn.hook_q",
    "k": "attn.hook_k",
    "v": "attn.hook_v",
    "scores": "attn.hook_attn_scores",
    "pattern": "attn.hook_pattern",
    "z": "attn.hook_z",
    "attn_out": "hook_attn_out",
    "resid_mid": "hook_resid_mid",
    "mlp_in": "mlp.hook_in",
    "mlp_out": "hook_mlp_out",
    "resid_post": "hook_resid_post",
}
STREAM = ("resid_pre", "attn_out", "resid_mid", "mlp_out", "resid_post")
HEADS = ("z", "q", "k", "v", "pattern")
KEY_VALUE = ("k", "v")


def n_heads(model: Any, name: str) -> int:
    """How many heads a site has in this model: key-value heads for k and v, query heads otherwise."""
    if name in KEY_VALUE and getattr(model.cfg, "n_key_value_heads", None):
        return model.cfg.n_key_value_heads
    return model.cfg.n_heads


def hook_point(model: Any, site: Site) -> Any:
    """The HookPoint of a site.

    Raises:
        BadInput: When there is no such site, layer, or the model lacks the place.
    """
    one_of("site", site.name, HOOKS)
    within("layer", site.layer, 0, model.cfg.n_layers)
    missing = why_missing(model, site.name)
    if missing:
        raise BadInput(missing)
    return hook_points(model)[f"blocks.{site.layer}.{HOOKS[site.name]}"]


_points: WeakKeyDictionary[Any, tuple[int, dict[str, Any]]] = WeakKeyDictionary()


def hook_points(model: Any) -> dict[str, Any]:
    """All HookPoints of a model by name, gathered once.

    The library gathers them anew whenever it is asked, from a registry that it fills once: half a millisecond for thirty
    layers, and a recorded run asks for over a hundred.
    """
    size = len(model._hook_registry)
    if model not in _points or _points[model][0] != size:
        _points[model] = size, model.hook_dict
    return _points[model][1]


def why_missing(model: Any, name: str) -> str | None:
    """Why the model has no such site, or None if it has."""
    if f"blocks.0.{HOOKS[name]}" in hook_points(model):
        return None
    if name == "resid_mid" and getattr(model.cfg, "parallel_attn_mlp", False):
        return (
            f"site must be a place this model has; got 'resid_mid', and in {model.cfg.model_name} attention and MLP read "
            "the same stream in parallel. Use 'resid_pre' or 'resid_post'."
        )
    return f"site must be a place this model has; got {name!r}, which {model.cfg.model_name} lacks."
