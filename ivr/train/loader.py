"""Batches for training: utterances of like length, through the telephone, as features.

Theory of operation: each worker process draws utterances, rounds each up to a multiple of 240 ms by
more line before and after it, and keeps one basket a length. A full basket (by total seconds)
leaves as a batch. So no batch needs padding or masks, and the model learns that a line goes on
after the last digit.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import soxr
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from ivr.asr.tokens import EOT, SOT
from ivr.audio.mel import log_mel, stack_frames
from ivr.train.channel import RATE_HZ, ChannelSettings, Samples, telephone
from ivr.train.mixer import Mixer

BASKET_STEP = RATE_HZ * 6 // 25  # 240 ms: a whole number of encoder frames
IGNORE = -100  # torch's cross-entropy leaves such targets out
SHORTEST_LIMIT_S = 1.3
LIMIT_GROWTH_S = 0.006  # a batch: single words first, ten digits after 700 batches
FULL_CHANNEL_BATCHES = 1_000  # until then noise, rooms and losses come more and more often
# Line before and after the speech, at most; a noisy line is cut late or not at all.
LEADS_S = (0.0, 0.0, 0.1, 0.1, 0.3, 0.3, 1.2)
TRAILS_S = (0.4, 0.4, 0.4, 0.4, 1.2)
EASY_IS_OVER = 10_000  # a batch at which any length and any channel may come


@dataclass
class Batch:
    """One batch of equally long utterances.

    Attributes:
        features: [batch, stack * n_mels, n_columns] float32.
        ctc_targets: [n] int64, the token ids of all utterances in a row.
        ctc_lengths: [batch] int64, how many of them belong to each.
        decoder_input: [batch, n_tokens] int64, SOT first.
        decoder_target: [batch, n_tokens] int64, the same shifted: EOT last, IGNORE after.
    """

    features: torch.Tensor
    ctc_targets: torch.Tensor
    ctc_lengths: torch.Tensor
    decoder_input: torch.Tensor
    decoder_target: torch.Tensor

    def to(self, device: torch.device) -> Batch:
        """The same on another device."""
        return Batch(**{name: value.to(device) for name, value in vars(self).items()})


def features_of(samples: Samples, n_mels: int, stack: int) -> NDArray[np.float32]:
    """Features [stack * n_mels, n_columns] of 8 kHz samples, by the functions that serve a call."""
    upsampled = soxr.resample(samples, RATE_HZ, 2 * RATE_HZ)
    return stack_frames(log_mel(upsampled, n_mels, level=True), stack)


def collate(features: list[NDArray[np.float32]], tokens: list[list[int]]) -> Batch:
    """Stacks equally long features and pads the transcripts."""
    width = max(len(ids) for ids in tokens) + 1
    decoder_input = torch.full((len(tokens), width), EOT)
    decoder_target = torch.full((len(tokens), width), IGNORE)
    for row, ids in enumerate(tokens):
        decoder_input[row, : len(ids) + 1] = torch.tensor([SOT, *ids])
        decoder_target[row, : len(ids) + 1] = torch.tensor([*ids, EOT])
    return Batch(
        torch.from_numpy(np.stack(features)),
        torch.tensor([token for ids in tokens for token in ids], dtype=torch.long),
        torch.tensor([len(ids) for ids in tokens]),
        decoder_input,
        decoder_target,
    )


class Utterances(IterableDataset[Batch]):
    """An endless stream of batches; each worker has its own seed.

    Args:
        mixer: where utterances come from.
        channel: the telephone.
        seed: repeats the stream.
        batch_s: seconds of audio in a batch.
        n_mels: mel bands.
        stack: mel frames to a column.
        first_batch: the training step this stream begins at. A network that knows nothing leaves
            the all-blank plateau of CTC on short utterances in a few hundred steps, on long ones in
            thousands, so the allowed length grows from single words.
    """

    def __init__(
        self,
        mixer: Mixer,
        channel: ChannelSettings,
        *,
        seed: int,
        batch_s: float,
        n_mels: int,
        stack: int,
        first_batch: int = 0,
    ) -> None:
        self.mixer, self.channel, self.first_batch = mixer, channel, first_batch
        self.seed, self.batch_s = seed, batch_s
        self.n_mels, self.stack = n_mels, stack

    def __iter__(self) -> Iterator[Batch]:
        info = get_worker_info()
        rng = np.random.default_rng([self.seed, info.id if info else 0])
        baskets: dict[int, list[tuple[NDArray[np.float32], list[int]]]] = defaultdict(list)
        made = self.first_batch
        while True:
            limit_s = SHORTEST_LIMIT_S + LIMIT_GROWTH_S * made
            steps, features, ids = self._draw(rng, limit_s, min(1.0, made / FULL_CHANNEL_BATCHES))
            basket = baskets[steps]
            basket.append((features, ids))
            if len(basket) * steps * BASKET_STEP >= self.batch_s * RATE_HZ:
                yield collate([item[0] for item in basket], [item[1] for item in basket])
                basket.clear()
                made += info.num_workers if info else 1

    def _draw(
        self, rng: np.random.Generator, limit_s: float = 60.0, hardness: float = 1.0
    ) -> tuple[int, NDArray[np.float32], list[int]]:
        mixer = self.mixer
        clean, ids = mixer.draw(rng)
        while clean.shape[0] > limit_s * RATE_HZ:
            clean, ids = mixer.draw(rng)
        lead = int(rng.choice(LEADS_S) * rng.random() * RATE_HZ)
        trail = int(rng.choice(TRAILS_S) * rng.random() * RATE_HZ)
        steps = -(-(lead + clean.shape[0] + trail) // BASKET_STEP)
        total = max(1, steps) * BASKET_STEP
        channel = self.channel.eased(hardness)
        line = telephone(rng, clean, lead, total, mixer.noises, mixer.babble, channel)
        return max(1, steps), features_of(line, self.n_mels, self.stack), ids


def open_loader(dataset: Utterances, workers: int) -> DataLoader[Batch]:
    """A loader whose worker processes prepare batches ahead."""
    return DataLoader(
        dataset, batch_size=None, num_workers=workers, prefetch_factor=6 if workers else None
    )
