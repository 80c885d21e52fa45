"""The pages of signing up, which only `publisher serve` shows. Floor: pure.

What they say after the form does not depend on whether the address is known, and no address stands in them.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from publisher.links import SUBSCRIBE
from publisher.model import ALL, Frequency
from publisher.pages.web import WebPages


class SignUpPages(WebPages):
    """`WebPages`, and those for who comes to the digest by themselves."""

    def form(
        self,
        *,
        stamp: str,
        email: str = "",
        topics: Collection[str] = (),
        frequency: Frequency | None = None,
        language: str = "",
        problem: str = "",
    ) -> bytes:
        """The sign-up form; filled in as it was sent, with the `problem` that kept it from being taken. `stamp` comes
        back with it and tells when it was shown."""
        values = {
            "email": email,
            "chosen": frozenset(topics),
            "frequency": frequency,
            "language": language,
            "stamp": stamp,
            "problem": problem,
        }
        return self._page("site/sign-up.html", "Get the digest by e-mail", values)

    def asked(self, address: str, *, problem: str = "") -> bytes:
        """The one answer to all who signed up; `address` is the keyed hash that the form for the code sends along."""
        values = {"address": address, "code_action": self._to(f"{SUBSCRIBE}/code"), "problem": problem}
        return self._page("site/signed-up.html", "Please look into your mailbox", values)

    def confirm(self, *, topics: Collection[str], frequency: Frequency, stamp: str, problem: str = "") -> bytes:
        """What the letter's link leads to: the choice, and the button that a person presses."""
        values: dict[str, Any] = {
            "topics": [] if ALL in topics else self._frame.topics(topics),
            "frequency": frequency,
            "stamp": stamp,
            "problem": problem,
        }
        return self._page("site/confirm.html", "Confirm the digest", values)

    def too_old(self, again: str = "") -> bytes:
        """The link does not hold any more; `again` is where a button asks for a new letter, without it the form is."""
        values = {"again": again, "form": self._to(SUBSCRIBE) if self._site.frequencies else ""}
        return self._page("site/too-old.html", "This link is too old", values)

    def confirmed_already(self) -> bytes:
        text = "This link was used before, and your address is confirmed. There is nothing more to do."
        return self.message("Already confirmed", [text, "To change or end the digest, use the links in each letter."])

    def not_me(self, *, stamp: str, problem: str = "") -> bytes:
        """Asks whether nobody may write to the address any more; posts `answer` and the `stamp`, as `confirm` does."""
        paragraphs = [
            "Press the button, and no letter of ours goes to your address any more, whoever types it. What we keep is "
            "a mark from which your address cannot be read.",
        ]
        return self.ask("Never write to me again?", paragraphs, "Never write to me again", stamp=stamp, problem=problem)

    def never_again(self) -> bytes:
        text = "No letter of ours will be sent to your address any more. If you change your mind, write to us."
        return self.message("Done", text)
