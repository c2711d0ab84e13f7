"""Training: from packed speech to a checkpoint, resumable, with an ETA.

    ivr train --data DIR --out runs/first                 # pack, train, export
    ivr train --base openai/whisper-tiny.en --data DIR --out runs/first   # from its weights
    ivr train --out runs/first                            # goes on where it stopped
    torchrun --nproc-per-node 2 -m ivr train ...          # two processes, 1.5x as fast on two cores

Theory of operation: one loss, 0.6 CTC + 0.4 decoder cross-entropy. On a GPU or a
processor with AMX forward and backward run on a bfloat16 copy of the weights (1.6x faster there
than autocast, which converts at every layer) while AdamW steps the float32 originals; elsewhere all
is float32. The rate warms
up, stays, and falls to nothing over the last steps, so a stopped run can be given more steps
without having been annealed too early. What a Whisper checkpoint brought along learns at the plain
rate, what is new at a multiple of it. An exponential average of the weights is what gets exported
(checkpoint averaging). Everything needed to go on lies in `checkpoint.pt`.
"""

from __future__ import annotations

import json
import os
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from pathlib import Path
from pickle import PickleError
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.nn import functional

from ivr.asr.tokens import BLANK, VOCABULARY, encode
from ivr.errors import ConfigError, ModelError
from ivr.train.channel import ChannelSettings
from ivr.train.corpus import PackedSet
from ivr.train.loader import EASY_IS_OVER, IGNORE, Batch, Utterances, features_of, open_loader
from ivr.train.mixer import Mixer
from ivr.train.network import NumericWhisper, Shape, spec_augment


@dataclass(frozen=True)
class TrainSettings:
    """Hyper-parameters; docs/explanation/training-log.md says what each was chosen by."""

    steps: int = 7_200
    batch_s: float = 72.0  # seconds of audio in a batch
    peak_rate: float = 1.5e-3
    new_rate_factor: float = 1.0  # the rate of the token table and the CTC head, relative
    from_easy: bool = True  # lengths and noise grow: a network that knows nothing needs it
    warmup_steps: int = 400
    decay_share: float = 0.35
    weight_decay: float = 0.02
    ctc_weight: float = 0.6
    label_smoothing: float = 0.05
    clip_norm: float = 2.0
    ema_decay: float = 0.999
    seed: int = 1
    workers: int = 1
    threads: int = 1
    save_every: int = 250
    check_every: int = 500


FINE_TUNING = TrainSettings(
    steps=6_000,
    batch_s=48.0,
    peak_rate=3e-4,
    new_rate_factor=4.0,
    from_easy=False,
    warmup_steps=200,
    decay_share=0.5,
)
"""What differs where the weights come from a Whisper checkpoint."""

NEW = ("ctc_head.", "whisper.model.decoder.embed_", "whisper.proj_out.")


def find_device(name: str = "auto") -> torch.device:
    """The device to compute on.

    Args:
        name: "cpu", "cuda", or "auto" for a GPU where there is one.

    Raises:
        ConfigError: a GPU is asked for and there is none, or the name is another.
    """
    if name not in ("auto", "cpu", "cuda"):
        raise ConfigError(f"--device {name}: there are auto, cpu and cuda")
    has_gpu = torch.cuda.is_available()
    if name == "cuda" and not has_gpu:
        raise ConfigError("--device cuda: no GPU that this torch can use; take --device cpu")
    return torch.device("cuda" if has_gpu and name != "cpu" else "cpu")


def has_fast_bfloat16(device: torch.device) -> bool:
    """Whether the device multiplies bfloat16 matrices in hardware: a GPU, or AMX."""
    return device.type == "cuda" or bool(torch.cpu._is_amx_tile_supported())


