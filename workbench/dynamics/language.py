"""Train a small language model on text with repeated phrases, and keep it at chosen steps in the hub's format.

A run's folder holds 'step700/', a whole model with its tokenizer, for every step that is kept: `load('FOLDER@step700')` opens
it, and any method works on it. Batches depend on seed and step alone, so that a run that was killed goes on as if it had not
been: on a CPU, with as many threads, to the last bit.
"""

import os
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from workbench import progress
from workbench.dynamics.checkpoints import Folder
from workbench.dynamics.text import SPECIAL, Text
from workbench.errors import BadInput, NotFinite, at_least, within

SAVE_EVERY = 30.0
BETAS, DECAY = (0.9, 0.98), 0.01
# Positions are turned, not learnt: longer prompts than those of the training can be asked about.
CONTEXT = 512
WEIGHTS, METADATA = "model.safetensors", {"format": "pt"}


@dataclass(frozen=True)
class Shape:
    """A small model of the Llama family: rotary positions, RMS norm, gated MLP; embedding and unembedding are not tied.

    Attributes:
        layers, heads: How many; heads of each layer.
        d_model: Width of the residual stream, a multiple of twice the heads.
        d_mlp: Hidden units of each MLP; 0 for an attention-only model, whose MLPs are one unit each, held at zero.
    Raises:
        BadInput: When a number is out of range.
    """

    layers: int = 2
    heads: int = 4
    d_model: int = 64
    d_mlp: int = 0

    def __post_init__(self):
        for name, least in (("layers", 1), ("heads", 1), ("d_model", 2), ("d_mlp", 0)):
            at_least(name, getattr(self, name), least)
        if self.d_model % (2 * self.heads):
            raise BadInput(f"d_model must be a multiple of {2 * self.heads}, twice the heads; got {self.d_model}.")


SHAPES = {"attention": Shape(), "full": Shape(d_mlp=128)}


@dataclass(frozen=True)
class Pace:
    """How a model is trained: AdamW, betas .9 and .98, decay .01.

    Attributes:
        rate: Learning rate.
        batch: Texts per step.
        seed: Of the first weights and of all texts.
    Raises:
        BadInput: When a number is out of range.
    """

    rate: int | float = 3e-3
    batch: int = 48
    seed: int = 0

    def __post_init__(self):
        if not 0 < self.rate < 1:
            raise BadInput(f"rate must be above 0 and below 1; got {self.rate!r}.")
        at_least("batch", self.batch, 1)
        within("seed", self.seed, 0, 2**32)


def learn(
    text: Text,
    shape: Shape,
    pace: Pace,
    *,
    steps: int,
    keep: Sequence[int],
    folder: str | Path,
    device: str = "cpu",
    watch: Callable[[int, float], None] | None = None,
) -> Path:
    """Train a model, or go on with it.

    Args:
        text: What it reads.
        shape: What it is.
        pace: How it is trained.
        steps: Steps in all, those of an earlier run in `folder` counted in.
        keep: Steps after which the model is written down; 0 is before the first.
        folder: Where the run is kept; the same call goes on with it.
        device: Where to compute.
        watch: Called with each step that is kept and the loss of its last batch, in nats.
    Returns:
        The folder.
    Raises:
        BadInput: When the folder holds another run, or cannot be written.
        NotFinite: When the loss is no longer a number; it names the step.
        Stopped: When the listener of `progress` asks for it; the run is kept.
    """
    at_least("steps", steps, 1)
    for step in keep:
        at_least("a step to keep", step, 0)
    kept = Folder(Path(folder), {"text": asdict(text), "shape": asdict(shape), "pace": asdict(pace)})
    run = _Run(text, shape, pace, torch.device(device))
    run.restore(_state(kept, keep))
    saved = time.monotonic()
    with progress.bar("Training", steps, unit="step") as bar:
        bar.advance(run.step)
        while True:
            if run.step in keep:
                if not (kept.path / f"step{run.step}").is_dir():
                    run.write(kept.path / f"step{run.step}")
                if watch is not None:
                    watch(run.step, run.loss)
            if run.step >= steps:
                kept.save(run.state())
                return kept.path
            if time.monotonic() - saved > SAVE_EVERY:
                kept.save(run.state())
                saved = time.monotonic()
            run.advance()
            try:
                bar.advance()
            except progress.Stopped:
                kept.save(run.state())
                raise


