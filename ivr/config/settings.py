"""Every key of the configuration: its name, unit, default, limits and meaning."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, IPvAnyNetwork, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

ENV_PREFIX: Final = "IVR_"

Port = Annotated[int, Field(ge=0, le=65535)]
_HOST: Final = r"^([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?$"

Seconds = Annotated[float, Field(gt=0, le=86_400)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ServerSettings(_Section):
    """Addresses, limits and times of the HTTP and media server."""

    host: str = Field(
        default="127.0.0.1", description="Address to listen on; 0.0.0.0 for every interface."
    )
    port: Port = Field(default=8080, description="TCP port to listen on; 0 takes a free one.")
    public_url: str | None = Field(
        default=None,
        description="What the provider calls this server, e.g. https://ivr.example.com; the media "
        "address and the signatures follow from it. Null: taken from each request's Host.",
    )
    max_calls: int = Field(
        default=50, ge=1, le=10_000, description="Calls at the same time; further ones are refused."
    )
    max_message_bytes: int = Field(
        default=65_536,
        ge=1024,
        le=16_777_216,
        description="Longest media message, bytes; a longer one closes the socket with 1009.",
    )
    start_timeout_s: Seconds = Field(
        default=5.0, description="Seconds a media socket may take to send its start message."
    )
    token_ttl_s: Seconds = Field(
        default=60.0,
        description="Seconds between the webhook's answer and the stream it announced.",
    )
    stall_timeout_s: Seconds = Field(
        default=15.0, description="Seconds without a message after which a stream counts as dead."
    )
    max_call_s: Seconds = Field(
        default=1800.0, description="Longest call, seconds; then it is ended."
    )
    send_ahead_s: Seconds = Field(
        default=3.0,
        description="Seconds of prompt audio the provider may hold unplayed; what is sent further "
        "ahead only waits in buffers and is wasted when the caller barges in.",
    )
    send_timeout_s: Seconds = Field(
        default=10.0, description="Seconds one message may wait for a provider that does not read."
    )
    drain_s: Seconds = Field(
        default=30.0,
        description="Seconds that calls may still take after SIGTERM before they are closed.",
    )
    inband_dtmf: bool = Field(
        default=False,
        description="Hear keys in the audio, for trunks that send no key events. Twilio sends them,"
        " and each key would count twice.",
    )


class ApiSettings(_Section):
    """Limits of the REST API."""

    max_upload_bytes: int = Field(
        default=16_777_216,
        ge=65_536,
        le=1_073_741_824,
        description="Most bytes of recordings in one request; a larger one is refused with 413.",
    )
    max_uploads: int = Field(
        default=8, ge=1, le=1000, description="Requests with recordings at the same time."
    )
    upload_timeout_s: Seconds = Field(
        default=60.0, description="Seconds that the body of one request may take."
    )
    decoders: int = Field(
        default=1,
        ge=1,
        le=64,
        description="Processes that decode recordings, each with limits of memory and time.",
    )
    max_streams: int = Field(
        default=8, ge=1, le=1000, description="Streams of /v1/stream at the same time."
    )
    requests_per_minute: int = Field(
        default=600, ge=1, le=1_000_000, description="Requests a minute of one key."
    )
    address_requests_per_minute: int = Field(
        default=1200,
        ge=1,
        le=1_000_000,
        description="Requests a minute from one address, whatever key they show.",
    )
    trusted_proxies: tuple[IPvAnyNetwork, ...] = Field(
        default=(),
        description="Networks of the proxies in front, such as 10.0.0.0/8: what they say in "
        "X-Forwarded-For is believed when requests are counted.",
    )
    fetch_hosts: tuple[str, ...] = Field(
        default=(),
        description="Hosts that recordings may be fetched from: audio.example.com, *.example.com, "
        "either with :PORT; networks such as 10.1.0.0/16 where private addresses are meant. None: "
        "transcribe-url fetches nothing.",
    )
    fetch_timeout_s: Seconds = Field(
        default=15.0, description="Seconds that fetching one recording may take."
    )


class TwilioSettings(_Section):
    """The Twilio account whose calls are accepted, and that places calls."""

    auth_token: SecretStr | None = Field(
        default=None,
        min_length=1,
        description="The account's auth token; with it the X-Twilio-Signature of every webhook and "
        "media socket is checked, for which server.public_url is needed. Null: nothing is checked.",
    )
    account_sid: str | None = Field(
        default=None,
        pattern="^AC[0-9A-Za-z]{32}$",
        description="The account's id; with it and the auth token calls are placed, and a transfer "
        "goes over the REST API. Null: the stream is closed, and the provider asks at /voice/after "
        "whom to dial.",
    )
    from_number: str | None = Field(
        default=None,
        pattern=r"^\+[1-9][0-9]{6,14}$",
        description="The account's number that placed calls come from, such as +15550100.",
    )
    api_url: str = Field(
        default="https://api.twilio.com",
        pattern="^https?://.",
        description="Address of the REST API; another for another region.",
    )


class RecognizerSettings(_Section):
    """The model and the processes that run it."""

    model_dir: Path | None = Field(
        default=None, description="Folder of a model; null is the one inside the package."
    )
    workers: int = Field(
        default=2,
        ge=1,
        le=64,
        description="Recogniser processes, one core each; one a physical core.",
    )
    queue_limit: int = Field(
        default=16, ge=1, le=1000, description="Utterances that may wait; further ones are refused."
    )
    timeout_s: Seconds = Field(
        default=10.0,
        description="Seconds an utterance may take, waiting included, before it has failed.",
    )


class PromptSettings(_Section):
    """How prompts are spoken, and where they are kept."""

    engine: str = Field(
        default="espeak",
        min_length=1,
        description="Synthesiser: espeak, piper (extra ivr[piper]), or the name of one that a "
        "package plugs in.",
    )
    engine_options: dict[str, str | float | bool | dict[str, str]] = Field(
        default={},
        description="The engine's own options; piper needs the path of a voice as model, and has "
        "models by language, speaker, noise and noise_w.",
    )
    voice: str = Field(default="en-us", min_length=1, description="Voice of espeak.")
    rate_wpm: int = Field(default=150, ge=80, le=450, description="Speaking rate, words a minute.")
    cache_dir: Path | None = Field(
        default=Path("var/prompts"),
        description="Folder for rendered prompts; null renders each anew. Prompts that say a "
        "caller's number are never kept.",
    )
    recordings_dir: Path | None = Field(
        default=None, description="Folder of your own recordings, which replace synthesis by name."
    )


class RecordSettings(_Section):
    """Where call records are kept."""

    path: Path | None = Field(
        default=Path("var/calls.sqlite3"),
        description="SQLite file of the call records; null keeps them in memory until exit.",
    )
    url: SecretStr | None = Field(
        default=None,
        min_length=1,
        description="PostgreSQL instead: postgresql://USER:PASSWORD@HOST/DATABASE, with the extra "
        "ivr[postgres]; path then only names the spool.",
    )
    spool_dir: Path | None = Field(
        default=None,
        description="Folder where records wait for the database; null is the path with -spool "
        "behind it.",
    )
    spool_max_bytes: int = Field(
        default=67_108_864,
        ge=65_536,
        description="Most bytes of records that may wait; beyond, the oldest are dropped.",
    )

    min_free_bytes: int = Field(
        default=104_857_600,
        ge=0,
        description="Free bytes on the disks of records, spool and recordings below which /readyz "
        "is 503.",
    )

    keys: SecretStr | None = Field(
        default=None,
        min_length=1,
        description="Keys for values that a flow stores as hash or encrypted: NAME:BASE64 of 32 "
        "random bytes, with commas, newest first; the others still read what they wrote.",
    )

    audio_dir: Path | None = Field(
        default=Path("var/audio"),
        description="Folder of call recordings, made by flows that record and encrypted with "
        "records.keys; null records nothing.",
    )

    keep_audio_days: int | None = Field(
        default=None,
        ge=1,
        le=36_500,
        description="Days after which a call's audio is deleted; null keeps it as long as the "
        "call.",
    )

    keep_days: int | None = Field(
        default=None,
        ge=1,
        le=36_500,
        description="Days after which a call is deleted, looked at every hour; null keeps all.",
    )

    @property
    def spool_folder(self) -> Path | None:
        """Where records wait; ``None`` for memory, where they are kept in memory anyway."""
        if self.spool_dir is not None or self.path is None:
            return self.spool_dir
        return self.path.with_name(self.path.name + "-spool")


class WebhookSettings(_Section):
    """Where results are sent when a call has ended."""

    url: str | None = Field(
        default=None,
        pattern="^https?://.",
        description="Address that every ended call's record is posted to; null sends nothing.",
    )
    secret: SecretStr | None = Field(
        default=None,
        min_length=16,
        description="Signs what is sent, in the header Ivr-Signature.",
    )
    timeout_s: Seconds = Field(
        default=10.0, description="Seconds the receiver may take to answer one request."
    )
    attempts: int = Field(
        default=15, ge=1, le=100, description="Attempts before a result is given up as dead."
    )
    first_retry_s: Seconds = Field(
        default=5.0,
        description="Seconds until the second attempt; twice as long before each further one, "
        "times 0.5 to 1 by lot.",
    )
    last_retry_s: Seconds = Field(
        default=3600.0, description="Longest wait between two attempts, seconds."
    )


class LookupSettings(_Section):
    """What the lookups of flows may ask."""

    allowed_hosts: list[Annotated[str, Field(pattern=_HOST)]] = Field(
        default=[],
        description="Hosts that may be asked by HTTP, with a port (api.example.com:8443) or for "
        "every port; empty: none.",
    )
    private_addresses: bool = Field(
        default=False,
        description="Whether the names among them may stand for addresses inside the own network. "
        "An address in the list stands for itself.",
    )
    databases: dict[str, SecretStr] = Field(
        default={},
        description="Databases that flows may read, by name: {bank: "
        "postgresql://USER:PASSWORD@HOST/DATABASE}, or sqlite:////PATH.",
    )
    tokens: dict[str, SecretStr] = Field(
        default={},
        description="Bearer tokens by host: {api.example.com: TOKEN}; sent as Authorization.",
    )
    max_response_bytes: int = Field(
        default=262_144, ge=1024, le=16_777_216, description="Longest answer, bytes."
    )


class TelemetrySettings(_Section):
    """Traces of calls, for an OpenTelemetry collector."""

    endpoint: str | None = Field(
        default=None,
        pattern="^https?://.",
        description="Address of a collector that takes OTLP over HTTP, e.g. http://localhost:4318; "
        "needs the extra ivr[otel]. Null traces nothing.",
    )
    headers: SecretStr | None = Field(
        default=None,
        min_length=1,
        description="Headers that the collector wants, NAME=VALUE, with commas.",
    )
    service_name: str = Field(
        default="ivr", min_length=1, description="What the traces call this server."
    )
    sample_ratio: float = Field(
        default=1.0, ge=0, le=1, description="Share of the calls that are traced, 0 to 1."
    )


class LogSettings(_Section):
    """What is logged, and how."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least serious level that is written."
    )
    format: Literal["console", "json"] = Field(
        default="console", description="One line a message: for people, or JSON for machines."
    )


