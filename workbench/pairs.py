"""Pairs: a task's batch of aligned prompts, with right and wrong answers and named positions; checked when made.

Prompts of one pair have the same number of tokens, so that a position of one is a position of the other. Different pairs
may differ in length: they are padded on the right, where causal attention cannot see the padding.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from workbench.errors import BadInput
from workbench.result import canonical


@dataclass(frozen=True, eq=False)
class Pairs:
    """Aligned clean and corrupt prompts.

    Attributes:
        task: Id of the task, or 'custom'.
        clean: Token ids, padded on the right.
        corrupt: Token ids of the corrupted prompts, same shape.
        lengths: Tokens of each pair without the padding.
        right: Answers that are right on clean, as token ids; several count together.
        wrong: Answers that are wrong on clean, likewise.
        positions: Named positions, one per prompt: 'IO', 'S1', 'END', …. 'END' is where the metric reads.
        clean_strings: The clean prompts' tokens as text.
        corrupt_strings: The corrupt prompts' tokens as text.
        params: What the task was made with (n, seed, options); part of the Origin.
    """

    task: str
    clean: Int[Tensor, "batch pos"]
    corrupt: Int[Tensor, "batch pos"]
    lengths: Int[Tensor, "batch"]
    right: tuple[tuple[int, ...], ...]
    wrong: tuple[tuple[int, ...], ...]
    positions: Mapping[str, Int[Tensor, "batch"]]
    clean_strings: tuple[tuple[str, ...], ...]
    corrupt_strings: tuple[tuple[str, ...], ...]
    params: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return self.clean.shape[0]

    @property
    def end(self) -> Int[Tensor, "batch"]:
        """Where the metric reads each prompt."""
        return self.positions["END"]

    @property
    def differs(self) -> Bool[Tensor, "batch pos"]:
        """True where the clean and the corrupt token differ."""
        return self.clean != self.corrupt

    @property
    def same_layout(self) -> bool:
        """True when all prompts have one length and every named position is the same in all of them."""
        one_length = bool((self.lengths == self.lengths[0]).all())
        return one_length and all(bool((where == where[0]).all()) for where in self.positions.values())

    def part(self, rows: slice) -> "Pairs":
        """Some of the pairs in a row."""
        prompts = range(*rows.indices(len(self)))
        return self if len(prompts) == len(self) else self.select(prompts)

    def select(self, prompts: Sequence[int]) -> "Pairs":
        """Some of the pairs, by index."""
        index = torch.as_tensor(list(prompts))
        # A selection of a selection is named by the pairs as the task made them.
        before = self.params.get("prompts") or range(len(self))
        longest = int(self.lengths[index].max())
        return Pairs(
            task=self.task,
            clean=self.clean[index, :longest],
            corrupt=self.corrupt[index, :longest],
            lengths=self.lengths[index],
            right=tuple(self.right[i] for i in prompts),
            wrong=tuple(self.wrong[i] for i in prompts),
            positions={name: where[index] for name, where in self.positions.items()},
            clean_strings=tuple(self.clean_strings[i] for i in prompts),
            corrupt_strings=tuple(self.corrupt_strings[i] for i in prompts),
            params={**self.params, "prompts": [int(before[i]) for i in prompts]},
        )

    def digest(self) -> str:
        """Hash of everything a result depends on: tokens, answers, positions."""
        content = {
            "clean": self.clean.tolist(),
            "corrupt": self.corrupt.tolist(),
            "lengths": self.lengths.tolist(),
            "right": [list(ids) for ids in self.right],
            "wrong": [list(ids) for ids in self.wrong],
            "positions": {name: where.tolist() for name, where in self.positions.items()},
        }
        return hashlib.sha256(canonical(content).encode()).hexdigest()[:16]


def token_strings(tokenizer: Any, ids: Sequence[int]) -> tuple[str, ...]:
    """Each token as the text it stands for (' Mary', '1', '\\n')."""
    return tuple(tokenizer.decode([int(token)], clean_up_tokenization_spaces=False) for token in ids)


def encode(tokenizer: Any, text: str) -> list[int]:
    """Token ids of `text` as the model's own tokenizer makes them, its BOS included if it adds one by itself."""
    return list(tokenizer(text)["input_ids"])


