"""What `ivr bench --compare` races: shapes, contexts and engines, all over the same answer.

Theory of operation: speed depends on shape, not on weights, so what nobody trained has random ones:
a checkpoint of whisper-small's true shape as transformers writes it, loaded, cut and exported by
the code that real ones go through. Random weights write nonsense, though, and the time of a search
depends on what is heard. So a numeric network with random weights searches in what the given model
heard; its own matrix products are made in full. A decoder that writes piece by piece writes as many
as eight digits need, with Whisper's own beam, and nothing is searched: its time is the network's.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress, TextColumn, TimeElapsedColumn

from ivr.asr.engine import MODEL_RATE_HZ, Engine, Laps, widen
from ivr.asr.prefix_tree import PrefixTree
from ivr.asr.stock import StockEngine
from ivr.audio.mel import log_mel
from ivr.train.base import load_base
from ivr.train.export import export
from ivr.train.network import NumericWhisper, Shape
from ivr.train.random_base import SMALL, write_random_checkpoint
from ivr.train.stock import export_stock

if TYPE_CHECKING:
    from ivr.train.ctranslate2_contender import Writer

Samples = NDArray[np.int16]
Floats = NDArray[np.float32]
Run = Callable[[], dict[str, float]]  # recognises the answer once; milliseconds by stage

CONTEXT_S = 30
N_PIECES = 9  # a text of eight digits, one piece each, and its end
BEAM = 5  # Whisper's own
FEW_LAYERS = 2

EMBEDDED = "given model, ONNX Runtime int8"
CUT = "small cut, ONNX Runtime int8"
STOCK = "small stock 30 s, ONNX Runtime int8"
CUT_CTRANSLATE2 = "small cut, CTranslate2 int8"
STOCK_CTRANSLATE2 = "small stock 30 s, CTranslate2 int8"


@dataclass(frozen=True)
class Entry:
    """One way to recognise the answer; everything it needs lies on the disk.

    Attributes:
        name: what runs and how.
        against: names of the entries whose time this one's is compared with.
        load: loads it.
    """

    name: str
    against: tuple[str, ...]
    load: Callable[[], Run]


@dataclass
class Field:
    """Who races.

    Attributes:
        entries: in the order of the table.
        left_out: why others do not, a line each.
    """

    entries: list[Entry] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


class _Numeric(Engine):
    """An exported network with random weights, which searches in what a trained one heard.

    Args:
        folder: the exported model.
        heard: [n, vocabulary] float32, CTC log-probabilities of a trained model, any frame rate.
    """

    def __init__(self, folder: Path, heard: Floats) -> None:
        super().__init__(folder)
        self._heard = heard

    def encode(self, features: Floats) -> tuple[Floats, Floats]:
        """Its own states, the other's log-probabilities."""
        states, _ = super().encode(features)
        return states, _at_rate(self._heard, states.shape[1])


class _Torch(Engine):
    """A network in float32 by torch; it searches like `_Numeric`, and all else is as ever."""

    def __init__(self, network: NumericWhisper, like: Engine, heard: Floats) -> None:
        shape = network.shape
        self._network, self._heard = network.eval().float(), heard
        self.description = replace(
            like.description,
            n_mels=shape.n_mels,
            stack=shape.stack,
            frame_ms=shape.frame_ms,
            max_columns=2 * shape.max_frames,
            max_tokens=shape.max_tokens,
        )

    def encode(self, features: Floats) -> tuple[Floats, Floats]:
        """Its own states, the other's log-probabilities; the CTC head runs all the same."""
        with torch.inference_mode():
            states = self._network.encode(torch.from_numpy(features)[None])
            self._network.ctc(states)
        return np.asarray(states.numpy()), _at_rate(self._heard, states.shape[1])

    def score(self, states: Floats, tree: PrefixTree) -> Floats:
        """See `Engine.score`."""
        nodes = [torch.from_numpy(given) for given in (tree.tokens[None], tree.places, tree.mask)]
        with torch.inference_mode():
            logits = self._network.decode_tree(torch.from_numpy(states), *nodes)[0]
        return np.asarray(
            torch.log_softmax(logits, dim=-1)[tree.parents, tree.following].numpy(),
            dtype=np.float32,
        )


