"""Three small tokenizers that cut numbers in three ways, made on the spot of the tasks' own words."""

import re
from collections.abc import Iterable
from importlib import import_module

import pytest
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from workbench.tasks import TASKS
from workbench.tasks.words import word_list

TWOS = r" ?\d\d|\d"
LISTS = ("men", "women", "places", "objects", "events", "arguments", "words", "nouns", "capitals")


def corpus() -> list[str]:
    """All words of the lists, in running text, and all sentences of the tasks."""
    words = [word for name in LISTS for line in word_list(name) for word in line.split()]
    modules = [import_module(f"workbench.tasks.{name}") for name in TASKS]
    sentences = [sentence for module in modules for sentence in getattr(module, "TEMPLATES", ())]
    frames = [
        "The war lasted from the year to the year",
        'def a(self, a):\n    """Return a a\n\n    :param a: a\n    :param',
        "a he she is are was were has have",
        "Mary gave it to John gave (Mary",
    ]
    return [f"a {word}" for word in words] + [re.sub(r"\{\w+\}", "", text) for text in sentences] + frames


def word_level(numbers: str, digits: int, without: Iterable[str] = (), extra: Iterable[str] = ()) -> PreTrainedTokenizerFast:
    """One token for each word with its space, and for each run of digits that `numbers` matches; less or more some."""
    pattern = rf" ?[A-Za-z']+|{numbers}| ?[^\sA-Za-z\d]+|\s"
    pieces = {piece for text in corpus() for piece in re.findall(pattern, text)}
    pieces |= {space + str(number).zfill(width) for width in range(1, digits + 1) for number in range(10**width)
               for space in ("", " ")}  # fmt: skip
    pieces = {piece for piece in pieces if piece.strip() not in set(without)} | {" ", *extra}
    vocab = {piece: index for index, piece in enumerate(["<unk>", "<s>", *sorted(pieces)])}
    raw = Tokenizer(models.WordLevel(vocab, unk_token="<unk>"))
    raw.pre_tokenizer = pre_tokenizers.Split(Regex(pattern), "isolated")
    raw.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(tokenizer_object=raw, unk_token="<unk>", bos_token="<s>")


def byte_level() -> PreTrainedTokenizerFast:
    """Byte pairs with single digits, which begins each text with BOS by itself."""
    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    raw.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=8000, special_tokens=["<s>"], initial_alphabet=alphabet, show_progress=False)
    raw.train_from_iterator(corpus(), trainer)
    raw.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    return PreTrainedTokenizerFast(tokenizer_object=raw, bos_token="<s>")


@pytest.fixture(scope="session")
def words():
    """Whole words, two digits to a token as in GPT-2, no BOS by itself."""
    return word_level(TWOS, digits=2)


@pytest.fixture(scope="session")
def threes():
    """Whole words, up to three digits to a token and no space in it, as in Llama 3."""
    return word_level(r"\d{1,3}", digits=3)


@pytest.fixture(scope="session")
def bytes_():
    """Byte pairs, single digits, a BOS of its own."""
    return byte_level()


@pytest.fixture(scope="session", params=["words", "bytes_"])
def tokenizer(request):
    """Each of the two that all tasks must work with."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="session")
def poor():
    """A tokenizer that knows hardly any word."""
    raw = Tokenizer(models.WordLevel({"<unk>": 0, "a": 1, "Mary": 2, "John": 3, "to": 4}, unk_token="<unk>"))
    raw.pre_tokenizer = pre_tokenizers.Whitespace()
    raw.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(tokenizer_object=raw, unk_token="<unk>")


def at(pairs, index: int, name: str, side: str = "clean") -> str:
    """The word at a named position of a pair."""
    return getattr(pairs, f"{side}_strings")[index][int(pairs.positions[name][index])].strip()


def strip(strings) -> list[str]:
    """Tokens without their spaces."""
    return [text.strip() for text in strings]


def texts(tokenizer, ids) -> list[str]:
    """Answers' tokens as words."""
    return [tokenizer.decode([token]).strip() for token in ids]