def _state(kept: Folder, keep: Sequence[int]) -> dict[str, Tensor] | None:
    """What to go on from; None, the beginning, where a step that is wanted now was passed without being kept."""
    state = kept.state()
    done = -1 if state is None else int(state["step"])
    passed = [step for step in keep if step < done and not (kept.path / f"step{step}").is_dir()]
    return None if passed else state


class _Run:
    """A model at some step, with what the optimiser remembers."""

    def __init__(self, text: Text, shape: Shape, pace: Pace, device: torch.device):
        self.text, self.pace, self.device = text, pace, device
        self.tokenizer = text.tokenizer()
        self.model = fresh(text, shape, pace.seed).to(device).train()
        self.learnt = {name: one for name, one in self.model.named_parameters() if one.requires_grad}
        self.optimiser = torch.optim.AdamW(self.learnt.values(), lr=pace.rate, betas=BETAS, weight_decay=DECAY)
        self.step, self.loss = 0, float("nan")

    def advance(self) -> None:
        """One step: the mean loss of every next word."""
        tokens = self.text.batch(self.pace.seed, self.step, self.pace.batch).tokens.to(self.device)
        loss = self.model(tokens, labels=tokens, use_cache=False).loss
        self.loss = loss.item()
        if self.loss != self.loss or self.loss == float("inf"):
            raise NotFinite(
                f"the loss must stay finite; got {self.loss} at step {self.step}. Use a smaller rate than {self.pace.rate}."
            )
        loss.backward()
        self.optimiser.step()
        self.optimiser.zero_grad()
        self.step += 1

    def write(self, folder: Path) -> None:
        """Write the model down, whole or not at all."""
        part = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
        try:
            part.mkdir()
            # As `save_pretrained` does, which draws a bar of its own.
            save_file({name: one.contiguous() for name, one in self.model.state_dict().items()}, part / WEIGHTS, METADATA)
            self.model.config.save_pretrained(part)
            self.tokenizer.save_pretrained(part)
            # Another process may have been here first, with the same numbers.
            if not folder.is_dir():
                os.replace(part, folder)
        except OSError as problem:
            raise BadInput(f"{folder} must be a folder that can be written; got {problem.strerror or problem}.") from problem
        finally:
            shutil.rmtree(part, ignore_errors=True)

    def state(self) -> dict[str, Tensor]:
        """All that is needed to go on."""
        told = {"step": torch.tensor(self.step), "loss": torch.tensor(self.loss, dtype=torch.float64)}
        for name, one in self.learnt.items():
            told[f"parameters.{name}"] = one.detach()
            for moment, value in self.optimiser.state.get(one, {}).items():
                told[f"{moment}.{name}"] = value
        return told

    def restore(self, state: dict[str, Tensor] | None) -> None:
        """Go on from a state; None is the beginning."""
        if state is None:
            return
        self.step, self.loss = int(state["step"]), float(state["loss"])
        with torch.no_grad():
            for name, one in self.learnt.items():
                one.copy_(state[f"parameters.{name}"])
                if self.step:
                    made = {moment: state[f"{moment}.{name}"] for moment in ("step", "exp_avg", "exp_avg_sq")}
                    self.optimiser.state[one] = {
                        moment: value.clone() if moment == "step" else value.to(self.device).clone()
                        for moment, value in made.items()
                    }


def fresh(text: Text, shape: Shape, seed: int) -> Any:
    """A model of transformers before its first step."""
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=text.words + len(SPECIAL), max_position_embeddings=max(CONTEXT, 2 * text.length), hidden_size=shape.d_model,
        num_hidden_layers=shape.layers, num_attention_heads=shape.heads, num_key_value_heads=shape.heads,
        intermediate_size=max(1, shape.d_mlp), bos_token_id=0, eos_token_id=1, tie_word_embeddings=False,
        architectures=["LlamaForCausalLM"],
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        made = LlamaForCausalLM(config)
    if not shape.d_mlp:
        for layer in made.model.layers:
            for weight in layer.mlp.parameters():
                weight.requires_grad_(False).zero_()
    return made
