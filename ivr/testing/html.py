"""`ivr test --html`: the calls as one page, which needs nothing but itself.

Theory of operation: each call has its waveform as SVG, its dialogue with times, its expectations,
and its audio, as a data address. No script and no address of another file is in the page. What must
not be shown (`ivr.simulate.masking`) must not be heard either: the audio is silent there, and the
waveform flat.

jinja2 is the extra `report`.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np
import soundfile
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from numpy.typing import NDArray

from ivr import __version__
from ivr.errors import ConfigError
from ivr.simulate.exchange import Check
from ivr.simulate.playout import RATE_HZ
from ivr.simulate.timeline import Moment, timeline
from ivr.testing.run import Plan, Tested

TEMPLATE: Final = "report.html.jinja"
WIDTH: Final = 1000  # of a waveform, in its own units
TRACK: Final = 50  # height of a side
_MARGIN_S: Final = 0.3  # around what must not be heard: an answer's edges are in it


@dataclass(frozen=True, slots=True)
class Shown:
    """A call as the page has it."""

    tested: Tested
    moments: Sequence[Moment]
    checks: Sequence[Check]
    svg: Markup
    audio: str

    @property
    def failure(self) -> str | None:
        """Why the script could not be carried out."""
        return self.tested.verdict.result.failure


def write_html(path: Path, tested: Sequence[Tested], plan: Plan) -> None:
    """Write the page.

    Raises:
        ConfigError: it cannot be written.
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template(TEMPLATE).render(
        calls=[_show(each) for each in tested],
        passed=sum(each.passed for each in tested),
        plan=plan,
        at=datetime.now(UTC),
        version=__version__,
    )
    try:
        path.write_text(page, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise ConfigError(f"--html: {path} cannot be written ({error.strerror})") from error


def _show(tested: Tested) -> Shown:
    verdict = tested.verdict
    moments = timeline(verdict)
    tracks = verdict.result.tracks
    if tracks is None or not len(tracks):
        return Shown(tested, moments, verdict.checks, Markup(), "")
    audible = _hushed(tracks, moments)
    return Shown(tested, moments, verdict.checks, _waveform(audible, moments), _audio(audible))


def _hushed(tracks: NDArray[np.int16], moments: Sequence[Moment]) -> NDArray[np.int16]:
    """The call without what must not be heard: [n, 2] int16."""
    hushed = tracks.copy()
    for moment in moments:
        if moment.hidden:
            first = max(0, round((moment.start_s - _MARGIN_S) * RATE_HZ))
            hushed[first : round((moment.end_s + _MARGIN_S) * RATE_HZ), _side(moment)] = 0
    return hushed


def _side(moment: Moment) -> int:
    return 1 if moment.who == "agent" else 0


def _audio(tracks: NDArray[np.int16]) -> str:
    """A call as a data address, as small as this machine's libsndfile makes it."""
    small = "MP3" in soundfile.available_formats()
    kind, mime = ("MP3", "audio/mpeg") if small else ("WAV", "audio/wav")
    out = io.BytesIO()
    soundfile.write(out, tracks, RATE_HZ, format=kind)
    return f"data:{mime};base64,{base64.b64encode(out.getvalue()).decode('ascii')}"


def _waveform(tracks: NDArray[np.int16], moments: Sequence[Moment]) -> Markup:
    """Both sides of a call, the caller above, decisions as lines, silenced parts hatched."""
    length_s = len(tracks) / RATE_HZ
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {2 * TRACK + 14}" role="img" aria-label="Waveform of the call">'
    ]
    for moment in moments:
        x, end = (round(s / length_s * WIDTH, 1) for s in (moment.start_s, moment.end_s))
        if moment.hidden:
            y, wide = _side(moment) * TRACK, max(1.0, end - x)
            parts.append(f'<rect class="hidden" x="{x}" y="{y}" width="{wide}" height="{TRACK}"/>')
        if moment.who == "heard":
            parts.append(f'<line class="decided" x1="{x}" x2="{x}" y1="0" y2="{2 * TRACK}"/>')
    for side, name in enumerate(("caller", "agent")):
        parts.append(f'<path class="{name}" d="{_outline(tracks[:, side], side * TRACK)}"/>')
    for second in range(0, int(length_s) + 1, max(1, int(length_s / 12))):
        x = round(second / length_s * WIDTH, 1)
        parts.append(f'<text x="{x}" y="{2 * TRACK + 11}">{second} s</text>')
    return Markup("".join([*parts, "</svg>"]))  # noqa: S704 - numbers and our own words only


def _outline(samples: NDArray[np.int16], top: int) -> str:
    """The loudest sample of each unit of width, mirrored, as a path."""
    edges = np.linspace(0, len(samples), min(WIDTH, len(samples)) + 1).astype(int)[:-1]
    peaks = np.maximum.reduceat(np.abs(samples.astype(np.int32)), edges) / 32768
    middle = top + TRACK / 2
    # The square root shows soft speech beside loud.
    heights = np.sqrt(peaks) * (TRACK / 2 - 2)
    above = [f"{x},{middle - height:.1f}" for x, height in enumerate(heights)]
    below = [f"{x},{middle + heights[x]:.1f}" for x in range(len(heights) - 1, -1, -1)]
    return f"M{' L'.join([*above, *below])}Z"
