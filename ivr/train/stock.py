"""Export of a stock Whisper checkpoint, untouched, as a model folder: the baseline.

    ivr export openai/whisper-tiny.en models/tiny-stock --stock

Theory of operation: encoder and decoder keep every weight; they become int8 as in
`ivr.train.export`, and that is all. The decoder's table of input pieces is cut to the ones that
spell answers, since no other is ever fed; its softmax still runs over the whole vocabulary, so each
log-probability is the checkpoint's own. The keys and values of the attention to the recording are
computed with the encoder, and those of the pieces are handed from step to step, as in any Whisper.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional
from transformers import WhisperForConditionalGeneration

from ivr.asr.model_files import Decoding, ModelDescription, StockPieces, write_description
from ivr.asr.spelling import MARKS
from ivr.asr.stock import StockEngine
from ivr.asr.tokens import SPECIALS, VOCABULARY
from ivr.errors import ConfigError
from ivr.train.base import open_base
from ivr.train.export import Convolution, write_graph

# openai/whisper: the tokenizers of checkpoints for all languages have at least so many pieces.
MULTILINGUAL_PIECES = 51_865
PROMPT = {
    True: ("<|startoftranscript|>", "<|en|>", "<|transcribe|>", "<|notimestamps|>"),
    False: ("<|startoftranscript|>", "<|notimestamps|>"),
}
END = "<|endoftext|>"
# Newer tokenizers have the first name, the older ones the second.
NO_SPEECH = ("<|nospeech|>", "<|nocaptions|>")
# Pieces of an answer and the prompt: 16 digits, one piece each and marks between them, fit twice.
MAX_PIECES = 64
# Fitted on development speakers with tiny.en. Of 366 spoken digits, yes and no 315, 330, 341 were
# right at a penalty of 2, 3, 4, and of 84 other words, spellings and noises 1, 2, 3 gave a number.
# The curve is that of the 220 numbers heard in 330 recordings in the manner of `ivr testsets`.
DECODING = Decoding(off_grammar_penalty=3.0, confidence_slope=1.69, confidence_offset=0.9)
LONGEST_MARK = 4  # characters: " ...", not the rows of dashes that Whisper knows as well


def numeric_pieces(tokenizer: Tokenizer, n_pieces: int) -> dict[int, str]:
    """The pieces that spell words of the vocabulary and digits, and the marks between them.

    Args:
        tokenizer: the checkpoint's.
        n_pieces: size of its vocabulary; special pieces of the tokenizer may lie beyond.

    Returns:
        Text by the piece's number, in order.
    """
    kept = set()
    for word in VOCABULARY[len(SPECIALS) :]:
        for form in (word, word.capitalize(), word.upper()):
            for text in (form, f" {form}"):
                kept |= set(tokenizer.encode(text, add_special_tokens=False).ids)
    others = re.compile(rf" ?[0-9]+|[{re.escape(MARKS)}]{{1,{LONGEST_MARK}}}", re.ASCII)
    texts = {
        number: tokenizer.decode([number], skip_special_tokens=False)
        for number in range(min(n_pieces, tokenizer.get_vocab_size()))
    }
    return {
        number: text
        for number, text in texts.items()
        if number in kept or others.fullmatch(text) is not None
    }


class _Encoder(nn.Module):
    """The encoder, and keys and values of every decoder layer's attention to it."""

    def __init__(self, stock: WhisperForConditionalGeneration) -> None:
        super().__init__()
        self.encoder = stock.model.encoder
        self.layers = stock.model.decoder.layers
        self.first = Convolution(self.encoder.conv1)
        self.second = Convolution(self.encoder.conv2)

    def forward(self, features: Tensor) -> tuple[Tensor, ...]:
        states = functional.gelu(self.first(features.transpose(1, 2)))
        states = functional.gelu(self.second(states)) + self.encoder.embed_positions.weight
        for layer in self.encoder.layers:
            out: Any = layer(states, None)
            states = out[0] if isinstance(out, tuple) else out
        states = self.encoder.layer_norm(states)[0]
        heard = []
        for layer in self.layers:
            attention = layer.encoder_attn
            heard.append(_by_head(attention.k_proj(states), attention.num_heads).transpose(1, 2))
            heard.append(_by_head(attention.v_proj(states), attention.num_heads))
        return tuple(heard)


def _by_head(projected: Tensor, heads: int) -> Tensor:
    """[n, d_model] to [heads, n, d_head]."""
    return projected.reshape(projected.shape[0], heads, -1).transpose(0, 1)


