"""Wire the models whose circuits are known: `known:copy`, `known:induction`, `known:two_hop`, `known:decoy`.

    python data/known/wire.py [FOLDER]

Every weight is set by hand; nothing is trained. The models are GPT-2s of two or three layers, four heads and 88 dimensions,
and each is written with the edges of its circuit (`circuit.json`), which hold by construction:

* The stream is cut into parts: the token, its place, the token before, a found token, the answer, and scrap. A wired head or
  MLP reads and writes parts by one-hot maps, and reads nothing else. The logits read the answer alone.
* All other heads and MLPs have random weights, read the whole stream and write to scrap, which only they read. What they
  write differs between clean and corrupt prompts, about half as much as what the wired ones write, and does not matter.
* Norms pass the stream through: every write sums to zero (one coordinate is the ballast), so centring does nothing, and
  epsilon is 2^24 with a gain of 2^12, beside which the variance is lost in float32. No edge works through a norm.
* Heads that look by place do so with certainty; heads that look for a word do so with SHARPNESS, soft enough that their
  queries and keys have gradients.

The same weights come out on any machine: what is random is rounded to 1/64.
"""

import json
import math
import sys
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from tokenizers.processors import TemplateProcessing
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from workbench.graph import Graph
from workbench.known import ANIMALS, PLANTS, WORDS

HEADS, D_HEAD, D_MLP, PLACES = 4, 22, 40, 14
D_MODEL = HEADS * D_HEAD
SPECIAL = ("<s>", "<pad>")
GAIN, SCALE = 10.0, 4096.0
CERTAIN, SHARPNESS = 40.0, 5.0
NOISE = 0.2
OURS = "Wired by this project: data/known/wire.py"

# Parts of the stream.
WORD = np.arange(2, 18)
PLACE = np.arange(18, 32)
BEFORE = np.arange(32, 48)
FOUND = np.arange(48, 64)
ANSWER = np.arange(64, 80)
SCRAP = np.arange(80, 87)
BALLAST = 87
assert (len(WORD), len(PLACE), BALLAST) == (len(WORDS), PLACES, D_MODEL - 1)


class Wiring:
    """Weights of a model, all heads and MLPs random and writing to scrap until they are wired.

    Shapes: q, k, v [layer head d_model d_head], o [layer head d_head d_model], into [layer d_model d_mlp], bias [layer d_mlp],
    out [layer d_mlp d_model], out_bias [layer d_model].
    """

    def __init__(self, layers: int, activation: str = "gelu_new"):
        self.layers, self.activation = layers, activation
        drawn = np.random.default_rng(0)

        def random(*shape: int) -> np.ndarray:
            return np.round(NOISE * 64 * drawn.standard_normal(shape)) / 64

        self.q, self.k, self.v = (random(layers, HEADS, D_MODEL, D_HEAD) for _ in range(3))
        self.o = np.zeros((layers, HEADS, D_HEAD, D_MODEL))
        self.o[..., SCRAP] = random(layers, HEADS, D_HEAD, len(SCRAP))
        self.into, self.bias = random(layers, D_MODEL, D_MLP), random(layers, D_MLP)
        self.out = np.zeros((layers, D_MLP, D_MODEL))
        self.out[..., SCRAP] = random(layers, D_MLP, len(SCRAP))
        self.out_bias = np.zeros((layers, D_MODEL))

    def looking(self, layer: int, head: int, queries: np.ndarray, keys: np.ndarray, score: float) -> None:
        """A head whose query and key share a coordinate for each pair of coordinates of the stream, at `score`."""
        size = math.sqrt(score * math.sqrt(D_HEAD))
        self.q[layer, head] = self.k[layer, head] = 0
        shared = np.unique(queries, return_inverse=True)[1]
        self.q[layer, head, queries, shared] = size
        self.k[layer, head, keys, shared] = size

    def moving(self, layer: int, head: int, read: np.ndarray, write: np.ndarray) -> None:
        """A head that writes what it reads, coordinate by coordinate."""
        self.v[layer, head] = self.o[layer, head] = 0
        each = np.arange(len(read))
        self.v[layer, head, read, each] = 1
        self.o[layer, head, each, write] = 1

    def one_back(self, layer: int, head: int, places: np.ndarray) -> None:
        """A head that looks one place back from `places`, and at the first place from all others."""
        others = np.setdiff1d(np.arange(1, PLACES), places)
        keys = np.concatenate([PLACE[places - 1], np.full(len(others), PLACE[0])])
        self.looking(layer, head, PLACE[np.concatenate([places, others])], keys, CERTAIN)
        self.moving(layer, head, WORD, BEFORE)

    def model(self) -> GPT2LMHeadModel:
        """The model in the hub's format, each write with its ballast."""
        config = GPT2Config(
            vocab_size=len(SPECIAL) + len(WORDS), n_positions=PLACES, n_embd=D_MODEL, n_layer=self.layers, n_head=HEADS,
            n_inner=D_MLP, activation_function=self.activation, layer_norm_epsilon=SCALE**2, tie_word_embeddings=False,
            bos_token_id=0, eos_token_id=1, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0,
        )  # fmt: skip
        model = GPT2LMHeadModel(config).eval()
        tokens, places, unembed = np.eye(len(SPECIAL) + 16, D_MODEL), np.zeros((PLACES, D_MODEL)), np.zeros((18, D_MODEL))
        places[np.arange(PLACES), PLACE] = 1
        unembed[WORD, ANSWER] = GAIN
        weights = {
            "transformer.wte.weight": ballasted(tokens),
            "transformer.wpe.weight": ballasted(places),
            "transformer.ln_f.weight": np.full(D_MODEL, SCALE),
            "lm_head.weight": unembed,
        }
        for layer in range(self.layers):
            qkv = [of[layer].transpose(1, 0, 2).reshape(D_MODEL, D_MODEL) for of in (self.q, self.k, self.v)]
            weights |= {
                f"transformer.h.{layer}.{name}": weight
                for name, weight in {
                    "ln_1.weight": np.full(D_MODEL, SCALE),
                    "ln_2.weight": np.full(D_MODEL, SCALE),
                    "attn.c_attn.weight": np.concatenate(qkv, axis=1),
                    "attn.c_proj.weight": ballasted(self.o[layer].reshape(D_MODEL, D_MODEL)),
                    "mlp.c_fc.weight": self.into[layer],
                    "mlp.c_fc.bias": self.bias[layer],
                    "mlp.c_proj.weight": ballasted(self.out[layer]),
                    "mlp.c_proj.bias": ballasted(self.out_bias[layer]),
                }.items()
            }
        with torch.no_grad():
            for name, weight in model.named_parameters():
                weight.copy_(torch.tensor(weights.pop(name)) if name in weights else torch.zeros_like(weight))
        assert not weights
        return model


