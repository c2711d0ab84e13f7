"""The phone's arithmetic in the browser that runs it: G.711 by the table, resampling by ear."""

from __future__ import annotations

from typing import Any

import numpy as np

from ivr.audio.g711 import mulaw_decode, mulaw_encode
from tests.server import conftest as server

G711 = """async () => {
  const g711 = await import("/console/static/phone/g711.js");
  const decoded = [...g711.decode(Uint8Array.from({length: 256}, (_, i) => i))];
  const encoded = [];
  for (let sample = -32768; sample < 32768; sample += 7) encoded.push(g711.encodeSample(sample));
  return {decoded, encoded};
}"""
RESAMPLE = """async ([from, to, hz, cut]) => {
  const {Resampler} = await import("/console/static/phone/resampler.js");
  const resampler = new Resampler(from, to);
  const turn = 2 * Math.PI * hz / from;
  const input = Float32Array.from({length: from / 2}, (_, i) => Math.sin(turn * i));
  const output = [];
  for (let at = 0; at < input.length; at += cut) {
    output.push(...resampler.push(input.subarray(at, at + cut)));
  }
  const middle = output.slice(output.length / 4, -output.length / 4);
  const power = middle.reduce((sum, sample) => sum + sample * sample, 0) / middle.length;
  return {output: to > 8000 ? [] : output, count: output.length, power};
}"""


def test_g711_and_resampling_are_right(chromium: Any) -> None:
    """Bytes decode and samples encode as the server's; speech passes, and nothing is folded."""

    async def scenario() -> None:
        async with server.serving() as bench, chromium(bench.url + "/console") as tab:
            check_g711(await tab.page.evaluate(G711))

            async def level_db(source: int, target: int, hz: float) -> float:
                made = await tab.page.evaluate(RESAMPLE, [source, target, hz, 128])
                assert abs(made["count"] - target / 2) <= 200
                return float(10 * np.log10(2 * made["power"] + 1e-9))

            for rate in (48_000, 44_100, 16_000):
                assert abs(await level_db(rate, 8000, 1000)) < 0.1
                assert await level_db(rate, 8000, 5000) < -60
            assert abs(await level_db(8000, 48_000, 1000)) < 0.1
            whole, pieces = [
                (await tab.page.evaluate(RESAMPLE, [44_100, 8000, 440, cut]))["output"]
                for cut in (44_100, 101)
            ]
            n = min(len(whole), len(pieces))  # at the end rounding decides on one sample
            assert n >= 3900
            assert np.allclose(whole[:n], pieces[:n], atol=1e-5)

    server.run_scenario(scenario)


def check_g711(tables: dict[str, list[float]]) -> None:
    """Hold the browser's tables to the server's codec."""
    right = mulaw_decode(bytes(range(256))).astype(np.float64) / 32768
    assert np.array_equal(np.array(tables["decoded"]), right)
    samples = np.arange(-32768, 32768, 7).astype(np.int16)
    ours = np.array(tables["encoded"], np.uint8)
    theirs = np.frombuffer(mulaw_encode(samples), np.uint8)
    # Rounding at the edges of a step may differ by one; a wrong step would be far off.
    error = mulaw_decode(ours.tobytes()).astype(int) - mulaw_decode(theirs.tobytes())
    assert np.abs(error).max() <= 1024
    assert np.mean(ours == theirs) > 0.99
