"""Our own hub: take subscriptions, verify them, push feeds that changed. Floor: `flows`.

    request -> row -> 202 ... row -> GET callback with a challenge -> the challenge comes back -> subscription
    document's hash changed -> a row per subscriber -> POST the feed to the callback -> accepted | again later | over

Both halves run beside the web server. What changed is found in the ledger of documents, looked at every few seconds,
so it does not matter which process published. Each row moves to its next attempt before the wire: a killed server
goes on where it was, and at worst sends one version twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeVar

import structlog

from publisher.clock import Clock
from publisher.config import WebSubSettings
from publisher.errors import HubError, PublisherError
from publisher.flows.hub_topics import HubTopics, Version
from publisher.hubs import HubClient
from publisher.store import HubRequest, Push, Store
from publisher.websub.callback import Callback, parse_callback
from publisher.websub.exchange import Answer, Taken, is_confirmed, is_given_up, signature, wait_after
from publisher.websub.pace import PER_HOST
from publisher.websub.request import HubMode, Wish

POLL_S = 2.0
"""How often the ledger is asked for changes, in seconds."""
BREATH_S = 0.1
FAILED_POLL_S = 30.0
PARALLEL = 8
"""Subscribers' servers that are spoken to at the same time; one server gets one request at a time."""
HOST_SHARE_S = 10.0
"""After this time a server's further requests wait for the next round, in which the others have their turn first: so
a slow one does not keep up the rest."""
BATCH = 200
MAX_WAITING = 1000
"""Requests that may wait for their verification, of all servers."""
HOST_WAITING = PER_HOST
"""As many of one server: what it may ask for in a minute. A slow one would else fill the room that is for all."""
VERIFY_AGAIN = timedelta(minutes=1)
"""A verification that a killed process left behind is made again after this time, by which it is over for sure."""
REQUEST_LIFE = timedelta(minutes=10)
MAX_MADE = 100
"""Feeds that no file holds, such as unions, that can be followed: each is made anew after each publication."""
HOST_PART = 10
"""One server may have the tenth part of all subscriptions, and in any case HOST_LEAST."""
HOST_LEAST = 100

log = structlog.get_logger("publisher.hub")

T = TypeVar("T", HubRequest, Push)


