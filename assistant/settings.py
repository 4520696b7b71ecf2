"""The settings: `HKAI_…` variables of the environment, or lines of a `.env` file. The only reader of either."""

from __future__ import annotations

import hashlib
import ipaddress
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from assistant.errors import BadSettings
from index.embedder import DEFAULT

# Read by the tests and the Makefile, not by the program.
_ELSEWHERE = ("HKAI_TEST_",)


class Settings(BaseSettings):
    """Every setting with its default; each is documented in `.env.example`."""

    model_config = SettingsConfigDict(env_prefix="HKAI_", env_file=".env", extra="forbid", frozen=True, populate_by_name=True)

    data: Path = Field(Path("data"), description="The folder that holds everything written: the index, the encoder, your own documents and the conversations.")
    embedder: str = Field(DEFAULT, min_length=1, description="A sentence-transformers model or folder, in place of the one that comes with the installation.")
    judge: Literal["on", "off"] = Field("on", description="Whether the trained judge of question and statement is used.")
    reranker: str = Field("", description="A cross-encoder that reorders the best dozen statements after the judge: a folder, or a name on the model hub.")
    nli: str = Field(
        "", description="A cross-encoder for natural language inference that checks what a model wrote against what it cites: a folder, or a name on the hub."
    )
    chroma: str = Field("", pattern=r"^(https?://.+)?$", description="Address of a Chroma server, in place of the folder in HKAI_DATA.")
    database: str = Field(
        "", pattern=r"^((postgres(ql)?(\+psycopg)?|sqlite)://.+)?$", description="URL of the database of conversations, in place of a file in HKAI_DATA."
    )
    model: str = Field("", description="The language model that writes answers, as its endpoint calls it, or a GGUF file; empty: answers are quoted.")
    model_timeout: float = Field(30, gt=0, le=3600, description="Seconds without a token after which the model is given up.")
    model_total: float = Field(120, gt=0, le=7200, description="Seconds in all after which the model is given up.")
    model_budget: int = Field(6_000, ge=1_000, le=1_000_000, description="Tokens that the model is given at most; turns and statements are cut to it.")
    model_temperature: float = Field(0, ge=0, le=2, description="How freely the model words its answers; 0: always alike.")
    judge_model: str = Field("", description="A language model that gives its opinion of answers in evaluations; empty: none is asked.")
    judge_model_url: str = Field("", pattern=r"^(https?://.+)?$", description="Address of its OpenAI-compatible endpoint; empty: OpenAI's own.")
    judge_model_key: str = Field("", description="Key of its endpoint.")
    host: str = Field("127.0.0.1", min_length=1, description="Address that the server listens on.")
    port: int = Field(7860, ge=1, le=65535, description="Port that the server listens on; PORT sets it too.")
    max_file_mb: float = Field(50, gt=0, allow_inf_nan=False, description="Largest document that is read, in megabytes.")
    api_keys: str = Field(
        "",
        pattern=r"^\s*([\w.-]+:(read|write):[0-9a-f]{64}([\s,]+|$))*$",
        description="Who may use the endpoint: entries NAME:SCOPE:SHA256, as `hkai key` prints them; empty: anyone may read, and write where "
        "HKAI_HOST is this machine's own.",
    )
    rate_limit: str = Field(
        "600/minute",
        pattern=r"^(off|[1-9]\d*/(second|minute|hour|day))$",
        description="How many requests a key, or an address other than this machine, may send to the endpoint: a number and a time, or off.",
    )
    body_timeout: float = Field(30, gt=0, le=3600, description="Seconds that the body of a request may take, and one more for every 100 kB of it.")
    cors_origins: str = Field("", description="Origins whose pages may use the endpoint from a browser, such as https://portal.example; empty: none.")
    proxies: str = Field("127.0.0.1", description="Addresses of reverse proxies whose X-Forwarded-For is believed.")
    log: Literal["console", "json"] = Field("console", description="How the server writes its log: for people, or a JSON object a line.")
    traces: str = Field(
        "",
        pattern=r"^(https?://.+)?$",
        description="Address of an OpenTelemetry collector (OTLP over HTTP) to which traces are sent; needs the extra `hkai[traces]`.",
    )
    log_questions: Literal["on", "off"] = Field("off", description="Whether the log holds what is asked.")
    openai_api_key: str = Field("", validation_alias="OPENAI_API_KEY", description="Key of the model's endpoint.")
    openai_base_url: str = Field(
        "", pattern=r"^(https?://.+)?$", validation_alias="OPENAI_BASE_URL", description="Address of an OpenAI-compatible endpoint; empty: OpenAI's own."
    )

    @property
    def local(self) -> bool:
        """Whether only this machine can reach the server."""
        return is_loopback(self.host)

    @property
    def writes(self) -> bool:
        """Whether a language model is configured."""
        return bool(self.model_file or (self.model and (self.openai_api_key or self.openai_base_url)))

    @property
    def model_file(self) -> Path | None:
        """The file that is run in this process, if the model is one."""
        return Path(self.model).expanduser() if self.model.lower().endswith(".gguf") else None

    @property
    def fingerprint(self) -> str:
        """A short name of the settings that can change an answer; secrets do not enter it."""
        seen = (self.embedder, self.judge, self.reranker, self.nli, self.model, self.openai_base_url, self.model_budget, self.model_temperature, self.chroma)
        return hashlib.sha256(repr(seen).encode()).hexdigest()[:8]


def described() -> str:
    """Every setting as the document `docs/settings.md`."""
    lines = [
        "# Settings",
        "",
        "Set in the environment, or as lines of a file `.env` where the command is run; the environment goes first. One that is unknown or impossible stops",
        "the program and is named. `hkai settings` prints this page.",
        "",
        "| setting | default | what it is |",
        "|---|---|---|",
    ]
    for name, field in Settings.model_fields.items():
        default = f"`{field.default}`" if str(field.default) else ""
        lines.append(f"| `{field.validation_alias or f'HKAI_{name.upper()}'}` | {default} | {field.description} |")
    return "\n".join(lines) + "\n"


def is_loopback(host: str) -> bool:
    """Whether an address or name is that of this very machine."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def load(environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings in force; raises `BadSettings` naming each that is unknown or impossible."""
    known = {f"HKAI_{name.upper()}" for name in Settings.model_fields}
    unknown = [key for key in environment if key.startswith("HKAI_") and key not in known and not key.startswith(_ELSEWHERE)]
    if unknown:
        raise BadSettings(f"Unknown setting {', '.join(sorted(unknown))}.", "See .env.example for the settings there are.")
    port = environment.get("PORT", "")
    try:
        return Settings(**({"port": port} if port and "HKAI_PORT" not in environment else {}))  # type: ignore[arg-type]  # pydantic reads the number
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc'])).upper()}: {fault['msg']}" for fault in error.errors())
        raise BadSettings(f"A setting cannot be used. {faults}.", "See .env.example for the settings there are.") from error