def _at_rate(log_probs: Floats, n_frames: int) -> Floats:
    """The same over another number of frames."""
    stretched: Floats = log_probs[np.arange(n_frames) * log_probs.shape[0] // n_frames]
    return stretched


class Contest:
    """Builds whatever the race needs, once a folder.

    Args:
        model: the model to compare with; None for the embedded one.
        samples: the answer, [n] int16, 8 kHz mono.
        grammar: grammar URI of the question.
        cache: where checkpoints and models are built; what is there is used again.
        report: called with a line before each thing that takes a while.
        shape: of the checkpoint to build; see `ivr.train.random_base`.

    Raises:
        ModelError: the model is missing or altered.
        ConfigError: it is a stock checkpoint.
    """

    def __init__(  # noqa: PLR0917 - whom with, over what, where
        self,
        model: Path | None,
        samples: Samples,
        grammar: str,
        cache: Path,
        report: Callable[[str], None],
        shape: dict[str, int] = SMALL,
    ) -> None:
        self._given = Engine(model)
        self._samples, self._grammar = samples, grammar
        self._cache, self._report, self._shape = cache, report, shape
        _, self._heard = self._given.encode(self._given.features(samples))

    def field(self) -> Field:
        """Everybody who can race, built."""
        base = self._build("checkpoint", self._write_checkpoint)
        cut = self._build("numeric", lambda out: _export_cut(base, out, 0))
        few = self._build("numeric-few", lambda out: _export_cut(base, out, FEW_LAYERS))
        stock = self._build("stock", lambda out: export_stock(str(base), out, "stock"))
        result = Field([Entry(EMBEDDED, (), lambda: self._recognizer(self._given))])
        shape = self._given.description.shape
        if shape:
            result.entries.append(
                Entry(
                    "given model's shape, torch float32",
                    (EMBEDDED,),
                    lambda: self._by_torch(NumericWhisper(Shape(**shape))),
                )
            )
        else:
            result.left_out.append(
                "given model by torch: its model.json does not tell its shape; export it again"
            )
        result.entries += [
            Entry(CUT, (EMBEDDED,), lambda: self._recognizer(_Numeric(cut, self._heard))),
            Entry(
                f"small cut, {FEW_LAYERS} decoder layers, ONNX Runtime int8",
                (EMBEDDED, CUT),
                lambda: self._recognizer(_Numeric(few, self._heard)),
            ),
            Entry("small cut, torch float32", (CUT,), lambda: self._by_torch(load_base(str(base)))),
            Entry(STOCK, (CUT,), lambda: self._stock(StockEngine(stock))),
        ]
        self._add_ctranslate2(result, base)
        return result

    def _add_ctranslate2(self, result: Field, base: Path) -> None:
        try:
            from ivr.train import ctranslate2_contender as other  # noqa: PLC0415 - an extra of its own
        except ModuleNotFoundError:
            result.left_out.append(
                "CTranslate2: the package ctranslate2 is missing; pip install 'ivr[bench]'"
            )
            return
        cut = self._build("ctranslate2-cut", lambda out: other.write_cut(base, out))
        stock = self._build("ctranslate2-stock", lambda out: other.write_stock(base, out))
        result.entries += [
            Entry(
                CUT_CTRANSLATE2,
                (CUT,),
                lambda: self._write(other.Writer(cut), self._features),
            ),
            Entry(
                STOCK_CTRANSLATE2,
                (CUT, CUT_CTRANSLATE2, STOCK),
                lambda: self._write(other.Writer(stock), self._padded_features),
            ),
        ]

    def _features(self) -> Floats:
        """Of the answer alone, as a cut network wants them."""
        return log_mel(widen(self._samples), self._shape["num_mel_bins"], level=True)

    def _padded_features(self) -> Floats:
        """Padded to 30 s, as Whisper was trained."""
        wide = widen(self._samples)
        padded = np.pad(wide, (0, CONTEXT_S * MODEL_RATE_HZ - wide.shape[0]))
        return log_mel(padded, self._shape["num_mel_bins"])

    def _build(self, name: str, build: Callable[[Path], object]) -> Path:
        """A folder of the cache; an interrupted build leaves none."""
        folder, partial = self._cache / name, self._cache / f"{name}.partial"
        if not folder.is_dir():
            self._report(f"building {name}")
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
            build(partial)
            partial.rename(folder)
        return folder

    def _write_checkpoint(self, folder: Path) -> None:
        write_random_checkpoint(folder, self._shape)

    def _recognizer(self, engine: Engine) -> Run:
        return lambda: engine.recognize(self._samples, self._grammar).compute_ms

    def _by_torch(self, network: NumericWhisper) -> Run:
        torch.set_num_threads(1)
        return self._recognizer(_Torch(network, self._given, self._heard))

    def _write(self, writer: Writer, features: Callable[[], Floats]) -> Run:
        return lambda: writer.run(features, beam=BEAM, n_pieces=N_PIECES)

    def _stock(self, engine: StockEngine) -> Run:
        def run() -> dict[str, float]:
            spent = Laps()
            features = engine.features(self._samples)
            spent.lap("mel")
            decoder = engine.encode(features)
            spent.lap("encode")
            for piece in engine.pieces.prompt:
                decoder.step([piece], [0])
            for number in range(N_PIECES):
                decoder.step([0] * BEAM, [0] * BEAM if number == 0 else list(range(BEAM)))
            spent.lap("decode")
            return spent.laps_ms

        return run


def _export_cut(base: Path, folder: Path, decoder_layers: int) -> None:
    export(load_base(str(base), decoder_layers=decoder_layers), folder, "random", {})


@contextmanager
def open_field(
    model: Path | None, samples: Samples, grammar: str, cache: Path | None
) -> Iterator[Field]:
    """Everybody who can race, built in `cache` or in a temporary folder, with a progress display.

    Raises:
        ModelError, ConfigError: as `Contest`.
    """
    with ExitStack() as stack:
        folder = cache or Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="ivr-bench-"))
        )
        with Progress(
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            console=Console(stderr=True),
        ) as progress:

            def report(what: str) -> None:
                for task in progress.task_ids:
                    progress.update(task, total=1, completed=1)
                progress.add_task(what, total=None)

            racers = Contest(model, samples, grammar, folder, report).field()
            for task in progress.task_ids:
                progress.update(task, total=1, completed=1)
        yield racers