def ballasted(writes: np.ndarray) -> np.ndarray:
    """Writes with the ballast that makes each of them sum to zero."""
    writes = writes.copy()
    writes[..., BALLAST] = -writes[..., :BALLAST].sum(-1)
    return writes


def copy() -> tuple[Wiring, dict]:
    wiring = Wiring(2)
    wiring.one_back(0, 2, np.arange(1, PLACES))
    each = np.arange(16)
    wiring.into[1][:, each], wiring.bias[1][each], wiring.out[1][each] = 0, 0, 0
    wiring.into[1, BEFORE, each] = 4
    wiring.out[1, each, ANSWER] = 0.25
    return wiring, {
        "title": "Copy the word before the last",
        "edges": ["input->a0.h2<v>", "a0.h2->m1", "m1->logits"],
        "why": (
            "Head 0.2 looks one place back, by place alone, and copies that word; MLP 1 says it. Queries and keys read "
            "places, which belong to no node, so that no edge leads into them."
        ),
    }


def induction() -> tuple[Wiring, dict]:
    wiring = Wiring(2)
    wiring.one_back(0, 1, np.arange(1, PLACES))
    wiring.looking(1, 3, WORD, BEFORE, SHARPNESS)
    wiring.moving(1, 3, WORD, ANSWER)
    return wiring, {
        "title": "Induction",
        "edges": ["input->a0.h1<v>", "input->a1.h3<q>", "a0.h1->a1.h3<k>", "input->a1.h3<v>", "a1.h3->logits"],
        "why": (
            "Head 0.1 writes at each place which word stood before (by place alone). Head 1.3 looks for its own word among "
            "the words before, and says the word it finds there: a key made by another head, K-composition."
        ),
    }


def two_hop() -> tuple[Wiring, dict]:
    wiring = Wiring(3)
    # Facts are 'key value', keys at odd places: only values hear what stood before them.
    wiring.one_back(0, 0, np.arange(2, PLACES, 2))
    wiring.looking(1, 2, WORD, BEFORE, SHARPNESS)
    wiring.moving(1, 2, WORD, FOUND)
    wiring.looking(2, 1, FOUND, BEFORE, SHARPNESS)
    wiring.moving(2, 1, WORD, ANSWER)
    return wiring, {
        "title": "Two hops",
        "edges": [
            "input->a0.h0<v>", "input->a1.h2<q>", "a0.h0->a1.h2<k>", "input->a1.h2<v>",
            "a1.h2->a2.h1<q>", "a0.h0->a2.h1<k>", "input->a2.h1<v>", "a2.h1->logits",
        ],
        "why": (
            "Head 0.0 writes at each value which key it belongs to. Head 1.2 finds the value of the last word; head 2.1 takes "
            "that as its query (Q-composition), finds the value's own value, and says it."
        ),
    }  # fmt: skip


