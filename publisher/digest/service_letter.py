"""Letters that are no digest: rendered, and made into RFC 5322 messages. Floor: a pure room.

They are answers to what a person did, one each, so they carry no List- headers; `Auto-Submitted` keeps machines from
answering them (RFC 3834). The same letter has the same bytes at every attempt.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from typing import Any

from css_inline import CSSInliner
from jinja2.sandbox import ImmutableSandboxedEnvironment

from publisher.cleantext import clean_line
from publisher.digest.mime import address, boundary_of, line, mailbox, part_headers, quoted_printable, text_header
from publisher.digest.render import DigestSite, readable
from publisher.templating import direction, language_of, render

_GROUND, _DARK_GROUND = "#ffffff", "#1c2126"  # what links and the button's words stand on
_INLINER = CSSInliner(keep_style_tags=True, remove_inlined_selectors=True, load_remote_stylesheets=False)


@dataclass(frozen=True, slots=True)
class ServiceText:
    """What the templates of one kind gave; `language` is the one they speak."""

    language: str
    subject: str
    text: str
    html: str


def render_service_letter(
    env: ImmutableSandboxedEnvironment, site: DigestSite, kind: str, language: str, values: Mapping[str, Any]
) -> ServiceText:
    """Render ``email/<kind>/{subject.txt,body.txt,body.html}``, each in the reader's `language` where there is one of
    it. Raises TemplateError."""
    folder = f"email/{kind}"
    spoken = language_of(env, f"{folder}/body.html", language) or site.language
    common = {
        "site": site,
        "home_url": site.links.home(),
        "language": spoken,
        "direction": direction(spoken),
        "accent": readable(site.accent, _GROUND),
        "accent_in_the_dark": readable(site.accent, _DARK_GROUND),
    }
    everything = common | dict(values)
    return ServiceText(
        spoken,
        clean_line(render(env, f"{folder}/subject.txt", everything, language=language)),
        render(env, f"{folder}/body.txt", everything, language=language).strip("\n") + "\n",
        _INLINER.inline(render(env, f"{folder}/body.html", everything, language=language)),
    )


def service_letter(
    content: ServiceText,
    *,
    sender: str,
    reply_to: str | None,
    recipient: str,
    message_id: str,
    date: datetime,
) -> bytes:
    """The whole message, with CRLF; `sender` and `reply_to` may carry a name. Raises LetterError for a value that no
    header can hold."""
    text, html = quoted_printable(content.text), quoted_printable(content.html)
    boundary = boundary_of([text, html])
    to = b"To: " + address(recipient).text.encode() + b"\r\n"
    return b"".join(
        [
            mailbox("From", sender),
            mailbox("Reply-To", reply_to) if reply_to else b"",
            to,
            text_header("Subject", content.subject),
            line("Date", format_datetime(date)),
            line("Message-ID", message_id),
            line("MIME-Version", "1.0"),
            f'Content-Type: multipart/alternative;\r\n boundary="{boundary}"\r\n'.encode("ascii"),
            line("Content-Language", content.language),
            line("Auto-Submitted", "auto-generated"),
            line("X-Auto-Response-Suppress", "All"),
            f"\r\n--{boundary}\r\n{part_headers('plain')}\r\n".encode("ascii"),
            text,
            f"\r\n--{boundary}\r\n{part_headers('html')}\r\n".encode("ascii"),
            html,
            f"\r\n--{boundary}--\r\n".encode("ascii"),
        ]
    )
