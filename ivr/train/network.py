"""The numeric Whisper as a torch module: Whisper's encoder and decoder, and a CTC head beside them.

Theory of operation: the weights are those of transformers' `WhisperForConditionalGeneration` with
the numeric vocabulary. Two things differ from its forward pass. The encoder takes as many frames as
there are instead of exactly 3,000 (that alone is worth 27x to 35x on a 3 s answer), and a linear
CTC head reads its output. Serving lets CTC propose hypotheses and the decoder rescore them in one
batched pass, with no token-by-token loop (WeNet U2, Zhang et al. 2020).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import WhisperConfig, WhisperForConditionalGeneration

from ivr.asr.prefix_tree import UNSEEN
from ivr.asr.tokens import BLANK, EOT, SOT, VOCABULARY

# Plain attention: on a CPU the fused kernel's backward pass costs 5x as much at 75 frames. A
# dictionary, for transformers does not declare the argument.
_ATTENTION: dict[str, Any] = {"attn_implementation": "eager"}


@dataclass(frozen=True)
class Shape:
    """The size of a numeric Whisper.

    Attributes:
        d_model: width of encoder and decoder.
        encoder_layers: depth of the encoder.
        decoder_layers: depth of the decoder.
        heads: attention heads of both.
        n_mels: mel bands.
        stack: mel frames to an encoder input column; 2 gives 25 encoder frames a second.
        max_frames: encoder positions (at 25 a second, 30 s = 750).
        max_tokens: decoder positions.
        encoder_ffn: width of the encoder's feed-forward layers; 0 is 4 * d_model.
        decoder_ffn: the same of the decoder's.
        pool_after: encoder layer after which neighbouring frames are averaged in pairs, so that
            the rest runs half as often; 0 never does it.
    """

    d_model: int = 192
    encoder_layers: int = 6
    decoder_layers: int = 2
    heads: int = 4
    n_mels: int = 80
    stack: int = 2
    max_frames: int = 750
    max_tokens: int = 48
    encoder_ffn: int = 0
    decoder_ffn: int = 0
    pool_after: int = 0

    @property
    def frame_ms(self) -> int:
        """How far apart encoder states are: 10 ms mel frames, stacked, strided, pooled."""
        return 10 * self.stack * 2 * (2 if self.pool_after else 1)

    def whisper_config(self) -> WhisperConfig:
        """The transformers configuration of this shape."""
        return WhisperConfig(
            vocab_size=len(VOCABULARY),
            num_mel_bins=self.n_mels * self.stack,
            d_model=self.d_model,
            encoder_layers=self.encoder_layers,
            decoder_layers=self.decoder_layers,
            encoder_attention_heads=self.heads,
            decoder_attention_heads=self.heads,
            encoder_ffn_dim=self.encoder_ffn or 4 * self.d_model,
            decoder_ffn_dim=self.decoder_ffn or 4 * self.d_model,
            max_source_positions=self.max_frames,
            max_target_positions=self.max_tokens,
            pad_token_id=BLANK,
            bos_token_id=SOT,
            eos_token_id=EOT,
            decoder_start_token_id=SOT,
            **_ATTENTION,
        )

    def as_dict(self) -> dict[str, int]:
        """The shape as JSON."""
        return asdict(self)


class NumericWhisper(nn.Module):
    """Whisper with a numeric vocabulary, any input length and a CTC head."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.whisper = WhisperForConditionalGeneration(shape.whisper_config())
        self.ctc_head = nn.Linear(shape.d_model, len(VOCABULARY))

    def initialise(self, mean: Tensor) -> None:
        """Draws the weights of a network that learns from nothing.

        Args:
            mean: [stack * n_mels], the features' average over a batch. The first convolution starts
                by subtracting it: telephone speech leaves a third of the bands constant, and that
                constant would drown the rest.

        Whisper's own draw (deviation 0.02) suits a width of 768; at 192 the sound would come out of
        the convolutions at a tenth of the position signal, and training stays on its plateau for
        long.
        """
        for module in self.modules():
            if isinstance(module, nn.Conv1d):
                nn.init.kaiming_normal_(module.weight)
            elif isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
        conv = self.whisper.model.encoder.conv1
        with torch.no_grad():
            conv.bias.copy_(-(conv.weight.sum(dim=2) @ mean))

    def encode(self, features: Tensor) -> Tensor:
        """Encoder states.

        Args:
            features: [batch, stack * n_mels, n_columns] float32.

        Returns:
            [batch, n_frames, d_model], a frame each `Shape.frame_ms`.
        """
        encoder = self.whisper.model.encoder
        states = functional.gelu(encoder.conv1(features))
        states = functional.gelu(encoder.conv2(states)).permute(0, 2, 1)
        states = states + encoder.embed_positions.weight[: states.shape[1]]
        return self.encode_frames(states)

    def encode_frames(self, states: Tensor) -> Tensor:
        """The encoder behind its convolutions and positions, [batch, n, d_model] in and out."""
        encoder = self.whisper.model.encoder
        for number, layer in enumerate(encoder.layers):
            if number and number == self.shape.pool_after:
                second = states[:, 1::2]  # a last frame without a second is dropped
                states = (states[:, ::2][:, : second.shape[1]] + second) / 2
            out: Any = layer(states, None)
            states = out[0] if isinstance(out, tuple) else out
        normed: Tensor = encoder.layer_norm(states)
        return normed

    def ctc(self, states: Tensor) -> Tensor:
        """CTC log-probabilities [batch, n_frames, vocabulary] float32."""
        return functional.log_softmax(self.ctc_head(states).float(), dim=-1)

    def decode(self, states: Tensor, tokens: Tensor) -> Tensor:
        """Decoder logits for given tokens (teacher forcing).

        Args:
            states: [batch, n_frames, d_model].
            tokens: [batch, n_tokens] int64, SOT first.

        Returns:
            [batch, n_tokens, vocabulary].
        """
        places = torch.arange(tokens.shape[1], device=tokens.device)
        ahead = (places[None, :] > places[:, None]).to(states.dtype) * UNSEEN
        return self.decode_tree(states, tokens, places, ahead)

    def decode_tree(self, states: Tensor, tokens: Tensor, places: Tensor, mask: Tensor) -> Tensor:
        """Decoder logits behind the nodes of a tree of texts, of which a row is the plainest.

        Args:
            states: [batch, n_frames, d_model].
            tokens: [batch, n_tokens] int64, a node each.
            places: [n_tokens] int64, how many tokens come before each.
            mask: [n_tokens, n_tokens], added to the attention scores: `UNSEEN` for what is not
                before a node.

        Returns:
            [batch, n_tokens, vocabulary].
        """
        decoder = self.whisper.model.decoder
        hidden = decoder.embed_tokens(tokens) + decoder.embed_positions.weight[places]
        for layer in decoder.layers:
            normed = layer.self_attn_layer_norm(hidden)
            hidden = hidden + layer.self_attn(normed, attention_mask=mask[None, None])[0]
            normed = layer.encoder_attn_layer_norm(hidden)
            hidden = hidden + layer.encoder_attn(normed, key_value_states=states)[0]
            normed = layer.final_layer_norm(hidden)
            hidden = hidden + layer.fc2(functional.gelu(layer.fc1(normed)))
        logits: Tensor = self.whisper.proj_out(decoder.layer_norm(hidden))
        return logits


def spec_augment(features: Tensor, n_mels: int, generator: torch.Generator) -> Tensor:
    """Masks two bands of mel channels and short stretches of time, in place.

    Args:
        features: [batch, stack * n_mels, n_columns].
        n_mels: mel bands in a column; the mask falls on the same band of each stacked frame.
        generator: the source of the draws.

    Source: Park et al. 2019; the time masks are short (80 ms), since a digit may last 150 ms.
    """
    batch, height, columns = features.shape
    stack = height // n_mels
    bands = features.view(batch, stack, n_mels, columns)

    def draw(high: int) -> int:
        return int(torch.randint(0, high, (1,), generator=generator))

    for item in range(batch):
        floor = features[item].amin()
        for _ in range(2):
            width = draw(9)
            start = draw(58 - width)  # telephone speech ends near band 58 of 80
            bands[item, :, start : start + width] = floor
        for _ in range(draw(2 + columns * stack // 120)):
            width = draw(8 // stack + 1)
            start = draw(max(1, columns - width))
            bands[item, :, :, start : start + width] = floor
    return features