class _Decoder(nn.Module):
    """One step of the decoder for several rows; see `ivr.asr.stock` for the shapes."""

    def __init__(self, stock: WhisperForConditionalGeneration, pieces: list[int]) -> None:
        super().__init__()
        self.decoder, self.output = stock.model.decoder, stock.proj_out
        self.pieces = torch.tensor(pieces)
        self.table = self.decoder.embed_tokens.weight.detach()[pieces]

    def forward(
        self, tokens: Tensor, past_keys: Tensor, past_values: Tensor, *heard: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        place = torch.arange(past_keys.shape[3] + 1)[-1:]
        hidden = self.table[tokens] + self.decoder.embed_positions.weight[place]
        grown_keys, grown_values = [], []
        for number, layer in enumerate(self.decoder.layers):
            own = layer.self_attn
            normed = layer.self_attn_layer_norm(hidden)
            key, value = (
                torch.cat([past[number], _by_head(made, own.num_heads)[:, :, None]], dim=2)
                for past, made in (
                    (past_keys, own.k_proj(normed)),
                    (past_values, own.v_proj(normed)),
                )
            )
            asked = _by_head(own.q_proj(normed) * own.scaling, own.num_heads)[:, :, None]
            answer = torch.softmax(asked @ key.transpose(2, 3), dim=-1) @ value
            hidden = hidden + own.out_proj(_joined(answer[:, :, 0]))
            grown_keys.append(key)
            grown_values.append(value)

            across = layer.encoder_attn
            normed = layer.encoder_attn_layer_norm(hidden)
            asked = _by_head(across.q_proj(normed) * across.scaling, across.num_heads)
            keys, values = heard[2 * number : 2 * number + 2]
            answer = torch.softmax(asked @ keys, dim=-1) @ values
            hidden = hidden + across.out_proj(_joined(answer))

            normed = layer.final_layer_norm(hidden)
            hidden = hidden + layer.fc2(functional.gelu(layer.fc1(normed)))
        logits = self.output(self.decoder.layer_norm(hidden))
        log_probs = functional.log_softmax(logits, dim=-1)[:, self.pieces]
        return log_probs, torch.stack(grown_keys), torch.stack(grown_values)


def _joined(heads: Tensor) -> Tensor:
    """[heads, rows, d_head] to [rows, d_model]."""
    return heads.transpose(0, 1).flatten(1)


def _pieces_of(base: str, tokenizer: Tokenizer, n_pieces: int) -> tuple[list[int], StockPieces]:
    """The checkpoint's numbers of the pieces that are kept, and what the engine must know."""
    texts = numeric_pieces(tokenizer, n_pieces)
    prompt = PROMPT[n_pieces >= MULTILINGUAL_PIECES]
    known = tokenizer.get_vocab()
    no_speech = next((name for name in NO_SPEECH if name in known), NO_SPEECH[0])
    wanted = (*prompt, END, no_speech)
    missing = [name for name in wanted if known.get(name, n_pieces) >= n_pieces]
    if missing:
        raise ConfigError(f"{base}: its tokenizer.json lacks {', '.join(missing)}")
    specials = {known[name] for name in wanted}
    numbers = sorted(specials | texts.keys())
    column = {name: numbers.index(known[name]) for name in wanted}
    return numbers, StockPieces(
        texts=tuple("" if number in specials else texts[number] for number in numbers),
        prompt=tuple(column[name] for name in prompt),
        end=column[END],
        no_speech=column[no_speech],
    )


def export_stock(base: str, folder: Path, name: str = "") -> None:
    """Writes `model.json`, `encoder.onnx` and `decoder.onnx` (int8) of a stock checkpoint.

    Args:
        base: a folder that transformers wrote, or a name on the hub ("openai/whisper-tiny.en").
        folder: made if it is missing.
        name: what the model is called in logs; "" takes the checkpoint's name.

    Raises:
        ConfigError: there is no such checkpoint, or it has no tokenizer.json that fits.
    """
    stock, tokenizer = open_base(base)
    if tokenizer is None:
        raise ConfigError(
            f"{base} has no tokenizer.json: without it nobody knows which pieces spell numbers"
        )
    config = stock.config
    numbers, pieces = _pieces_of(base, tokenizer, config.vocab_size)
    heads = config.decoder_attention_heads
    d_head, n_frames = config.d_model // heads, config.max_source_positions
    past = torch.zeros(config.decoder_layers, heads, 3, 2, d_head)
    heard = {}
    for layer in range(config.decoder_layers):
        heard[f"keys_{layer}"] = torch.zeros(heads, d_head, n_frames)
        heard[f"values_{layer}"] = torch.zeros(heads, n_frames, d_head)
    any_past = {2: "rows", 3: "past"}
    folder.mkdir(parents=True, exist_ok=True)
    write_graph(
        folder / "encoder.onnx",
        _Encoder(stock),
        {"features": torch.zeros(1, config.num_mel_bins, 2 * n_frames)},
        list(heard),
        {},
    )
    write_graph(
        folder / "decoder.onnx",
        _Decoder(stock, numbers),
        {
            "tokens": torch.zeros(3, dtype=torch.long),
            "past_keys": past,
            "past_values": past.clone(),
            **heard,
        },
        ["log_probs", "new_keys", "new_values"],
        {
            "tokens": {0: "rows"},
            "past_keys": any_past,
            "past_values": any_past,
            "log_probs": {0: "rows"},
            "new_keys": any_past,
            "new_values": any_past,
        },
    )
    description = ModelDescription(
        name=name or Path(base).name,
        n_mels=config.num_mel_bins,
        stack=1,
        level=False,
        frame_ms=20,
        max_columns=2 * n_frames,
        max_tokens=min(MAX_PIECES, config.max_target_positions),
        decoding=DECODING,
        notes={"base": Path(base).name},
        stock=pieces,
    )
    write_description(folder, description)


def run_export(base: str, out: Path) -> int:
    """`ivr export --stock`: writes the model folder and runs it once.

    Returns:
        The exit status, 0.

    Raises:
        ConfigError, ModelError: as `export_stock` and `StockEngine`.
    """
    console = Console(stderr=True)
    with console.status(f"exporting {base}"):
        export_stock(base, out)
        StockEngine(out).warm_up()
    size_mb = sum(path.stat().st_size for path in out.glob("*.onnx")) / 1e6
    cue = f"measure it with: ivr evaluate MANIFEST --model {out}"
    console.print(f"exported to {out}, {size_mb:.0f} MB; {cue}", soft_wrap=True)
    return 0
