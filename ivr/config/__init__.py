"""The server's settings: what there is (`settings`), and where its values come from (`loading`)."""

from ivr.config.loading import CONFIG_VARIABLE, known_keys, load_settings
from ivr.config.settings import (
    ApiSettings,
    CaptureSettings,
    LogSettings,
    LookupSettings,
    PromptSettings,
    RecognizerSettings,
    RecordSettings,
    ServerSettings,
    Settings,
    TelemetrySettings,
    TwilioSettings,
    WebhookSettings,
)

__all__ = [
    "CONFIG_VARIABLE",
    "ApiSettings",
    "CaptureSettings",
    "LogSettings",
    "LookupSettings",
    "PromptSettings",
    "RecognizerSettings",
    "RecordSettings",
    "ServerSettings",
    "Settings",
    "TelemetrySettings",
    "TwilioSettings",
    "WebhookSettings",
    "known_keys",
    "load_settings",
]
