"""A Whisper checkpoint as the beginning, cut to the numeric vocabulary and a call's context.

    ivr train --base openai/whisper-tiny.en --decoder-layers 1 --data DIR --out runs/tiny

Theory of operation: encoder and decoder keep their weights. The table of 51,865 pieces becomes one
of the numeric vocabulary, where a word begins as the mean of the pieces that spell it. Decoder
layers are dropped from the front, for the last ones look at the sound most; a narrower feed-forward
layer keeps the units with the greatest weights. The CTC head is new. A stock checkpoint has heard
only clips of exactly 30 s and is at a loss on shorter ones until it was fine-tuned on cut contexts
(FUTO whisper-acft), which is what the training does next.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from torch import Tensor
from transformers import WhisperForConditionalGeneration
from transformers.utils.hub import cached_file

from ivr.asr.tokens import BLANK, EOT, OTHER, SOT, VOCABULARY
from ivr.errors import ConfigError
from ivr.train.network import NumericWhisper, Shape

# How each special token of the vocabulary is called in Whisper's own tokenizers.
SPECIAL_PIECES = {SOT: "<|startoftranscript|>", EOT: "<|endoftext|>", BLANK: "<|nospeech|>"}
MAX_TOKENS = 48


def _tokenizer(base: str) -> Tokenizer | None:
    """The checkpoint's tokenizer; None where it has none (a randomly initialised one)."""
    path: Any = Path(base) / "tokenizer.json"
    if not Path(base).is_dir():
        path = cached_file(base, "tokenizer.json")
    return Tokenizer.from_file(str(path)) if Path(path).is_file() else None


def word_table(table: Tensor, tokenizer: Tokenizer | None) -> Tensor:
    """Token embeddings of the numeric vocabulary.

    Args:
        table: [n_pieces, d_model], the checkpoint's.
        tokenizer: how it cuts words into pieces; without one every word begins near the mean.

    Returns:
        [vocabulary, d_model] float32.
    """
    mean = table.mean(dim=0)
    words = mean + 0.1 * table.std() * torch.randn(len(VOCABULARY), table.shape[1])
    if tokenizer is None:
        return words
    for token, word in enumerate(VOCABULARY):
        if token in SPECIAL_PIECES:
            special = tokenizer.token_to_id(SPECIAL_PIECES[token])
            pieces = [] if special is None else [special]
        else:
            pieces = tokenizer.encode(f" {word}", add_special_tokens=False).ids
        if token != OTHER and pieces:
            words[token] = table[pieces].mean(dim=0)
    return words


def _cut_units(state: dict[str, Tensor], layer: str, units: int) -> None:
    """Narrows a feed-forward layer to the units with the greatest product of weights."""
    first, bias = state[f"{layer}.fc1.weight"], state[f"{layer}.fc1.bias"]
    second = state[f"{layer}.fc2.weight"]
    kept = (first.norm(dim=1) * second.norm(dim=0)).topk(units).indices.sort().values
    state[f"{layer}.fc1.weight"], state[f"{layer}.fc1.bias"] = first[kept], bias[kept]
    state[f"{layer}.fc2.weight"] = second[:, kept]


def open_base(base: str) -> tuple[WhisperForConditionalGeneration, Tokenizer | None]:
    """A stock checkpoint in float32 and its tokenizer, if it has one.

    Args:
        base: a folder that transformers wrote, or a name on the hub ("openai/whisper-tiny.en").

    Raises:
        ConfigError: there is no such checkpoint.
    """
    try:
        stock = WhisperForConditionalGeneration.from_pretrained(
            base,
            dtype=torch.float32,
            attn_implementation="eager",  # the one that the exporter can trace
        )
        return stock, _tokenizer(base)
    except (OSError, ValueError) as error:
        # transformers explains itself over several lines; its first one says what is wrong.
        reason = str(error).strip().partition("\n")[0]
        raise ConfigError(
            f"{base}: no Whisper checkpoint there ({reason}); give a folder that transformers"
            " wrote or a hub name such as openai/whisper-small"
        ) from error


def load_base(
    base: str, *, decoder_layers: int = 0, decoder_ffn: int = 0, pool: bool = False
) -> NumericWhisper:
    """A numeric Whisper with the weights of a stock checkpoint.

    Args:
        base: a folder that transformers wrote, or a name on the hub ("openai/whisper-tiny.en").
        decoder_layers: how many to keep; 0 keeps all.
        decoder_ffn: width of the decoder's feed-forward layers; 0 keeps it.
        pool: average neighbouring frames half way up the encoder: 25 instead of 50 a second.

    Raises:
        ConfigError: there is no such checkpoint, or it has fewer layers or units than asked for.
    """
    stock, tokenizer = open_base(base)
    config = stock.config
    kept_layers = decoder_layers or config.decoder_layers
    kept_units = decoder_ffn or config.decoder_ffn_dim
    if kept_layers > config.decoder_layers or kept_units > config.decoder_ffn_dim:
        raise ConfigError(
            f"--base {base} has {config.decoder_layers} decoder layers of "
            f"{config.decoder_ffn_dim} units; more cannot be kept"
        )
    shape = Shape(
        d_model=config.d_model,
        encoder_layers=config.encoder_layers,
        decoder_layers=kept_layers,
        heads=config.encoder_attention_heads,
        n_mels=config.num_mel_bins,
        stack=1,
        max_frames=config.max_source_positions,
        max_tokens=MAX_TOKENS,
        encoder_ffn=config.encoder_ffn_dim,
        decoder_ffn=kept_units,
        pool_after=config.encoder_layers // 2 if pool else 0,
    )
    state = dict(stock.state_dict())
    table = word_table(state["model.decoder.embed_tokens.weight"], tokenizer)
    state["model.decoder.embed_tokens.weight"] = state["proj_out.weight"] = table
    positions = state["model.decoder.embed_positions.weight"]
    state["model.decoder.embed_positions.weight"] = positions[:MAX_TOKENS]
    dropped = config.decoder_layers - kept_layers
    for name in [name for name in state if name.startswith("model.decoder.layers.")]:
        number, rest = name.removeprefix("model.decoder.layers.").split(".", 1)
        value = state.pop(name)
        if int(number) >= dropped:
            state[f"model.decoder.layers.{int(number) - dropped}.{rest}"] = value
    for layer in range(kept_layers):
        _cut_units(state, f"model.decoder.layers.{layer}", kept_units)
    model = NumericWhisper(shape)
    model.whisper.load_state_dict(state)
    return model
