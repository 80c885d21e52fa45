"""Which addresses may sign up by themselves; the operator may add any. Floor: readers; pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from publisher.errors import UsageError
from publisher.readers.address import address_key, domain_name

ROLES = frozenset(
    {
        *("abuse", "noc", "security", "postmaster", "hostmaster", "usenet", "news", "webmaster", "www", "uucp", "ftp"),
        *("mailer-daemon", "noreply", "no-reply", "donotreply", "do-not-reply", "root", "nobody"),
    }
)
"""Mailboxes of a network's or a service's own (RFC 2142, sections 4 and 5), and those that nobody reads."""


def read_domains(text: str) -> list[str]:
    """The domains of a file, one a line, as the DNS has them; `#` begins a comment, `*.` or a dot before one changes
    nothing. Raises UsageError with the line of what is none."""
    domains = []
    for number, line in enumerate(text.splitlines(), 1):
        name = line.partition("#")[0].strip().removeprefix("*").strip(".")
        try:
            domains += [domain_name(name)] if name else []
        except UsageError as error:
            raise UsageError(f"line {number}: {error}") from None
    return domains


@dataclass(frozen=True, slots=True)
class AddressPolicy:
    """`domains` are refused with all below them; `own` addresses are those that our letters come from."""

    domains: frozenset[str] = frozenset()
    roles: bool = True
    own: frozenset[str] = frozenset()

    @classmethod
    def of(cls, domains: Iterable[str], *, roles: bool, own: Iterable[str]) -> AddressPolicy:
        """`domains` in any case, with or without a dot in front."""
        refused = frozenset(name.strip().strip(".").lower() for name in domains)
        return cls(refused - {""}, roles, frozenset(map(address_key, own)))

    def check(self, email: str) -> None:
        """Raises UsageError, with words for the person at the form, that do not repeat the address. They depend on the
        address alone, never on whether it is known."""
        local, _, domain = address_key(email).rpartition("@")
        labels = domain.split(".")
        if any(".".join(labels[at:]) in self.domains for at in range(len(labels))):
            raise UsageError("We do not send to addresses of this domain. Please use another one.")
        if self.roles and local.partition("+")[0] in ROLES:
            raise UsageError("This is the mailbox of a service, not of a person. Please use your own address.")
        if f"{local}@{domain}" in self.own:
            raise UsageError("This is our own address. Please use yours.")
