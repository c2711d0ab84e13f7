"""The mean of several runs' weights: `python -m ivr.train.average RUN RUN... --out DIR`.

Theory of operation: runs that began from the same weights lie in one valley, and the middle of it
is often better than either shore (Wortsman et al. 2022, "Model soups"). The mean is exported to
DIR/model, and kept in half precision as DIR/checkpoint.pt, from which another run can begin
(`ivr train --base DIR`).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from ivr.errors import ConfigError, IvrError
from ivr.train.export import export
from ivr.train.network import NumericWhisper, Shape
from ivr.train.train import read_checkpoint


def average(runs: Sequence[Path], out: Path) -> None:
    """Averages the runs' weights, exports them, and keeps them to begin from.

    Args:
        runs: folders with a checkpoint.pt, of one shape.
        out: folder for model/ and checkpoint.pt.

    Raises:
        ConfigError: a run has no checkpoint, another shape or another vocabulary.
        ModelError: a checkpoint is broken.
    """
    saved = []
    for run in runs:
        checkpoint = read_checkpoint(run)
        if checkpoint is None:
            raise ConfigError(f"{run} holds no checkpoint.pt")
        saved.append(checkpoint)
        if checkpoint["shape"] != saved[0]["shape"]:
            raise ConfigError(f"{run} has another shape than {runs[0]}")
    mean = {
        name: torch.stack([checkpoint["average"][name].float() for checkpoint in saved]).mean(0)
        for name in saved[0]["average"]
    }
    model = NumericWhisper(Shape(**saved[0]["shape"]))
    model.load_state_dict(mean)
    steps = [checkpoint["step"] for checkpoint in saved]
    export(model, out / "model", "numeric-whisper", {"mean_of_steps": steps})
    kept = {key: saved[-1][key] for key in ("step", "shape", "vocabulary", "settings")}
    kept["average"] = {name: value.half() for name, value in mean.items()}
    torch.save(kept, out / "checkpoint.pt")


def main() -> None:
    """The command line, see the module's docstring."""
    parser = argparse.ArgumentParser(description="Average the weights of training runs.")
    parser.add_argument("runs", nargs="+", type=Path, help="folders of runs")
    parser.add_argument("--out", required=True, type=Path, help="folder for model/, checkpoint.pt")
    options = parser.parse_args()
    try:
        average(options.runs, options.out)
    except IvrError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
