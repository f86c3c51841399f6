"""GGUF files, dequantised through transformers' own reader."""

from os.path import isfile
from pathlib import Path
from typing import Any

from workbench.errors import BadInput

MAGIC = b"GGUF"


def check_gguf(file: Path) -> None:
    """Raise BadInput unless the file exists and starts as a GGUF file does."""
    if not isfile(file):
        raise BadInput(f"model ref must be a file that exists; got {str(file)!r}.")
    with file.open("rb") as stream:
        if stream.read(4) != MAGIC:
            raise BadInput(f"model ref must be a GGUF file; got {str(file)!r}, which does not start with 'GGUF'.")


def read_gguf(file: Path, dtype: str) -> tuple[Any, Any]:
    """A transformers model with dequantised weights, and its tokenizer.

    Raises:
        BadInput: When transformers cannot read this file or its architecture.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    check_gguf(file)
    try:
        model = AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=file.name, dtype=getattr(torch, dtype))
        tokenizer = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)
    except (ValueError, KeyError, NotImplementedError, OSError) as problem:
        raise BadInput(f"{file.name} must be a GGUF file that transformers can read; it says: {problem}") from problem
    # What was read are plain weights; without this transformers refuses to save them.
    model.hf_quantizer = None
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    return model, tokenizer


def count_gguf_weights(file: Path) -> int:
    """Number of weights in a GGUF file, from its header."""
    from gguf import GGUFReader

    check_gguf(file)
    try:
        return sum(int(tensor.n_elements) for tensor in GGUFReader(file).tensors)
    except (ValueError, IndexError, KeyError) as problem:
        raise BadInput(f"{file.name} must be a whole GGUF file; got a damaged one ({problem}). Fetch it again.") from problem