def pairs_from_ids(
    tokenizer: Any,
    task: str,
    clean: Sequence[Sequence[int]],
    corrupt: Sequence[Sequence[int]],
    right: Sequence[Sequence[int]],
    wrong: Sequence[Sequence[int]],
    positions: Mapping[str, Sequence[int]] | None = None,
    params: Mapping[str, Any] | None = None,
) -> Pairs:
    """Check aligned prompts and make Pairs of them.

    Args:
        tokenizer: The model's tokenizer, for the tokens' text.
        task: Id of the task, for messages.
        clean: Token ids of each clean prompt.
        corrupt: Token ids of each corrupt prompt, as long as its partner.
        right: Token ids of the answers right on clean, one or more each.
        wrong: Token ids of the wrong answers, one or more each, none of them right.
        positions: Named positions, an index per prompt. 'END' is added: the last token.
        params: What the task was made with.
    Returns:
        Pairs.
    Raises:
        BadInput: When there are no pairs, a pair's lengths differ, an answer is missing, or an answer is right and wrong.
    """
    if not clean:
        raise BadInput(f"{task}: the pairs must be at least 1; got 0. Give some rows.")
    for index, (one, other) in enumerate(zip(clean, corrupt, strict=True)):
        check_aligned(tokenizer, task, index, one, other)
        check_answers(tokenizer, task, index, right[index], wrong[index])
    longest = max(map(len, clean))
    pad = getattr(tokenizer, "pad_token_id", None) or 0
    lengths = torch.tensor([len(prompt) for prompt in clean])
    named = {name: torch.tensor(list(where)) for name, where in (positions or {}).items()}
    named.setdefault("END", lengths - 1)
    for name, where in named.items():
        outside = ((where < 0) | (where >= lengths)).nonzero().flatten().tolist()
        if outside:
            at = outside[0]
            raise BadInput(
                f"{task}: position {name} must be from 0 to {int(lengths[at]) - 1}; got {int(where[at])} in pair {at + 1}."
            )
    return Pairs(
        task=task,
        clean=torch.tensor([list(prompt) + [pad] * (longest - len(prompt)) for prompt in clean]),
        corrupt=torch.tensor([list(prompt) + [pad] * (longest - len(prompt)) for prompt in corrupt]),
        lengths=lengths,
        right=tuple(tuple(map(int, ids)) for ids in right),
        wrong=tuple(tuple(map(int, ids)) for ids in wrong),
        positions=named,
        clean_strings=tuple(token_strings(tokenizer, prompt) for prompt in clean),
        corrupt_strings=tuple(token_strings(tokenizer, prompt) for prompt in corrupt),
        params=dict(params or {}),
    )


def check_aligned(tokenizer: Any, task: str, index: int, clean: Sequence[int], corrupt: Sequence[int]) -> None:
    """Raise BadInput unless the two prompts of a pair have the same number of tokens, and at least one."""
    if not len(clean):
        raise BadInput(f"{task}: a prompt must have at least 1 token; pair {index + 1} is empty.")
    if len(clean) == len(corrupt):
        return
    one, other = token_strings(tokenizer, clean), token_strings(tokenizer, corrupt)
    raise BadInput(
        f"{task}: clean and corrupt prompts must have the same number of tokens; pair {index + 1} has {len(one)} and "
        f"{len(other)}: {_split(one)} against {_split(other)}. Use words that are as many tokens long in both."
    )


def check_answers(tokenizer: Any, task: str, index: int, right: Sequence[int], wrong: Sequence[int]) -> None:
    """Raise BadInput unless there are right and wrong answers and none is both."""
    if not len(right) or not len(wrong):
        raise BadInput(f"{task}: a pair must have a right and a wrong answer; pair {index + 1} lacks one.")
    both = set(right) & set(wrong)
    if both:
        token = token_strings(tokenizer, [next(iter(both))])[0]
        raise BadInput(f"{task}: the wrong answer must differ from the right one; pair {index + 1} has {token!r} for both.")


def _split(strings: Sequence[str]) -> str:
    return "|".join(text.replace("\n", "\\n") for text in strings)
