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
  const input = Float32Array.from({length: from}, (_, i) => Math.sin(2 * Math.PI * hz * i / from));
  const output = [];
  for (let at = 0; at < input.length; at += cut) {
    output.push(...resampler.push(input.subarray(at, at + cut)));
  }
  return output;
}"""


def test_g711_is_that_of_the_server(chromium: Any) -> None:
    """Every byte decodes and every sample encodes as on the other side."""

    async def scenario() -> None:
        async with server.serving() as bench, chromium(bench.url + "/console") as tab:
            tables = await tab.page.evaluate(G711)
        right = mulaw_decode(bytes(range(256))).astype(np.float64) / 32768
        assert np.array_equal(np.array(tables["decoded"]), right)
        samples = np.arange(-32768, 32768, 7).astype(np.int16)
        ours = np.frombuffer(bytes(tables["encoded"]), np.uint8)
        theirs = np.frombuffer(mulaw_encode(samples), np.uint8)
        # Rounding at the edges of a step may differ by one; a wrong step would be far off.
        error = mulaw_decode(ours.tobytes()).astype(int) - mulaw_decode(theirs.tobytes())
        assert np.abs(error).max() <= 1024
        assert np.mean(ours == theirs) > 0.99

    server.run_scenario(scenario)


def test_resampling_keeps_speech_and_folds_nothing(chromium: Any) -> None:
    """A tone of speech passes, one above half the rate is gone, and pieces do not matter."""

    async def scenario() -> None:
        async with server.serving() as bench, chromium(bench.url + "/console") as tab:

            async def level_db(source: int, target: int, hz: float) -> float:
                out = np.array(await tab.page.evaluate(RESAMPLE, [source, target, hz, 128]))
                assert abs(out.size - target) <= 200
                middle = out[out.size // 4 : -out.size // 4]
                return float(20 * np.log10(np.sqrt(2 * np.mean(middle**2)) + 1e-9))

            for rate in (48_000, 44_100, 16_000):
                assert abs(await level_db(rate, 8000, 1000)) < 0.1
                assert await level_db(rate, 8000, 5000) < -60
            assert abs(await level_db(8000, 48_000, 1000)) < 0.1
            whole = await tab.page.evaluate(RESAMPLE, [44_100, 8000, 440, 44_100])
            pieces = await tab.page.evaluate(RESAMPLE, [44_100, 8000, 440, 101])
            n = min(len(whole), len(pieces))  # at the end rounding decides on one sample
            assert n >= 8000
            assert np.allclose(whole[:n], pieces[:n], atol=1e-5)

    server.run_scenario(scenario)
