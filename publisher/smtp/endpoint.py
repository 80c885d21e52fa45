"""Where the relay is and how to get in. Floor: `smtp`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Self

from publisher.config import RelaySettings


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
    place: str = "smtp"
    """The settings of this relay, as errors name them."""

    @classmethod
    def from_settings(cls, relay: RelaySettings, *, timeout_s: float = 60) -> Self:
        return cls(
            host=relay.host,
            port=relay.port,
            security=relay.security,
            username=relay.username,
            password=relay.password.get_secret_value(),
            timeout_s=timeout_s,
            place="smtp" if relay.name == "smtp" else f"relay.{relay.name}",
        )

    @property
    def is_local(self) -> bool:
        return self.host in {"localhost", "127.0.0.1", "::1"}

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"
