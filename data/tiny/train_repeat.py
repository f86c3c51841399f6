"""Train `tiny:repeat`: a two-layer GPT-2 of 0.08 M weights that learns to repeat what it has seen.

    python data/tiny/train_repeat.py [FOLDER]

Text: a random list of 4 to 16 of 44 words, said again and again; nothing but the earlier copy tells the next word. It does
the task `repeated_tokens` without an error; which heads do it, and whether one of them is an induction head in the sense of
Olsson et al. 2022, is not claimed here. Takes a few minutes on two cores; the same seed gives the same weights on the same
machine and library versions.
"""

import sys
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

WORDS = (
    "apple bird boat book bread bridge candle chair cloud coat corn dog door drum fish flag flower frog garden glass goat "
    "grass hand hat hill horse house key lamp leaf moon mouse nut ocean pear pen rain ring river road rose salt snow star"
).split()
LENGTH, STEPS, BATCH, SEED = 33, 2400, 64, 0


def tokenizer() -> PreTrainedTokenizerFast:
    """One word, one token; '<s>' begins a text, by the tokenizer's own doing."""
    from tokenizers.processors import TemplateProcessing

    vocabulary = ["<s>", "<pad>", *WORDS]
    raw = Tokenizer(models.WordLevel({word: i for i, word in enumerate(vocabulary)}, unk_token="<pad>"))
    raw.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    raw.decoder = decoders.Fuse()
    raw.post_processor = TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    return PreTrainedTokenizerFast(tokenizer_object=raw, bos_token="<s>", pad_token="<pad>", eos_token="<pad>")


def batch(size: int, made: torch.Generator) -> torch.Tensor:
    """Texts of random lists said over and over, after '<s>'."""
    rows = []
    for _ in range(size):
        period = int(torch.randint(4, 17, (1,), generator=made))
        words = torch.randperm(len(WORDS), generator=made)[:period] + 2
        rows.append(torch.cat([torch.zeros(1, dtype=torch.long), words.repeat(LENGTH // period + 1)])[:LENGTH])
    return torch.stack(rows)


def train() -> GPT2LMHeadModel:
    torch.manual_seed(SEED)
    made = torch.Generator().manual_seed(SEED)
    config = GPT2Config(
        vocab_size=len(WORDS) + 2, n_positions=64, n_embd=64, n_layer=2, n_head=4, n_inner=64, bos_token_id=0,
        eos_token_id=1, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0,
    )  # fmt: skip
    model = GPT2LMHeadModel(config)
    optimiser = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, total_steps=STEPS)
    for step in range(STEPS):
        tokens = batch(BATCH, made)
        loss = model(tokens, labels=tokens).loss
        loss.backward()
        optimiser.step()
        schedule.step()
        optimiser.zero_grad()
        if step % 200 == 0 or step == STEPS - 1:
            print(f"step {step}: loss {loss.item():.3f}", flush=True)
    return model.eval()


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "repeat"
    train().save_pretrained(folder)
    tokenizer().save_pretrained(folder)
