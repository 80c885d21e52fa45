"""The one family of errors. Floor: the lowest; imports nothing of ours.

    PublisherError                  one clear line: what was wrong, where, and what to do
    ├── ConfigError                 config.toml or a PUBLISHER_ variable; `key` is the dotted path
    ├── UsageError                  a command was called wrongly (exit code 2)
    │   └── Conflict                it made sense in another state: there already, over already
    ├── NotFound                    a key, address, number or path that nothing answers to
    ├── NothingNew                  a digest that would have nothing in it
    ├── SourceError                 a whole source cannot be read (single bad items are `Refusal` values)
    ├── TemplateError               a template of the site or of a letter cannot be rendered
    ├── FeedError                   a feed that must not be published; `topic` says which
    ├── LetterError                 a letter that must not be sent: a value would break out of its `header`
    ├── StoreError                  the database refused; the cause is chained
    │   ├── StoreBusy               somebody else holds the lock, or it took too long; the same call may succeed later
    │   └── StoreOutdated           the schema is older or newer than this program
    ├── RunInProgress               another run holds the lock; `holder` says who
    ├── NoWorker                    a run was asked of other machines, and none of them took it
    ├── PlanOutdated                what a plan was made of has changed since; `changed` says which parts
    ├── SiteError                   a document could not be written
    ├── BackupError                 a backup that cannot be written or read, is damaged, or none of ours
    ├── WebError                    the web server cannot listen
    ├── HubError                    a request to the WebSub hub that is refused; `status` is the HTTP code
    ├── TokenError                  a link's token is forged, of another purpose, or too old
    └── DeliveryError               the relay or the way to it; `transient` says whether to try again
        ├── RelayUnavailable        no connection, no TLS, no login, or shut down in the middle: blames no reader
        └── Refused                 the relay answered no to one letter; has `code`, `enhanced`, `stage`

An address is held as an attribute where it is needed and never printed in a text.
"""

from __future__ import annotations

from typing import Self


class PublisherError(Exception):
    """Base of all. `str(error)` is the line that people read."""


class ConfigError(PublisherError, ValueError):
    """A setting is unknown, missing or impossible. `key` is its dotted path, e.g. ``digest.weekly.cron``."""

    def __init__(self, key: str, problem: str, *, place: str = "config.toml") -> None:
        self.key = key
        self.problem = problem
        self.place = place
        super().__init__(f"{place}: {key}: {problem}" if key else f"{place}: {problem}")


class UsageError(PublisherError, ValueError):
    """The command line asks for something that makes no sense; exit code 2."""


class Conflict(UsageError):
    """What is asked for does not go with what there is: a name or address that is taken, an issue that is over."""


class NotFound(PublisherError, LookupError):
    """`kind` (article, topic, issue, subscriber, run) and `name` of what is not there."""

    def __init__(self, kind: str, name: str, hint: str = "") -> None:
        self.kind = kind
        self.name = name
        super().__init__(f"no {kind} {name!r}" + (f"; {hint}" if hint else ""))


class NothingNew(PublisherError):
    """There is nothing that the next digest could bring."""


class SourceError(PublisherError, OSError):
    """A source as a whole cannot be read: missing, no permission, unknown kind."""


class TemplateError(PublisherError):
    """A template is missing or broken; the text names file and line."""


class FeedError(PublisherError, ValueError):
    """The document of `topic` breaks a rule of its format and is not published."""

    def __init__(self, topic: str, problem: str) -> None:
        self.topic = topic
        self.problem = problem
        super().__init__(f"feed {topic}: {problem}")


class LetterError(PublisherError, ValueError):
    """A value cannot stand in `header` of a letter: it holds a line break, is too long, or is no address. The value
    is not printed, it may be an address."""

    def __init__(self, header: str, problem: str) -> None:
        self.header = header
        self.problem = problem
        super().__init__(f"letter: {header}: {problem}")


class StoreError(PublisherError):
    """The database refused; the text says what to do, the cause is chained."""


class StoreBusy(StoreError, TimeoutError):
    """Locked by another process longer than we wait, or stopped by the server because it took too long."""


class StoreOutdated(StoreError):
    """The schema is not the one this program was written for: `publisher db upgrade`."""

    @classmethod
    def not_set_up(cls) -> Self:
        """There is none at all."""
        return cls("the database has not been set up for this program; run `publisher db upgrade`")


class RunInProgress(PublisherError):
    """A second run was asked for while one is under way. `holder` describes the first."""

    def __init__(self, holder: str) -> None:
        self.holder = holder
        super().__init__(f"another run is under way: {holder}")


class NoWorker(PublisherError):
    """A run was left to the workers, and none took it in time."""


class PlanOutdated(PublisherError):
    """A run was to keep to a plan that does not hold any more. `changed`: what is different, in words."""

    def __init__(self, changed: list[str]) -> None:
        self.changed = changed
        what = " and ".join(changed)
        super().__init__(f"the plan does not hold any more: {what} changed; make a new one and look at it again")


class SiteError(PublisherError, OSError):
    """A document could not be written; the old bytes are still in place."""


class BackupError(PublisherError):
    """A backup cannot be written or read, was cut short or changed, or is none of ours."""


class WebError(PublisherError, OSError):
    """The web server cannot listen where it was told to."""


class HubError(PublisherError, ValueError):
    """The WebSub hub refuses a request: `status` is the HTTP code, the text the reason its sender is told."""

    def __init__(self, status: int, reason: str) -> None:
        self.status = status
        super().__init__(reason)


class TokenError(PublisherError, ValueError):
    """A link's token does not hold: forged, cut, of another purpose, or expired (`expired` is then true)."""

    def __init__(self, problem: str, *, expired: bool = False) -> None:
        self.expired = expired
        super().__init__(problem)


class DeliveryError(PublisherError):
    """Something between us and the reader's mailbox. `transient` says whether a later attempt may succeed."""

    transient: bool = True


class RelayUnavailable(DeliveryError, ConnectionError):
    """The relay as a whole: connection, TLS, login, or a shutdown in mid-conversation. No reader is to blame.

    `handed_over` is true when the connection broke after the letter's final dot and before the reply, so that
    nobody can know whether the relay took it (RFC 1047).
    """

    def __init__(self, problem: str, *, transient: bool = True, handed_over: bool = False) -> None:
        self.transient = transient
        self.handed_over = handed_over
        super().__init__(problem)


class Refused(DeliveryError):
    """The relay refused one letter: reply `code` (RFC 5321), `enhanced` status (RFC 3463) or "", and `stage`."""

    def __init__(self, stage: str, code: int, enhanced: str, text: str) -> None:
        self.stage = stage
        self.code = code
        self.enhanced = enhanced
        self.reply = text
        self.transient = 400 <= code < 500
        super().__init__(f"{stage}: {code} {enhanced} {text}".replace("  ", " ").strip())
