"""Every setting, each of them a `BIVELIO_…` environment variable."""

import re
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import Field, PositiveInt, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

Network = IPv4Network | IPv6Network
Ocr: TypeAlias = Literal["small", "light", "off"]
_SMTP_URL: Final = re.compile(r"smtps?://[^/?#]+/?\?from=[^&#]*(@|%40)[^&#]+")

#: A request with a document is read into memory, several times its size.
MAX_DOCUMENT_BYTES: Final = 50 * 1024 * 1024

#: Where container engines put secrets; a file `bivelio_secret_key` there is the setting of that name.
_SECRETS: Final = Path("/run/secrets")


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix="BIVELIO_", extra="ignore", secrets_dir=_SECRETS if _SECRETS.is_dir() else None
    )

    host: str = Field("127.0.0.1", description="Address that the server listens on.")
    port: int = Field(8000, ge=0, le=65535, description="Port that the server listens on.")
    public_url: str | None = Field(None, description="Address under which clients reach the server.")
    data_dir: Path = Field(Path("data"), description="Folder of the embedded database and of the secret key.")
    storage_dir: Path | None = Field(
        None,
        description="Folder of stored files, the same for all processes; by default `files` in the data folder.",
    )
    s3_bucket: str | None = Field(
        None,
        pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$",
        description="Bucket of an S3 server in which files are stored instead; it must be there.",
    )
    s3_endpoint: str | None = Field(
        None, pattern=r"^https?://[^/?#]+/?$", description="Address of that server; Amazon's if none is given."
    )
    s3_region: str = Field("us-east-1", description="Region of the bucket.")
    s3_access_key_id: str | None = Field(
        None, description="Who reads and writes there; without it what the machine itself may do (its AWS role)."
    )
    s3_secret_access_key: SecretStr | None = Field(None, description="The secret of that key.", validate_default=True)
    database_url: SecretStr | None = Field(
        None, description="PostgreSQL of the operator (owner role); without it the embedded one is used."
    )
    secret_key: SecretStr | None = Field(
        None, description="Root of all signing and encryption keys; by default generated in the data folder."
    )
    previous_secret_keys: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        (),
        description="Keys that still open what they sealed, or will be the next one (separated by commas).",
    )
    private_networks: Annotated[tuple[Network, ...], NoDecode] = Field(
        (),
        description="Networks (CIDR, separated by commas) that outgoing calls may reach though they are private.",
    )
    trusted_proxies: Annotated[tuple[Network, ...], NoDecode] = Field(
        (),
        description="Networks (CIDR, separated by commas) of reverse proxies whose X-Forwarded-For is believed.",
    )
    anonymous_per_minute: PositiveInt = Field(
        100, description="Requests without valid credentials that one address may send in a minute."
    )
    anonymous_per_second: PositiveInt = Field(20, description="The same, in a second.")
    smtp_url: SecretStr | None = Field(
        None, description="Mail server, `smtp://user:password@host:587?from=address`; without it no e-mail is sent."
    )
    log_level: str = Field("info", pattern="^(debug|info|warning|error)$", description="Least level that is logged.")
    metrics_token: SecretStr | None = Field(
        None, description="Bearer token of /metrics; without it only this machine may read them."
    )
    traces_endpoint: str | None = Field(
        None,
        pattern="^https?://",
        description="Where traces go: OTLP over HTTP, as http://collector:4318/v1/traces. Needs the extra `otel`.",
    )
    database_pool: PositiveInt = Field(
        8, description="Connections of one process for its requests, beside one for each worker slot."
    )
    worker_slots: PositiveInt = Field(
        8,
        description="Durable steps that one process runs at once; a quarter more are for organisations that have none"
        " there.",
    )
    worker_port: int | None = Field(
        None,
        ge=0,
        le=65535,
        description="Port on which `worker` answers /livez, /readyz and /metrics; without it, it does not listen.",
    )
    lease_seconds: PositiveInt = Field(30, description="How long a worker owns a run without a sign of life.")
    drain_seconds: float = Field(
        0, ge=0, description="How long a server that is told to stop says so at /readyz while it goes on answering."
    )
    streams: PositiveInt = Field(1000, description="Streams of events that one process keeps open at once.")
    streams_per_organization: PositiveInt = Field(100, description="How many of them one organisation may have.")
    max_body_bytes: PositiveInt = Field(1_048_576, description="Largest body of a request.")
    document_bytes: PositiveInt = Field(
        MAX_DOCUMENT_BYTES, le=MAX_DOCUMENT_BYTES, description="Largest document, uploaded or fetched."
    )
    review_below: float = Field(
        0.8, ge=0, le=1, description="What is read from a document with less confidence than this waits for a person."
    )
    hook_body_bytes: PositiveInt = Field(262_144, description="Largest body of a request that starts a workflow.")
    http_step_bytes: PositiveInt = Field(1_048_576, description="Largest reply that an http_request step takes.")
    inline_bytes: PositiveInt = Field(
        32_768, description="Largest input or output of a run or step that is kept in its row; larger ones are files."
    )
    ocr: Ocr = Field(
        "small",
        description="How text is read from images: `small` reads best, `light` takes a third of the time, `off` not at"
        " all.",
    )
    readers: PositiveInt = Field(
        2,
        description="Files that one process reads at once, each in a child process of its own; one more is for an"
        " organisation of which it reads none.",
    )
    reading_seconds: PositiveInt = Field(
        1800,
        description="Longest that a file is read in the background; pages whose characters are recognised take some"
        " 5 seconds each.",
    )
    box_memory_mb: PositiveInt = Field(
        256,
        description="Memory (MB) in which one process holds the indexes of the boxes that are searched, some 1 500"
        " passages in each.",
    )
    access_token_seconds: PositiveInt = Field(3600, description="Life of an access token.")
    refresh_token_days: PositiveInt = Field(30, description="Life of a refresh token that is not used.")

    gemini_api_key: SecretStr | None = Field(
        None, description="Key of Google's Gemini, which then does what needs a model that writes."
    )
    gemini_url: str = Field(
        "https://generativelanguage.googleapis.com",
        pattern="^https?://",
        description="Where Gemini is reached: a gateway's address, or a test's.",
    )
    openai_url: str | None = Field(
        None,
        pattern="^https?://",
        description="A server compatible with OpenAI that does what needs a model that writes, as"
        " http://localhost:11434/v1 for Ollama.",
    )
    openai_api_key: SecretStr | None = Field(
        None, description="Key of that server; without BIVELIO_OPENAI_URL, of OpenAI itself."
    )
    ai_model: str | None = Field(
        None,
        min_length=1,
        max_length=200,
        description="Model that is asked; by default gemini-2.5-flash. A server compatible with OpenAI needs one.",
        validate_default=True,
    )
    ai_embedding_model: str | None = Field(
        None,
        min_length=1,
        max_length=200,
        description="The provider's model for embeddings; without it, the one that this server carries computes them.",
    )
    ai_timeout_seconds: float = Field(
        60, gt=0, le=600, description="How long a language model may take for one answer, or between two pieces of it."
    )

    oidc_issuer: str | None = Field(None, description="OpenID Connect provider that people may sign in with.")
    oidc_name: str = Field("OpenID Connect", description="What the provider is called on the button.")
    oidc_client_id: str | None = Field(None, description="This server's id at the provider.")
    oidc_client_secret: SecretStr | None = Field(
        None, description="This server's secret at the provider.", validate_default=True
    )
    oidc_redirect_uris: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Where sign-in with the provider may end (URLs, separated by commas), the public address if none.",
    )

    @field_validator("private_networks", "trusted_proxies", "oidc_redirect_uris", "previous_secret_keys", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value

    @field_validator("smtp_url", mode="after")
    @classmethod
    def _usable(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not _SMTP_URL.fullmatch(value.get_secret_value()):
            raise ValueError("it must be like smtp://user:password@host:587?from=name@example.com")
        return value

    @field_validator("oidc_client_secret", mode="after")
    @classmethod
    def _complete(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if info.data.get("oidc_issuer") and not (value and info.data.get("oidc_client_id")):
            raise ValueError("BIVELIO_OIDC_ISSUER needs BIVELIO_OIDC_CLIENT_ID and BIVELIO_OIDC_CLIENT_SECRET")
        return value

    @field_validator("s3_secret_access_key", mode="after")
    @classmethod
    def _both(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if (value is None) != (info.data.get("s3_access_key_id") is None):
            raise ValueError("BIVELIO_S3_ACCESS_KEY_ID and BIVELIO_S3_SECRET_ACCESS_KEY need each other")
        return value

    @field_validator("ai_model", mode="after")
    @classmethod
    def _chosen(cls, value: str | None, info: ValidationInfo) -> str | None:
        compatible = info.data.get("openai_url") or info.data.get("openai_api_key")
        if compatible and info.data.get("gemini_api_key"):
            raise ValueError("set BIVELIO_GEMINI_API_KEY, or BIVELIO_OPENAI_URL and BIVELIO_OPENAI_API_KEY, not both")
        if compatible and value is None:
            raise ValueError("BIVELIO_OPENAI_URL and BIVELIO_OPENAI_API_KEY need BIVELIO_AI_MODEL")
        return value

    @field_validator("database_url", mode="after")
    @classmethod
    def _one_scheme(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None:
            return None
        return SecretStr(value.get_secret_value().replace("postgres://", "postgresql://", 1))

    @property
    def storage_folder(self) -> Path:
        return self.storage_dir or self.data_dir / "files"

    @property
    def models_folder(self) -> Path:
        """What the embedded models compute once, and could again."""
        return self.data_dir / "models"

    @property
    def storage_place(self) -> str:
        """Where files are, as an operator would say it."""
        return f"s3://{self.s3_bucket}" if self.s3_bucket else str(self.storage_folder.absolute())

    @property
    def worker_places(self) -> int:
        return self.worker_slots + max(1, self.worker_slots // 4)

    @property
    def address(self) -> str:
        return self.public_url or f"http://{self.host}:{self.port}"