class Hub:
    """The hub of this site; `topics` says which feeds there are."""

    def __init__(
        self,
        *,
        store: Store,
        topics: HubTopics,
        client: HubClient,
        settings: WebSubSettings,
        clock: Clock,
        mint_challenge: Callable[[], str],
    ) -> None:
        self._store = store
        self._topics = topics
        self._client = client
        self._settings = settings
        self._clock = clock
        self._mint_challenge = mint_challenge
        self._asked: asyncio.Event | None = None

    async def take(self, wish: Wish) -> None:
        """Keep a request, to be verified at once. Raises HubError when it cannot be granted.

        Leaving what one is not subscribed to is accepted and asks nobody: it must not make the hub call strangers.
        """
        path = self._topics.path_of(wish.topic)
        now = self._clock()
        sha256: str | None = ""
        if path is not None and self._topics.is_file(path):
            version = (await self._topics.versions([path], now)).get(path)
            sha256 = version.sha256 if version else None
        if path is None or sha256 is None:
            raise HubError(404, "hub.topic is no feed of this site; use the address in the feed's rel=self link")
        await asyncio.to_thread(self._keep, wish, path, sha256, now)
        if self._asked is not None:
            self._asked.set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Verify and push while the block lasts."""
        self._asked = asyncio.Event()
        rounds = (self.verify_due, self._asked), (self.push_due, asyncio.Event())
        tasks = [asyncio.create_task(_again_and_again(work, wake)) for work, wake in rounds]
        try:
            yield
        finally:
            self._asked = None
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def verify_due(self) -> bool:
        """Ask each subscriber whose request waits whether it was meant. Gives whether there may be more of them."""
        requests = await asyncio.to_thread(self._due_requests)
        await _by_host(requests, self._verify)
        return len(requests) == BATCH

    async def push_due(self) -> bool:
        """Send what changed to whoever is subscribed to it, and what was not taken before to whoever is due. Gives
        whether there may be more of it."""
        followed = await asyncio.to_thread(self._followed)
        versions = await self._topics.versions(followed, self._clock())
        pushes = await asyncio.to_thread(self._due_pushes, versions)
        await _by_host(pushes, lambda push: self._push(push, versions[push.topic]))
        return len(pushes) == BATCH

    async def _verify(self, request: HubRequest) -> None:
        if not await asyncio.to_thread(self._claim_request, request):
            return
        try:
            callback = parse_callback(request.callback, allow_private=self._settings.allow_private)
        except HubError as refusal:  # the settings changed since it was taken
            answer, challenge = Answer(0, problem=str(refusal)), ""
        else:
            answer, challenge = await self._ask(callback, request)
        meant = is_confirmed(answer, challenge)
        if meant and not request.sha256:
            made = (await self._topics.versions([request.topic], self._clock())).get(request.topic)
            request = replace(request, sha256=made.sha256 if made else "")
        await asyncio.to_thread(self._settle_request, request, meant)
        log.info(
            "hub.verified" if meant else "hub.not_verified",
            mode=request.mode,
            topic=request.topic,
            host=request.host,
            problem=None if meant else str(answer) if answer.taken is not Taken.ACCEPTED else "not the challenge",
        )

    async def _ask(self, callback: Callback, request: HubRequest) -> tuple[Answer, str]:
        """Verification of intent (WebSub, 5.3)."""
        challenge = self._mint_challenge()
        fields = {"mode": request.mode, "topic": self._topics.url_of(request.topic), "challenge": challenge}
        if request.mode == HubMode.SUBSCRIBE:
            fields["lease_seconds"] = str(request.lease_s)
        target = callback.with_query(**fields)
        return await self._client.ask(callback, target, body_limit=len(challenge)), challenge

    async def _push(self, push: Push, version: Version) -> None:
        """Content distribution (WebSub, 7)."""
        content = await asyncio.to_thread(self._topics.content, push.topic, version)
        if content is None or not await asyncio.to_thread(self._claim_push, push):
            return
        headers = {"Content-Type": self._topics.media_type(push.topic)}
        if links := self._topics.link_header(push.topic):
            headers["Link"] = links
        if push.secret is not None:
            headers["X-Hub-Signature"] = signature(push.secret, content)
        try:
            callback = parse_callback(push.callback, allow_private=self._settings.allow_private)
        except HubError as refusal:
            answer = Answer(0, problem=str(refusal))
        else:
            answer = await self._client.push(callback, content, headers)
        over = await asyncio.to_thread(self._settle_push, push, version, answer)
        log.info(
            "hub.pushed" if answer.taken is Taken.ACCEPTED else "hub.not_pushed",
            topic=push.topic,
            host=push.host,
            problem=None if answer.taken is Taken.ACCEPTED else str(answer),
            attempts=push.attempts + 1,
            subscription_over=over,
        )

    def _keep(self, wish: Wish, path: str, sha256: str, now: datetime) -> None:
        """Write the request down, if there is room for it and it would change anything."""
        callback, limit = wish.callback, self._settings.max_subscriptions
        with self._store.write() as tx:
            known = tx.hub.is_subscribed(callback.url, path)
            if wish.mode is HubMode.UNSUBSCRIBE and not known:
                return
            if wish.mode is HubMode.SUBSCRIBE and not known:
                full = tx.hub.count() >= limit or tx.hub.count(callback.host) >= max(limit // HOST_PART, HOST_LEAST)
                if full or self._is_one_too_many(path, tx.hub.topics()):
                    raise HubError(503, "this hub has as many subscriptions as it takes; try again later")
            if tx.hub.waiting() >= MAX_WAITING or tx.hub.waiting(callback.host) >= HOST_WAITING:
                raise HubError(503, "too many requests wait for their verification; try again in some minutes")
            tx.hub.ask(
                mode=wish.mode,
                callback=callback.url,
                host=callback.host,
                topic=path,
                lease_s=wish.lease_s,
                secret=wish.secret,
                sha256=sha256,
                now=now,
            )

    def _is_one_too_many(self, path: str, followed: Collection[str]) -> bool:
        """Whether following `path` would mean to make yet another feed after each publication."""
        if self._topics.is_file(path) or path in followed:
            return False
        return sum(not self._topics.is_file(topic) for topic in followed) >= MAX_MADE

    def _due_requests(self) -> list[HubRequest]:
        now = self._clock()
        with self._store.read() as tx:
            due = tx.hub.due_requests(now, BATCH)
        if due:
            with self._store.write() as tx:
                tx.hub.forget_requests(now - REQUEST_LIFE)
        return due

    def _claim_request(self, request: HubRequest) -> bool:
        with self._store.write() as tx:
            return tx.hub.claim_request(request, self._clock() + VERIFY_AGAIN)

    def _settle_request(self, request: HubRequest, meant: bool) -> None:
        with self._store.write() as tx:
            if not tx.hub.answered(request) or not meant:
                return
            if request.mode == HubMode.SUBSCRIBE:
                tx.hub.subscribe(request, self._clock() + timedelta(seconds=request.lease_s))
            else:
                tx.hub.unsubscribe(request.callback, request.topic)

    def _followed(self) -> set[str]:
        with self._store.read() as tx:
            return {topic for topic, _ in tx.hub.sent_versions()}

    def _due_pushes(self, versions: Mapping[str, Version]) -> list[Push]:
        """What is to be sent now; before that, leases that are over end, and changed topics get their rows."""
        now = self._clock()
        with self._store.read() as tx:
            sent = tx.hub.sent_versions()
            lapsed = tx.hub.has_lapsed(now)
        changed = {topic for topic, sha256 in sent if topic in versions and versions[topic].sha256 != sha256}
        if changed or lapsed:
            with self._store.write() as tx:
                tx.hub.lapse(now)
                for topic in sorted(changed):
                    tx.hub.schedule(topic, versions[topic].sha256, now)
        with self._store.read() as tx:
            return tx.hub.due_pushes(now, versions, BATCH)

    def _claim_push(self, push: Push) -> bool:
        with self._store.write() as tx:
            return tx.hub.claim_push(push, self._clock() + wait_after(push.attempts + 1))

    def _settle_push(self, push: Push, version: Version, answer: Answer) -> bool:
        """Record what became of it; gives whether that ended the subscription."""
        with self._store.write() as tx:
            if answer.taken is Taken.ACCEPTED:
                tx.hub.pushed(push, version.sha256, self._clock())
                return False
            over = answer.taken is Taken.GONE or is_given_up(push.attempts + 1)
            if over:
                tx.hub.end(push.subscription_id)
            return over


async def _again_and_again(work: Callable[[], Awaitable[bool]], wake: asyncio.Event) -> None:
    """Do the work every POLL_S, and at once when woken or when there is more; what the store refuses is tried again
    after a while."""
    while True:
        wake.clear()
        try:
            pause = BREATH_S if await work() else POLL_S
        except (PublisherError, OSError) as error:
            log.error("hub.failed", problem=str(error))  # noqa: TRY400  one line, no traceback
            pause = FAILED_POLL_S
        with suppress(TimeoutError):
            await asyncio.wait_for(wake.wait(), pause)


async def _by_host(items: Sequence[T], do: Callable[[T], Awaitable[None]]) -> None:
    """Several servers at the same time, each of them one item after the other for its share of time."""
    gate = asyncio.Semaphore(PARALLEL)
    groups: dict[str, list[T]] = {}
    for item in items:
        groups.setdefault(item.host, []).append(item)

    async def serve(group: list[T]) -> None:
        async with gate:
            end = asyncio.get_running_loop().time() + HOST_SHARE_S
            for item in group:
                await do(item)
                if asyncio.get_running_loop().time() > end:
                    return

    await asyncio.gather(*map(serve, groups.values()))