def join_group() -> tuple[int, int]:
    """This process's rank and the number of processes; (0, 1) unless started by `torchrun`."""
    if "WORLD_SIZE" not in os.environ or int(os.environ["WORLD_SIZE"]) == 1:
        return 0, 1
    if not distributed.is_initialized():
        # The others wait while the first packs and synthesises.
        distributed.init_process_group("gloo", timeout=timedelta(hours=12))
    return distributed.get_rank(), distributed.get_world_size()


def wait_for_group() -> None:
    """Returns when every process of the group has come here."""
    if join_group()[1] > 1:
        distributed.barrier()


def learning_rate(settings: TrainSettings, step: int) -> float:
    """Warm-up, plateau, and a straight fall over the last `decay_share` of the steps."""
    if step < settings.warmup_steps:
        return settings.peak_rate * (step + 1) / settings.warmup_steps
    decay_steps = settings.steps * settings.decay_share
    left = (settings.steps - step) / max(decay_steps, 1.0)
    return settings.peak_rate * min(1.0, max(left, 0.0)) + 1e-6


def loss_of(model: NumericWhisper, batch: Batch, settings: TrainSettings) -> Tensor:
    """CTC and decoder loss of one batch."""
    states = model.encode(batch.features)
    logits = model.decode(states, batch.decoder_input)
    log_probs = model.ctc(states).transpose(0, 1)
    n_frames = torch.full((log_probs.shape[1],), log_probs.shape[0])
    ctc = functional.ctc_loss(
        log_probs, batch.ctc_targets, n_frames, batch.ctc_lengths, BLANK, zero_infinity=True
    )
    decoder = functional.cross_entropy(
        logits.float().flatten(0, 1),
        batch.decoder_target.flatten(),
        ignore_index=IGNORE,
        label_smoothing=settings.label_smoothing,
    )
    return settings.ctc_weight * ctc + (1 - settings.ctc_weight) * decoder


def greedy(log_probs: Tensor) -> list[int]:
    """The best CTC path [n_frames, vocabulary] with repeats and blanks taken out."""
    best = log_probs.argmax(dim=-1).tolist()
    return [
        token
        for position, token in enumerate(best)
        if token != BLANK and (position == 0 or token != best[position - 1])
    ]


