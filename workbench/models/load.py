"""`load(ref)`: a TransformerBridge ready for circuit work, from the hub, a folder, a GGUF file or a package.

The weights stay as published: no norm is folded, nothing is centred. Patching, attribution and relevance at our sites do
not depend on folding; unprocessed weights give the logits of transformers bit for bit (GPT-2's, whose queries, keys and
values the library multiplies apart, up to rounding), keep a tied embedding tied (a fifth of the memory of a small model)
and load in half the time. The two methods that read weights through the final norm (`dla`, `lens`) apply its gain
themselves.

Heads of grouped-query models: q and z have the query heads, k and v the key-value heads (see sites).
"""

import warnings
from collections.abc import Callable
from typing import Any

from workbench import progress
from workbench.errors import BadInput, one_of
from workbench.models.card import fingerprint, write_card
from workbench.models.catalogue import BYTES
from workbench.models.device import device_named
from workbench.models.find import Found, find
from workbench.models.memory import check_fits, count_weights


def load(
    ref: str,
    device: str | None = None,
    dtype: str = "float32",
    revision: str | None = None,
    trust_remote_code: bool = False,
) -> Any:
    """A model, in evaluation mode, without gradients for its weights, hooks ready at every site.

    Args:
        ref: A catalogue name (`workbench models`), a hub name 'org/name', a local folder in the hub's format, a `.gguf`
            file, or a model of this project: 'tiny:NAME' (trained), 'known:NAME' (wired, its circuit known) or
            'trained:NAME' (with checkpoints). 'REF@REVISION' is a checkpoint of a hub model or of a run's folder.
        device: 'cpu', 'cuda', 'cuda:1', 'mps'; by default cuda where there is one, else cpu.
        dtype: 'float32', 'bfloat16', 'float16' or 'float64'.
        revision: The same as '@REVISION' behind the ref: branch, tag or commit of a hub model (training checkpoints of
            Pythia: 'step1000'), or folder of a run.
        trust_remote_code: Run Python that comes with the model. Only for code you have read.
    Returns:
        A TransformerBridge.
    Raises:
        BadInput: When the ref leads nowhere, the model does not fit into memory, or its files are damaged.
    """
    one_of("dtype", dtype, BYTES)
    ref = ref if revision is None else f"{ref}@{revision}"
    with progress.bar(f"Loading {ref}", 4, unit="step") as bar:
        device = device_named(device)
        bar.advance()
        found = find(ref)
        check_fits(ref, _count(found, ref), dtype, device)
        bar.advance()
        with _quiet():
            weights, tokenizer = _read(found, dtype, trust_remote_code)
            bar.advance()
            print_of_weights = fingerprint(weights)
            model = _bridge(ref, weights.to(device), tokenizer, dtype, device, trust_remote_code)
        bar.advance()
    write_card(model, ref=ref, source=found.source, fingerprint=print_of_weights)
    return model


def _count(found: Found, ref: str) -> int:
    if found.path.suffix == ".gguf":
        from workbench.models.gguf import count_gguf_weights

        return count_gguf_weights(found.path)
    counted = count_weights(found.path)
    if counted is None:
        pickles = sum(file.stat().st_size for file in found.path.glob("*.bin"))
        if not pickles:
            raise BadInput(f"model folder must hold weights as safetensors; got none for {ref!r} in {found.path}.")
        # Pickles of older models hold float32.
        counted = pickles // 4
    return counted


def _read(found: Found, dtype: str, trust_remote_code: bool) -> tuple[Any, Any]:
    if found.path.suffix == ".gguf":
        from workbench.models.gguf import read_gguf

        return read_gguf(found.path, dtype)
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    options = dict(local_files_only=True, trust_remote_code=trust_remote_code)
    read = dict(options, dtype=getattr(torch, dtype), output_loading_info=True)
    model, told = _worded(found, lambda: AutoModelForCausalLM.from_pretrained(found.path, **read))
    missing = sorted(told["missing_keys"])
    if missing:
        # transformers draws random numbers for these, and goes on.
        raise BadInput(
            f"weights must be those of the whole model; {found.path} lacks {len(missing)}, the first {missing[0]}. Fetch them "
            "again."
        )
    return model, _worded(found, lambda: AutoTokenizer.from_pretrained(found.path, **options))


def _worded(found: Found, read: Callable[[], Any]) -> Any:
    """Run a reader; what it raises about the files becomes one sentence."""
    from pickle import UnpicklingError

    from safetensors import SafetensorError

    try:
        return read()
    except SafetensorError as problem:
        raise BadInput(f"weights must be whole safetensors files; {found.path} says: {problem}. Fetch them again.") from problem
    except UnpicklingError as problem:
        raise BadInput(f"pickled weights must hold tensors only; {found.path} holds code. Ask for safetensors.") from problem
    # transformers raises a RuntimeError where shapes in the files are not those of the config.
    except (ValueError, OSError, KeyError, RuntimeError) as problem:
        if "trust_remote_code" in str(problem):
            raise BadInput(
                f"model must come without code of its own; {found.path.name} brings some, which was not run. Read it, and if "
                "you trust it, load with trust_remote_code=True."
            ) from problem
        first = (str(problem).strip() or type(problem).__name__).splitlines()[0]
        raise BadInput(f"model must be one that transformers can read; {found.path.name} says: {first}") from problem


def _bridge(ref: str, weights: Any, tokenizer: Any, dtype: str, device: str, trust_remote_code: bool) -> Any:
    import torch
    from transformer_lens.model_bridge import TransformerBridge

    try:
        model = TransformerBridge.boot_transformers(
            ref, hf_model=weights, tokenizer=tokenizer, device=device, dtype=getattr(torch, dtype),
            trust_remote_code=trust_remote_code,
        )  # fmt: skip
    except (ValueError, NotImplementedError) as problem:
        raise BadInput(f"model must be of a family that TransformerLens bridges; {ref} is not: {problem}") from problem
    model.enable_compatibility_mode(disable_warnings=True, no_processing=True)
    _keep_tokenizer(model, tokenizer)
    model.requires_grad_(False)
    model.eval()
    return model


def _keep_tokenizer(model: Any, tokenizer: Any) -> None:
    """Tokenise prompts as the model's own tokenizer does.

    The library swaps it for one that puts a BOS before everything, in the constructor and in the setter too; hence the
    private name. Models that want a BOS have tokenizers that add it (Llama-3, Gemma).
    """
    model._tokenizer = tokenizer
    starts = tokenizer.bos_token_id is not None and tokenizer("a")["input_ids"][:1] == [tokenizer.bos_token_id]
    model.cfg.tokenizer_prepends_bos = model.cfg.default_prepend_bos = starts


class _quiet(warnings.catch_warnings):
    """Context in which the libraries below print neither warnings nor bars of their own."""

    def __enter__(self):
        from transformers.utils import logging

        super().__enter__()
        warnings.simplefilter("ignore")
        self._bars, self._level = logging.is_progress_bar_enabled(), logging.get_verbosity()
        logging.disable_progress_bar()
        logging.set_verbosity_error()

    def __exit__(self, *problem):
        from transformers.utils import logging

        super().__exit__(*problem)
        logging.set_verbosity(self._level)
        if self._bars:
            logging.enable_progress_bar()
