"""Text in which phrases come again: what a small language model can learn from its weights, and what only from its context.

A text is '<s>', then words. Between phrases each word follows the last by a fixed table of followers, the same in all texts
(bigrams: to be learned by weights). A text has a few phrases of its own, of words drawn evenly: the first time nothing tells
them; from the second time on the context does, and an induction head reads it off.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from workbench.errors import BadInput, at_least
from workbench.tasks.words import word_list, word_pairs

# Ids below the words: '<s>' begins a text, '<pad>' is in none.
SPECIAL = ("<s>", "<pad>")
# The draws of test texts, which no training step has.
TEST = 2**31


@dataclass(frozen=True)
class Text:
    """What texts are made of.

    Attributes:
        words: Size of the vocabulary, without '<s>' and '<pad>'.
        followers: Words that may follow a word, the k-th with a weight of 1 / k.
        phrases: A text's own phrases.
        shortest, longest: Words of a phrase.
        often: How likely a phrase begins where one may.
        length: Tokens of a text, '<s>' among them.
        grammar: Seed of the table of followers.
    Raises:
        BadInput: When a number is out of range.
    """

    words: int = 96
    followers: int = 8
    phrases: int = 3
    shortest: int = 6
    longest: int = 12
    often: int | float = 0.2
    length: int = 104
    grammar: int = 0

    def __post_init__(self):
        for name, least in (("words", 4), ("followers", 1), ("phrases", 1), ("shortest", 2), ("length", 16), ("grammar", 0)):
            at_least(name, getattr(self, name), least)
        at_least("longest, the words of a phrase,", self.longest, self.shortest)
        if self.words > len(_vocabulary()):
            raise BadInput(f"words must be at most {len(_vocabulary())}, those in the lists; got {self.words}.")
        if self.followers > self.words:
            raise BadInput(f"followers must be at most words, {self.words}; got {self.followers}.")
        if 2 * self.longest >= self.length:
            raise BadInput(f"longest must leave room to come twice in {self.length} tokens; got {self.longest}.")
        if not 0 < self.often <= 1:
            raise BadInput(f"often must be above 0 and at most 1; got {self.often!r}.")

    def tokenizer(self) -> Any:
        """A tokenizer of one token per word, which puts '<s>' before a text."""
        from tokenizers import Tokenizer, decoders, models, pre_tokenizers
        from tokenizers.processors import TemplateProcessing
        from transformers import PreTrainedTokenizerFast

        words = {word: number for number, word in enumerate([*SPECIAL, *_vocabulary()[: self.words]])}
        made = Tokenizer(models.WordLevel(words, unk_token=SPECIAL[1]))
        made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
        # Words with a space between; the prefix, of which no word begins, would join them.
        made.decoder = decoders.WordPiece(prefix="##", cleanup=False)
        made.post_processor = TemplateProcessing(single=f"{SPECIAL[0]} $A", special_tokens=[(SPECIAL[0], 0)])
        return PreTrainedTokenizerFast(tokenizer_object=made, bos_token="<s>", pad_token="<pad>", eos_token="<pad>")

    def batch(self, seed: int, step: int, n: int) -> "Batch":
        """Texts that depend on seed and step alone; `TEST` as the step gives those of the test."""
        rng = np.random.default_rng([seed, step])
        sizes = rng.integers(self.shortest, self.longest + 1, (n, self.phrases))
        own = rng.integers(self.words, size=(n, self.phrases, self.longest))
        begins, which, drawn = rng.random((3, n, self.length))
        table, weights = self._followers()
        ranks = np.searchsorted(weights, drawn, side="right").clip(max=self.followers - 1)
        chosen = (which * self.phrases).astype(int)
        tokens, again = np.zeros((n, self.length), int), np.zeros((n, self.length), bool)
        words = rng.integers(self.words, size=n)
        phrase, place = np.full(n, -1), np.zeros(n, int)
        told, seen = np.zeros(n, bool), np.zeros((n, self.phrases), bool)
        each = np.arange(n)
        for at in range(1, self.length):
            new = (phrase < 0) & (begins[:, at] < self.often) & (at > 1)
            phrase, place = np.where(new, chosen[:, at], phrase), np.where(new, 0, place)
            told = np.where(new, seen[each, chosen[:, at]], told)
            seen[each[new], chosen[new, at]] = True
            inside = phrase >= 0
            following = words if at == 1 else table[words, ranks[:, at]]
            words = np.where(inside, own[each, phrase, place.clip(max=self.longest - 1)], following)
            tokens[:, at] = words + len(SPECIAL)
            # Nothing tells which phrase begins; what comes after its first word, its earlier copy does.
            again[:, at] = inside & told & (place > 0)
            place = place + 1
            phrase = np.where(inside & (place >= sizes[each, phrase]), -1, phrase)
        return Batch(torch.from_numpy(tokens), torch.from_numpy(again))

    def _followers(self) -> tuple[Int[np.ndarray, "word follower"], np.ndarray]:
        """The words that may follow each word, and the running sum of their shares."""
        rng = np.random.default_rng(self.grammar)
        table = np.stack([rng.permutation(self.words)[: self.followers] for _ in range(self.words)])
        share = 1 / np.arange(1, self.followers + 1)
        return table, np.cumsum(share / share.sum())


@dataclass(frozen=True, eq=False)
class Batch:
    """Texts, and where a phrase is told again, its first word left out."""

    tokens: Int[Tensor, "batch pos"]
    again: Bool[Tensor, "batch pos"]


@cache
def _vocabulary() -> list[str]:
    """Single words of the lists, in their order, each once."""
    listed = [*word_list("objects"), *(one for one, _ in word_pairs("nouns")), *word_list("places")]
    return list(dict.fromkeys(word for word in listed if word.isalpha()))
