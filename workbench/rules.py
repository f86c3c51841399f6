"""Backward rules of relevance propagation: `with relevance(model): …` keeps the forward pass and changes the backward one.

Source: Rezaei Jafari et al. 2025, Relevance Patching, https://arxiv.org/abs/2508.21258, and the rules its code applies:

* ``ln``: the divisor of a norm is a constant; centring stays linear. Every norm of the stream: before the sublayers, after
  them (Gemma-2), and the final one. Norms of queries and keys (Qwen-3) keep their ordinary gradient.
* ``identity``: a pointwise activation passes relevance as x · (act(x)/x), the ratio a constant. ReLU needs no rule: its
  gradient is that ratio.
* ``half``: of a gated product act(gate) · up, each branch gets half its gradient; `identity` acts on act inside.
* ``ah``: the attention pattern is a constant; queries and keys get none. Off by default, as in the paper's experiments.

Everything linear keeps its gradient; so do the tanh soft caps, for which the source has no rule. On a model without
biases, with all four rules, sum_i h_i · dm/dh_i = m at every layer (each piece is then homogeneous of degree 1).

Each rule is written as `value + (r - r.detach())`: zero is added to the forward pass, to the last bit, and the backward
pass goes through r alone.
"""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from workbench.errors import BadInput, one_of
from workbench.hooks import hooked

Rule = Literal["ln", "identity", "half", "ah"]
RULES = get_args(Rule)
DEFAULT = ("ln", "identity", "half")
# The source's stabiliser of act(x)/x.
EPSILON = 1e-6
NORMS = ("ln1", "ln1_post", "ln2", "ln2_post")


@contextmanager
def relevance(model: Any, rules: Sequence[str] = DEFAULT) -> Iterator[None]:
    """Context in which gradients through the model follow the rules; its logits stay what they are.

    Args:
        model: The model.
        rules: Which of 'ln', 'identity', 'half', 'ah' apply.
    Raises:
        BadInput: When there is no such rule, or an MLP is of a make the rules cannot be applied to.
    """
    for rule in rules:
        one_of("rule", rule, RULES)
    with ExitStack() as stack, warnings.catch_warnings():
        # The library warns that an edited norm is computed by its own formula and not by transformers'.
        warnings.filterwarnings("ignore", message=".*hook_scale/hook_normalized.*")
        for block in model.blocks:
            if "ln" in rules:
                for name in NORMS:
                    if hasattr(block, name):
                        stack.enter_context(hooked(getattr(block, name).hook_scale, _constant))
            if "ah" in rules:
                stack.enter_context(hooked(block.attn.hook_pattern, _constant))
            if hasattr(block, "mlp"):
                _hook_mlp(stack, block.mlp, rules)
        if "ln" in rules:
            stack.enter_context(hooked(model.ln_final.hook_scale, _constant))
        yield


def _constant(activation: Tensor) -> Tensor:
    return activation.detach()


def _with_gradient_of(value: Tensor, through: Tensor) -> Tensor:
    """`value` forwards, `through` backwards."""
    return value.detach() + (through - through.detach())


def _hook_mlp(stack: ExitStack, mlp: Any, rules: Sequence[str]) -> None:
    if "identity" not in rules and "half" not in rules:
        return
    seen: dict[str, Tensor] = {}

    def keeper(name: str) -> Callable[[Tensor], None]:
        def keep(activation: Tensor) -> None:
            seen[name] = activation

        return keep

    gated = hasattr(mlp, "gate")
    if not gated and not hasattr(mlp, "in"):
        raise BadInput(f"relevance rules must have an MLP they know; got {type(mlp).__name__}. Use `atp` on this model.")
    # One hook on each place: in a gated MLP `gate` holds what the activation sees, and `in` the branch it multiplies.
    stack.enter_context(hooked((mlp.gate if gated else getattr(mlp, "in")).hook_out, keeper("pre")))
    if gated:
        stack.enter_context(hooked(getattr(mlp, "in").hook_out, keeper("up")))
        act = _activation(mlp)
        write = lambda product: _gated(seen["pre"], seen["up"], product, act, rules)  # noqa: E731
    elif "identity" in rules:
        write = lambda post: _with_gradient_of(post, _identity(seen["pre"], post))  # noqa: E731
    else:
        return
    stack.enter_context(hooked(mlp.out.hook_in, write))


def _identity(pre: Tensor, post: Tensor) -> Tensor:
    """pre · (post/pre) with a constant ratio, 0 where pre is 0 (the source's stabiliser)."""
    pre_safe = pre + EPSILON * (torch.sign(pre) + (pre == 0))
    return pre * (post / pre_safe).detach()


def _gated(pre: Tensor, up: Tensor, product: Tensor, act: Callable[[Tensor], Tensor], rules: Sequence[str]) -> Tensor:
    gate = act(pre)
    if not torch.allclose(gate * up, product, rtol=1e-2, atol=1e-3 * float(product.detach().abs().max()) + 1e-12):
        raise BadInput("relevance rules must have a gated MLP of the form act(gate) * up; this model's differs. Use `atp`.")
    if "identity" in rules:
        gate = _identity(pre, gate.detach())
    through = gate * up
    return _with_gradient_of(product, through / 2 if "half" in rules else through)


def _activation(mlp: Any) -> Callable[[Tensor], Tensor]:
    act = getattr(mlp.original_component, "act_fn", None)
    if act is None:
        raise BadInput("relevance rules must know the activation of a gated MLP; this model names none. Use `atp`.")
    return act
