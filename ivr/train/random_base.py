"""A Whisper checkpoint of random weights, written by transformers, where no hub can be reached.

It is loaded, cut, trained, exported and served by the same code as a real one, and as fast: speed
depends on shape alone. It has a tokenizer.json of its own, byte-level BPE over spoken numbers, so
that words are spelt in pieces as in Whisper.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import WhisperConfig, WhisperForConditionalGeneration

from ivr.asr.spelling import MARKS
from ivr.asr.tokens import SPECIALS, VOCABULARY

SMALL: dict[str, int] = {
    "vocab_size": 51_865,
    "num_mel_bins": 80,
    "d_model": 768,
    "encoder_layers": 12,
    "decoder_layers": 12,
    "encoder_attention_heads": 12,
    "decoder_attention_heads": 12,
    "encoder_ffn_dim": 3_072,
    "decoder_ffn_dim": 3_072,
}
"""The shape of openai/whisper-small."""

SPECIAL_PIECES = (
    *("<|endoftext|>", "<|startoftranscript|>", "<|en|>", "<|transcribe|>"),
    *("<|nospeech|>", "<|notimestamps|>"),
)
N_TRAINED_PIECES = 450


def _texts() -> Iterator[str]:
    for number in range(1_000):
        yield f" {number}"
    for word in VOCABULARY[len(SPECIALS) :]:
        yield from (f" {form}{mark}" for form in (word, word.capitalize()) for mark in MARKS)


def train_tokenizer(n_pieces: int = N_TRAINED_PIECES) -> Tokenizer:
    """A byte-level BPE tokenizer of at most `n_pieces` pieces, Whisper's special ones first."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=n_pieces,
        show_progress=False,
        special_tokens=list(SPECIAL_PIECES),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator(_texts(), trainer)
    return tokenizer


def write_random_checkpoint(
    folder: Path, shape: dict[str, int] = SMALL, *, seed: int = 1, tokenizer: bool = True
) -> Path:
    """Writes config.json, model.safetensors and, if wanted, tokenizer.json.

    Args:
        folder: made if it is missing.
        shape: arguments of transformers' `WhisperConfig`.
        seed: of the weights.
        tokenizer: whether to train and write one.

    Returns:
        The folder.
    """
    torch.manual_seed(seed)
    end, start = 0, 1  # of SPECIAL_PIECES
    arguments: dict[str, Any] = {
        **shape,
        "pad_token_id": end,
        "bos_token_id": end,
        "eos_token_id": end,
        "decoder_start_token_id": start,
    }
    WhisperForConditionalGeneration(WhisperConfig(**arguments)).save_pretrained(folder)
    if tokenizer:
        n_pieces = min(N_TRAINED_PIECES, shape["vocab_size"])
        train_tokenizer(n_pieces).save(str(folder / "tokenizer.json"))
    return folder