class CaptureSettings(_Section):
    """Recording the wire of every call, to find faults."""

    dir: Path | None = Field(
        default=None,
        description="Folder for a file of each call's wire, for ivr replay. The files hold what "
        "callers say and key, in clear: to find faults only. Null: nothing is captured.",
    )
    max_call_bytes: int = Field(
        default=134_217_728,
        ge=65_536,
        description="Most bytes of one call's capture; about 2 MB a minute. Beyond, it stops.",
    )
    max_bytes: int = Field(
        default=2_147_483_648,
        ge=65_536,
        description="Most bytes of the folder; beyond, calls are not captured.",
    )


class Settings(BaseSettings):
    """Every key of the configuration."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX,
        env_nested_delimiter="__",
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
    )

    flow: Path = Field(
        default=Path("config/flows/account_id.yaml"),
        description="The call flow that answers calls.",
    )
    flows_dir: Path | None = Field(
        default=None,
        description="Folder of more flows (*.yaml, not its subfolders): POST /voice?flow=NAME "
        "answers with the flow of that name. Null: there is the one.",
    )
    server: ServerSettings = Field(default=ServerSettings(), description="HTTP and media server.")
    api: ApiSettings = Field(default=ApiSettings(), description="Limits of the REST API.")
    twilio: TwilioSettings = Field(default=TwilioSettings(), description="The Twilio account.")
    recognizer: RecognizerSettings = Field(
        default=RecognizerSettings(), description="Model and workers."
    )
    prompts: PromptSettings = Field(default=PromptSettings(), description="Speech of the prompts.")
    records: RecordSettings = Field(default=RecordSettings(), description="Call records.")
    webhook: WebhookSettings = Field(
        default=WebhookSettings(), description="Results on their way out."
    )
    lookups: LookupSettings = Field(default=LookupSettings(), description="What flows may look up.")
    telemetry: TelemetrySettings = Field(
        default=TelemetrySettings(), description="Traces of calls."
    )
    capture: CaptureSettings = Field(
        default=CaptureSettings(), description="Recording the wire of calls."
    )
    log: LogSettings = Field(default=LogSettings(), description="Logging.")

    @field_validator("server")
    @classmethod
    def _check_public_url(cls, server: ServerSettings) -> ServerSettings:
        url = server.public_url
        if url is not None and not url.startswith(("http://", "https://")):
            raise ValueError("public_url must start with https:// (or http:// for trials)")
        return server
