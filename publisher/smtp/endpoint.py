"""Where the relay is and how to get in. Floor: `smtp`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Self

from publisher.config import SmtpSettings


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The relay. `timeout_s` bounds each command, `final_timeout_s` the way from the letter's first byte to the
    final answer: too short a wait there sends letters twice (RFC 5321 §4.5.3.2.6 asks for ten minutes).
    `ca_file`: trust these authorities instead of the system's. Login and password stay out of the repr."""

    host: str
    port: int
    security: Literal["starttls", "tls", "none"] = "starttls"
    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    timeout_s: float = 60
    final_timeout_s: float = 600
    ca_file: Path | None = None

    @classmethod
    def from_settings(cls, smtp: SmtpSettings) -> Self:
        """The relay of [smtp]; its `host` must not be empty (that means the local outbox)."""
        if not smtp.host:
            raise ValueError("no smtp.host: use the outbox")
        return cls(
            host=smtp.host,
            port=smtp.port,
            security=smtp.security,
            username=smtp.username,
            password=smtp.password.get_secret_value(),
            timeout_s=smtp.timeout_seconds,
        )

    @property
    def is_local(self) -> bool:
        return self.host in {"localhost", "127.0.0.1", "::1"}

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"
