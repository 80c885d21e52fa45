"""The mailbox of the settings that letters come back to. Floor: `flows`."""

from __future__ import annotations

from collections.abc import Iterator

from publisher.config import Settings
from publisher.flows.bounces import BounceReport
from publisher.sources.mailboxes import ImapAccount, Incoming, mail_in, mail_on_server


def has_mailbox(settings: Settings) -> bool:
    """Whether the settings name a place to read from."""
    return bool(settings.bounces.imap_host or settings.bounces.inbox)


def configured_mail(settings: Settings) -> Iterator[Incoming]:
    """What is new in the mailboxes of the settings: on the server, and on this machine."""
    bounces = settings.bounces
    if bounces.imap_host:
        yield from mail_on_server(
            ImapAccount(
                host=bounces.imap_host,
                port=bounces.imap_port,
                user=bounces.imap_user,
                password=bounces.imap_password.get_secret_value(),
                folder=bounces.imap_folder,
            )
        )
    if bounces.inbox:
        yield from mail_in(settings.path(bounces.inbox), settings.path(bounces.folder))


def in_words(report: BounceReport) -> str:
    """``3 new messages, 1 bounced, 0 unsubscribed``; nothing for a mailbox without news."""
    new = sum(report.kinds.values())
    if not new:
        return "nothing new"
    plural = "message" if new == 1 else "messages"
    return f"{new:,} new {plural}, {report.bounced:,} bounced, {report.unsubscribed:,} unsubscribed"
