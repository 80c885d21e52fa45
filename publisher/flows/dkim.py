"""The keys that sign letters: files of the operator <-> `mail.dkim`. Floor: `flows`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from email.utils import parseaddr
from pathlib import Path

from publisher.config import Settings
from publisher.errors import ConfigError, UsageError
from publisher.mail.dkim import DkimKey, DkimSigner, new_key, read_key

PROPOSED = {"rsa": "publisher", "ed25519": "publisher-ed"}
"""Selectors of keys that are made before config.toml names one."""


@dataclass(frozen=True, slots=True)
class KeyPlace:
    """Where a key is: `kind` (rsa or ed25519), `setting` that names its `path`, and its `selector`; `in_use` is false
    while config.toml names none, and the selector then is a proposal."""

    kind: str
    setting: str
    path: Path
    selector: str
    in_use: bool


def signing_domain(settings: Settings) -> str:
    """The `d=` of signatures: DMARC wants it to be the sender's domain, or one they share."""
    return settings.dkim.domain or parseaddr(settings.digest.sender)[1].rpartition("@")[2].lower()


def key_places(settings: Settings) -> Sequence[KeyPlace]:
    """The RSA key, then the Ed25519 key."""
    dkim = settings.dkim
    chosen = (
        ("rsa", "dkim.key_file", dkim.key_file, dkim.selector),
        ("ed25519", "dkim.ed25519_key_file", dkim.ed25519_key_file, dkim.ed25519_selector),
    )
    return [
        KeyPlace(kind, setting, settings.path(path), selector or PROPOSED[kind], bool(selector))
        for kind, setting, path, selector in chosen
    ]


def load_key(place: KeyPlace) -> DkimKey:
    """Raises ConfigError for a key that is missing, or of no use."""
    try:
        private = read_key(place.path.read_bytes())
    except FileNotFoundError:
        option = " --ed25519" if place.kind == "ed25519" else ""
        raise ConfigError(
            place.setting, f"{place.path}: no such file; `publisher dkim new{option}` makes a key"
        ) from None
    except OSError as error:
        raise ConfigError(place.setting, f"{place.path}: {error.strerror or error}") from error
    except ValueError as error:
        raise ConfigError(place.setting, f"{place.path} {error}") from error
    key = DkimKey(place.selector, private)
    if key.kind != place.kind:
        raise ConfigError(place.setting, f"{place.path} holds a key of the other kind ({key.kind})")
    return key


def make_key(place: KeyPlace) -> DkimKey:
    """Make a key there, readable by its owner only. Raises UsageError when there is one: it is never written over."""
    try:
        place.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(place.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise UsageError(
            f"{place.path} is there already; for another key name a new file and a new selector "
            f"({place.setting}), so that letters on their way can still be verified"
        ) from None
    except OSError as error:
        raise ConfigError(place.setting, f"{place.path}: {error.strerror or error}") from error
    with os.fdopen(descriptor, "wb") as file:
        file.write(new_key(place.kind))
        file.flush()
        os.fsync(file.fileno())
    return load_key(place)


def letter_signer(settings: Settings) -> DkimSigner | None:
    """What signs letters, None where no selector is set. Raises ConfigError for a bad key."""
    if settings.dkim.ed25519_selector and not settings.dkim.selector:
        raise ConfigError("dkim.ed25519_selector", "needs dkim.selector too: many who verify know RSA only")
    keys = [load_key(place) for place in key_places(settings) if place.in_use]
    return DkimSigner(signing_domain(settings), keys) if keys else None