def decoy() -> tuple[Wiring, dict]:
    wiring = Wiring(2, activation="relu")
    wiring.one_back(0, 2, np.arange(1, PLACES))
    # The decoy looks at the first word from everywhere: +1 for an animal, -1 for a plant.
    flag, side = FOUND[0], np.repeat([1.0, -1.0], [len(ANIMALS), len(PLANTS)])
    wiring.looking(0, 1, PLACE[1:], np.full(PLACES - 1, PLACE[1]), CERTAIN)
    wiring.v[0, 1], wiring.o[0, 1] = 0, 0
    wiring.v[0, 1, WORD, 0] = side
    wiring.o[0, 1, 0, flag] = 1
    low, high, up, down = np.arange(16), np.arange(16, 32), 32, 33
    wired = np.arange(34)
    wiring.into[1][:, wired], wiring.bias[1][wired], wiring.out[1][wired] = 0, 0, 0
    # relu(4x - 1) - relu(4x - 2): 0 up to 1/4, 1 from 1/2, flat at both ends of what x can be.
    wiring.into[1, BEFORE, low] = wiring.into[1, BEFORE, high] = 4
    wiring.bias[1][low], wiring.bias[1][high] = -1, -2
    wiring.out[1, low, ANSWER], wiring.out[1, high, ANSWER] = 1, -1
    # (|flag| - 1) / 2 towards animals: nothing for either value of the flag, though its slope is not nothing.
    wiring.into[1, flag, up], wiring.into[1, flag, down] = 1, -1
    wiring.out[1, up, ANSWER] = wiring.out[1, down, ANSWER] = side / 2
    wiring.out_bias[1, ANSWER] = -side / 2
    return wiring, {
        "title": "Copy, with a decoy",
        "edges": ["input->a0.h2<v>", "a0.h2->m1", "m1->logits"],
        "false_alarms": ["input->a0.h1<v>", "a0.h1->m1"],
        "missed": ["input->a0.h2<v>", "a0.h2->m1"],
        "why": (
            "The real path is that of `copy`, but MLP 1 saturates: whether the word is there or not, a little more or less of "
            "it changes nothing, so that its gradient is zero at the clean and at the corrupt end. The decoy, head 0.1, "
            "carries +1 where the first word is an animal (clean) and -1 where it is a plant (corrupt); MLP 1 uses the size of "
            "that alone, so that patching it changes nothing, and yet the answer's gradient along it is large at either end. "
            "Difference times gradient at one point (attribution patching, EAP; relevance patching too, as a ReLU keeps its "
            "gradient) therefore ranks the decoy's two edges level with the last real one, at the whole gap, and the other two "
            "real ones at zero: of its first three, one is true. (The area under the curve hides this, most edges being zero "
            "for everyone.) Patching is "
            "right; gradients averaged over the way from corrupt to clean are right within the fineness of their steps; zero "
            "ablation is not fooled about the real path but finds the decoy to matter, since a flag of 0 is neither."
        ),
    }


def tokenizer() -> PreTrainedTokenizerFast:
    """One word, one token; '<s>' begins a text, by the tokenizer's own doing."""
    raw = Tokenizer(models.WordLevel({word: i for i, word in enumerate((*SPECIAL, *WORDS))}, unk_token="<pad>"))
    raw.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    raw.decoder = decoders.Fuse()
    raw.post_processor = TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    return PreTrainedTokenizerFast(tokenizer_object=raw, bos_token="<s>", pad_token="<pad>", eos_token="<pad>")


MODELS = {"copy": copy, "induction": induction, "two_hop": two_hop, "decoy": decoy}


def write(folder: Path) -> None:
    for name, wire in MODELS.items():
        wiring, circuit = wire()
        wiring.model().save_pretrained(folder / name)
        tokenizer().save_pretrained(folder / name)
        graph = Graph(wiring.layers, HEADS, HEADS)
        shape = {"n_layers": graph.n_layers, "n_heads": graph.n_heads, "n_readers": graph.n_readers, "mlps": graph.mlps}
        circuit = {"shape": shape, "source": OURS, "false_alarms": [], "missed": [], **circuit}
        (folder / name / "circuit.json").write_text(json.dumps(circuit, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
