"""A single letter that waits for nothing: over the first relay that will have it. Floor: `flows`."""

from __future__ import annotations

from publisher.errors import RelayUnavailable
from publisher.flows.deliver import Post
from publisher.smtp.connect import open_session
from publisher.smtp.endpoint import Endpoint
from publisher.smtp.outbox import outbox
from publisher.smtp.session import Reply


async def hand_over(post: Post, recipient: str, letter: bytes) -> Reply:
    """Hand `letter` to the relays in their order, or to the outbox; gives the answer of the one that took it.

    Raises Refused with the first relay's no, and RelayUnavailable where none could be reached, or one may have taken
    the letter: another copy is not sent for the sake of an answer.
    """
    if post.is_local:
        async with outbox(post.outbox_path) as endpoint:
            return await _over(endpoint, post.letters.sender, recipient, letter)
    problems: list[str] = []
    for relay in post.relays:
        endpoint = Endpoint.from_settings(relay, timeout_s=post.smtp.timeout_seconds)
        try:
            return await _over(endpoint, post.letters.sender, recipient, letter)
        except RelayUnavailable as error:
            if error.handed_over:
                raise
            problems.append(str(error))
    raise RelayUnavailable("\n".join(problems))


async def _over(endpoint: Endpoint, sender: str, recipient: str, letter: bytes) -> Reply:
    async with open_session(endpoint) as session:
        return await session.hand_over(sender, recipient, letter)
