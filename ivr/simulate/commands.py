"""`ivr call`: place one simulated call and report it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from ivr.audio.espeak import Espeak
from ivr.audio.wav import write_wav
from ivr.errors import ConfigError
from ivr.simulate.caller import CallResult, place_call
from ivr.simulate.playout import RATE_HZ
from ivr.simulate.report import as_json, print_dialogue, print_summary
from ivr.simulate.script import CallerVoice, Script, quick_script
from ivr.simulate.script_file import load_script
from ivr.simulate.verdict import judge
from ivr.simulate.voice import render_sounds
from ivr.simulate.webhook import Server, Stream

DEFAULT_SERVER = "http://127.0.0.1:8080"

EXIT_AS_SCRIPTED = 0
EXIT_NOT_AS_SCRIPTED = 1


def run_call(
    *,
    server: str | None = DEFAULT_SERVER,
    url: str | None = None,
    token: str | None = None,
    script: Path | None = None,
    answers: Sequence[tuple[str, str]] = (),
    caller: CallerVoice | None = None,
    record: Path | None = None,
    json_output: bool = False,
    auth_token: str | None = None,
    api_key: str | None = None,
    console: Console | None = None,
) -> int:
    """Place one call, print it, and judge it.

    Args:
        server: address of the server whose webhook announces the call and whose API has the record.
        url: the media socket itself, to call without a webhook; `server` then only gives the
            record, and ``None`` does without.
        token: the call token for `url`; goes into the start message's parameter ``token``.
        script: a dialogue file.
        answers: instead of a script, pairs of ``say``, ``wav`` or ``keys`` and what to say, play or
            press, in order; each answers one prompt.
        caller: how the caller of `answers` sounds; a script says it itself.
        record: write the call here as a stereo WAV, caller left, agent right.
        json_output: print one JSON object instead of the dialogue.
        auth_token: the Twilio auth token to sign the webhook and the upgrade with.
        api_key: a key of its API, for the record.
        console: where to print.

    Returns:
        The exit status: 0 if the call went as the script says, 1 if not.

    Raises:
        ConfigError: options or script are wrong.
        AudioError: a recording cannot be read or written.
        ModelError: the synthesiser is missing.
    """
    console = console or Console()
    dialogue = _choose_script(script, answers, caller)
    if token is not None and url is None:
        raise ConfigError("--token: belongs to --url; the webhook of --server gives its own")
    if url is None and server is None:
        raise ConfigError("give --server or --url")
    if record is not None and not record.parent.is_dir():
        raise ConfigError(f"--record: no folder {record.parent}; create it first")
    stream = Stream(url, {"token": token} if token else {}, auth_token) if url else None
    home = Server(server, auth_token, api_key) if server else None
    sounds = render_sounds(dialogue, Espeak())
    result = asyncio.run(place_call(dialogue, sounds, home, stream))
    if record is not None:
        save_recording(result, record)
    verdict = judge(result)
    if json_output:
        console.print_json(json.dumps(as_json(verdict)))
    else:
        print_dialogue(console, verdict)
        print_summary(console, [verdict])
    return EXIT_AS_SCRIPTED if verdict.passed else EXIT_NOT_AS_SCRIPTED


def save_recording(result: CallResult, path: Path) -> None:
    """Write a call as a stereo WAV, caller left, agent right; nothing for a call that never began.

    Raises:
        AudioError: the file cannot be written.
    """
    if result.tracks is not None and result.tracks.size:
        write_wav(path, result.tracks, RATE_HZ)


def _choose_script(
    path: Path | None, answers: Sequence[tuple[str, str]], caller: CallerVoice | None
) -> Script:
    """The script that the options ask for."""
    if path is not None and answers:
        raise ConfigError("--script: cannot be combined with --say, --wav or --keys")
    if path is not None:
        return load_script(path)
    if not answers:
        raise ConfigError("nothing to do: give --script, --say, --wav or --keys")
    return quick_script(answers, caller or CallerVoice())
