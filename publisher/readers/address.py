"""E-mail addresses: which are accepted, and which are the same mailbox. Floor: readers."""

from __future__ import annotations

import unicodedata
from contextlib import suppress

from publisher.config import HOSTNAME
from publisher.errors import UsageError


def checked_address(text: str) -> str:
    """The address in `text` in one spelling (local part NFC, domain in lower case, RFC 5321 and 6531).

    Only the form is checked, nobody is asked over the net. Raises UsageError with the reason; its text never repeats
    the address.
    """
    from email_validator import EmailNotValidError, validate_email  # noqa: PLC0415  (late: slow to load)

    try:
        checked = validate_email(text.strip(), check_deliverability=False).normalized
    except EmailNotValidError as error:
        raise UsageError(f"not an e-mail address: {error}") from None
    if "=?" in checked:  # To would be read as an encoded word (RFC 2047)
        raise UsageError("not an e-mail address: =? cannot stand in the header of a letter")
    return checked


def address_key(email: str) -> str:
    """The same for all spellings of one mailbox: letter case, Unicode form, and the domain's two ways of writing.

    RFC 5321 lets a host tell `A@` from `a@`; none that readers use does, and two subscriptions for one person would
    send every letter twice. Raises UsageError for a domain, or characters, that no address has.
    """
    local, _, domain = email.rpartition("@")
    if not domain.isascii() or not email.isprintable():
        from email_validator import validate_email  # noqa: PLC0415  (late: slow to load)

        checked_address(email)
        domain = validate_email(f"x@{domain}", check_deliverability=False).ascii_domain
    return f"{unicodedata.normalize('NFC', unicodedata.normalize('NFC', local).casefold())}@{domain.lower()}"


def domain_name(text: str) -> str:
    """A domain, or what domains end with, as `mail_domain` has it. Raises UsageError for what is none."""
    name = text.lower()
    if not name.isascii():
        from email_validator import EmailNotValidError, validate_email  # noqa: PLC0415  (late: slow to load)

        with suppress(EmailNotValidError):
            checked = validate_email(
                f"x@{name}", check_deliverability=False, globally_deliverable=False, test_environment=True
            )
            name = checked.ascii_domain.lower()
    if not HOSTNAME.fullmatch(name):
        raise UsageError(f"{text[:60]!r} is no domain")
    return name


def mail_domain(email: str) -> str:
    """What follows the @ of a checked address, as the DNS and `address_key` have it: ASCII, lower case."""
    domain = email.rpartition("@")[2].lower()
    return domain if domain.isascii() else address_key(email).rpartition("@")[2]
