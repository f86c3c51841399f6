"""Random models of the families we claim to handle, saved to disk in the hub's format with dimensions that all differ."""

from pathlib import Path
from typing import Any

import torch

LAYERS, HEADS, KV_HEADS, D_HEAD, D_MODEL, D_MLP, VOCAB = 3, 4, 2, 6, 20, 28, 23
WORDS = "<s> </s> a b c d e f g h i j k l m n o p q r s t u".split()


def tokenizer():
    """A word-level tokenizer of 23 words: one word, one token, spaces between them."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    raw = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="</s>"))
    raw.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    raw.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(tokenizer_object=raw, bos_token="<s>", eos_token="</s>", pad_token="</s>")


def _configs(vocab: int):
    import transformers as hf

    rope = {"rope_type": "default", "rope_theta": 10000.0}
    shared = dict(
        vocab_size=vocab,
        hidden_size=D_MODEL,
        intermediate_size=D_MLP,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        max_position_embeddings=160,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=1,
    )
    grouped = dict(shared, num_key_value_heads=KV_HEADS, head_dim=D_HEAD, rope_parameters=rope)
    return {
        "llama": lambda: hf.LlamaConfig(**grouped, tie_word_embeddings=True),
        "gpt2": lambda: hf.GPT2Config(
            vocab_size=vocab, n_embd=D_MODEL, n_layer=LAYERS, n_head=HEADS, n_inner=D_MLP, n_positions=64,
            bos_token_id=0, eos_token_id=1, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0,
        ),
        "neox": lambda: hf.GPTNeoXConfig(
            **dict(shared, hidden_size=32), rotary_pct=0.5, use_parallel_residual=True, attention_dropout=0.0,
        ),
        "qwen2": lambda: hf.Qwen2Config(**grouped),
        "qwen3": lambda: hf.Qwen3Config(**grouped),
        "gemma2": lambda: hf.Gemma2Config(
            **grouped, query_pre_attn_scalar=D_HEAD, sliding_window=5, attn_logit_softcapping=3.0,
            final_logit_softcapping=4.0,
        ),
    }  # fmt: skip


FAMILIES = ("llama", "gpt2", "neox", "qwen2", "qwen3", "gemma2")


def save(family: str, folder: Path, seed: int = 0, scale: float = 0.25, words: Any = None) -> Path:
    """Write a random model of the family to `folder`, weights large enough that every head matters.

    Norm gains and biases are random too, so that nothing is right only because a gain is one or a bias zero. `words` is the
    tokenizer; None is that of 23 words.
    """
    from transformers import AutoModelForCausalLM

    words = words or tokenizer()
    config = _configs(len(words))[family]()
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            gain = name.endswith("weight") and weight.ndim == 1
            centre = 1.0 if gain and family != "gemma2" else 0.0
            weight.copy_(centre + scale * torch.randn_like(weight))
    model.save_pretrained(folder)
    words.save_pretrained(folder)
    return folder