def check(model: NumericWhisper, sets: dict[str, PackedSet], limit: int = 600) -> dict[str, float]:
    """Share of utterances whose words are all right, by greedy CTC, on clean recordings."""
    model.eval()
    result = {}
    for name, packed in sets.items():
        clips = packed.clips[:: max(1, len(packed.clips) // limit)]
        right = 0
        for clip in clips:
            samples = packed.load(clip)
            features = features_of(samples, model.shape.n_mels, model.shape.stack)
            with torch.no_grad():
                log_probs = model.ctc(model.encode(torch.from_numpy(features)[None]))
            right += greedy(log_probs[0]) == encode(clip.words)
        result[name] = right / max(1, len(clips))
    model.train()
    return result


def read_checkpoint(out: Path) -> dict[str, Any] | None:
    """The checkpoint of a run's folder; None where there is none.

    Raises:
        ModelError: it is broken.
        ConfigError: it was trained with another vocabulary.
    """
    path = out / "checkpoint.pt"
    if not path.is_file():
        return None
    try:
        saved: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        vocabulary = saved["vocabulary"]
    except (RuntimeError, EOFError, OSError, PickleError, KeyError, TypeError) as error:
        raise ModelError(
            f"{path} is broken ({type(error).__name__}); remove it to start anew"
        ) from error
    if vocabulary != list(VOCABULARY):
        raise ConfigError(f"{path} was trained with another vocabulary; use a new --out folder")
    return saved


def saved_settings(out: Path) -> TrainSettings | None:
    """The hyper-parameters of a run that has a checkpoint.

    Raises:
        ModelError, ConfigError: as `read_checkpoint`.
    """
    saved = read_checkpoint(out)
    return TrainSettings(**saved["settings"]) if saved else None


def trained_model(out: Path) -> NumericWhisper | None:
    """The averaged weights of a run that has a checkpoint, to begin another run from.

    Raises:
        ModelError, ConfigError: as `read_checkpoint`.
    """
    saved = read_checkpoint(out)
    if saved is None:
        return None
    model = NumericWhisper(Shape(**saved["shape"]))
    model.load_state_dict({name: value.float() for name, value in saved["average"].items()})
    return model


class Trainer:
    """One training run in a folder.

    Args:
        out: the run's folder: checkpoint.pt, log.jsonl.
        settings: hyper-parameters.
        start: the size of a network that learns from nothing, or one that has learnt; ignored
            where a checkpoint is resumed.
        mixer: what to train on.
        channel: the telephone.
        checks: sets to look at now and then; never trained on.
        device: where to compute.

    Raises:
        ModelError: the checkpoint is broken.
        ConfigError: the checkpoint was trained with another vocabulary.
    """

    def __init__(  # noqa: PLR0917 - where, how, what, on what, through what, held to what
        self,
        out: Path,
        settings: TrainSettings,
        start: Shape | NumericWhisper,
        mixer: Mixer,
        channel: ChannelSettings,
        checks: dict[str, PackedSet],
        device: torch.device | None = None,
    ) -> None:
        self.out, self.settings, self.checks = out, settings, checks
        self.device = device or torch.device("cpu")
        self.mixer, self.channel = mixer, channel
        out.mkdir(parents=True, exist_ok=True)
        torch.set_num_threads(settings.threads)
        torch.manual_seed(settings.seed)
        saved = read_checkpoint(out)
        self.step = saved["step"] if saved else 0
        self.rank, self.world = join_group()
        if saved:
            self.model = NumericWhisper(Shape(**saved["shape"]))
        elif isinstance(start, NumericWhisper):
            self.model = start
        else:
            self.model = NumericWhisper(start)
            first = next(iter(self._utterances()))
            self.model.initialise(first.features.mean(dim=(0, 2)))
        self.model.to(self.device)
        self.average = {k: v.detach().clone() for k, v in self.model.state_dict().items()}
        # Forward and backward run on this one, which is the model itself but for its precision.
        self.computing = self.model
        if has_fast_bfloat16(self.device):
            self.computing = NumericWhisper(self.model.shape).to(self.device, torch.bfloat16)
        self.optimizer = torch.optim.AdamW(
            self._parameter_groups(), lr=settings.peak_rate, betas=(0.9, 0.98), fused=True
        )
        if saved:
            self.model.load_state_dict(saved["model"])
            self.average = {name: v.to(self.device) for name, v in saved["average"].items()}
            self.optimizer.load_state_dict(saved["optimizer"])
        if self.world > 1:
            for parameter in self.model.parameters():
                distributed.broadcast(parameter.data, 0)
        self._copy_weights()

    def _parameter_groups(self) -> list[dict[str, Any]]:
        """Matrices decay, biases and norms do not; what is new learns faster."""
        groups: dict[tuple[bool, bool], list[nn.Parameter]] = defaultdict(list)
        for name, parameter in self.model.named_parameters():
            if parameter.requires_grad:
                groups[parameter.ndim >= 2, name.startswith(NEW)].append(parameter)
        return [
            {
                "params": parameters,
                "weight_decay": self.settings.weight_decay if is_matrix else 0.0,
                "factor": self.settings.new_rate_factor if is_new else 1.0,
            }
            for (is_matrix, is_new), parameters in sorted(groups.items())
        ]

    def _utterances(self) -> Utterances:
        shape = self.model.shape
        return Utterances(
            self.mixer,
            self.channel,
            # A resumed run draws new utterances instead of the ones it began with.
            seed=(self.settings.seed * 1_000_003 + self.step) * self.world + self.rank,
            batch_s=self.settings.batch_s,
            n_mels=shape.n_mels,
            stack=shape.stack,
            first_batch=self.step if self.settings.from_easy else EASY_IS_OVER,
        )

    def _copy_weights(self) -> None:
        if self.computing is self.model:
            return
        with torch.no_grad():
            copies: list[Tensor] = list(self.computing.parameters())
            wholes: list[Tensor] = list(self.model.parameters())
            torch._foreach_copy_(copies, wholes)

    def save(self) -> None:
        """Writes the checkpoint; a crash meanwhile leaves the old one whole."""
        if self.rank != 0:
            return
        partial = self.out / "checkpoint.partial"
        torch.save(
            {
                "step": self.step,
                "shape": self.model.shape.as_dict(),
                "vocabulary": list(VOCABULARY),
                "settings": asdict(self.settings),
                "model": self.model.state_dict(),
                "average": self.average,
                "optimizer": self.optimizer.state_dict(),
            },
            partial,
        )
        partial.replace(self.out / "checkpoint.pt")

    def averaged(self) -> NumericWhisper:
        """The model with the averaged weights, ready to export."""
        model = NumericWhisper(self.model.shape)
        model.load_state_dict(self.average)
        return model.eval()

    def run(self, report: Callable[[dict[str, Any]], None]) -> None:
        """Trains up to `settings.steps`; `report` gets a row of figures every 50 steps."""
        settings = self.settings
        generator = torch.Generator().manual_seed(settings.seed + self.step)
        self.computing.train()
        started, first_step, losses, utterances = time.monotonic(), self.step, [], 0
        for batch in open_loader(self._utterances(), settings.workers):
            if self.step >= settings.steps:
                break
            losses.append(self._train_on(batch, generator))
            utterances += batch.features.shape[0]
            self.step += 1
            if self.step % 50 == 0 and self.rank == 0:
                elapsed_s = time.monotonic() - started
                done = self.step - first_step
                row: dict[str, Any] = {
                    "step": self.step,
                    "loss": round(sum(losses[-50:]) / len(losses[-50:]), 4),
                    "rate": round(learning_rate(settings, self.step), 7),
                    "utterances_per_s": round(utterances / elapsed_s, 1),
                    "eta_s": round(elapsed_s / done * (settings.steps - self.step)),
                }
                if self.step % settings.check_every == 0 or self.step == settings.steps:
                    row |= check(self.averaged(), self.checks)
                with (self.out / "log.jsonl").open("a") as log:
                    log.write(json.dumps(row) + "\n")
                report(row)
            if self.step % settings.save_every == 0:
                self.save()
        self.save()

    def _take_gradients(self) -> None:
        """Moves gradients to the originals, averaged over the processes of a group."""
        if self.computing is self.model and self.world == 1:
            return
        pairs = [
            (copy, whole)
            for copy, whole in zip(
                self.computing.parameters(), self.model.parameters(), strict=True
            )
            if copy.grad is not None
        ]
        flat = torch.cat([copy.grad.flatten() for copy, _ in pairs if copy.grad is not None])
        flat = flat.float()
        if self.world > 1:
            distributed.all_reduce(flat)
            flat /= self.world
        for copy, _ in pairs:
            copy.grad = None
        for (_, whole), grad in zip(
            pairs, torch.split(flat, [whole.numel() for _, whole in pairs]), strict=True
        ):
            whole.grad = grad.view_as(whole)

    def _train_on(self, batch: Batch, generator: torch.Generator) -> float:
        settings = self.settings
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(settings, self.step) * group["factor"]
        features = spec_augment(batch.features, self.model.shape.n_mels, generator)
        precision = self.computing.ctc_head.weight.dtype
        batch = replace(batch, features=features.to(precision)).to(self.device)
        loss = loss_of(self.computing, batch, settings)
        torch.autograd.backward(loss)
        self._take_gradients()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), settings.clip_norm)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self._copy_weights()
        # A short memory at first, or the average would remember the random start.
        decay = min(settings.ema_decay, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for name, value in self.model.state_dict().items():
                self.average[name].lerp_(value, 1 - decay)
        return float(loss.detach())
