"""HTTP to hubs and subscribers, bounded in time. Floor: in `hubs`, above `wire`.

A subscriber's callback is a stranger's address. Its name is resolved once, each of its addresses is judged, and the
connection goes to one of those very addresses: a name that changes its addresses meanwhile gains nothing.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import cached_property
from ipaddress import ip_address
from typing import TYPE_CHECKING

from publisher.websub.callback import Callback, refused_address
from publisher.websub.exchange import Answer

if TYPE_CHECKING:
    from publisher.hubs.wire import Wire

TIMEOUT_S = 10.0
"""The whole of one exchange: name, connection, request and answer."""
_ADDRESSES = 3  # of one name, tried one after the other when a connection cannot be made

Resolver = Callable[[str, int], Awaitable[list[str]]]
"""The addresses of a host's name for a port; raises OSError when it has none."""


async def system_resolver(host: str, port: int) -> list[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class HubClient:
    """Speaks to hubs and subscribers. `allow_private` lets callbacks lead anywhere; `resolve` and `tls` replace the
    system's names and certificates."""

    def __init__(
        self,
        *,
        agent: str,
        allow_private: bool = False,
        timeout_s: float = TIMEOUT_S,
        resolve: Resolver = system_resolver,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._agent = agent
        self._allow_private = allow_private
        self._timeout_s = timeout_s
        self._resolve = resolve
        self._tls = tls

    async def ping(self, hub: str, feed_url: str) -> Answer:
        """Tell a configured hub that a feed changed. Its address is the operator's word: proxies of the environment
        are used, private networks are fine."""
        # WebSub leaves this to hubs; what all of them understand is the form of PubSubHubbub 0.3, 7.1
        form = {"hub.mode": "publish", "hub.url": feed_url, "hub.topic": feed_url}
        return await self._bounded(self._wire.post(hub, form))

    async def ask(self, callback: Callback, target: str, *, body_limit: int) -> Answer:
        """GET `target` of a callback; of the answer's body at most `body_limit` bytes and one are read."""
        return await self._bounded(self._call(callback, "GET", target, body_limit=body_limit))

    async def push(self, callback: Callback, content: bytes, headers: Mapping[str, str]) -> Answer:
        """POST `content` to a callback; of the answer only the status is read."""
        return await self._bounded(self._call(callback, "POST", callback.target, headers=headers, content=content))

    async def _bounded(self, exchange: Awaitable[Answer]) -> Answer:
        from publisher.hubs import wire  # noqa: PLC0415  (late: slow to load, and most sites have no hub)

        try:
            async with asyncio.timeout(self._timeout_s):
                return await exchange
        except TimeoutError:
            return Answer(0, problem=f"no answer within {self._timeout_s:g} seconds")
        except wire.ERRORS as error:
            return Answer(0, problem=wire.told(error))

    async def _call(
        self,
        callback: Callback,
        method: str,
        target: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes = b"",
        body_limit: int = 0,
    ) -> Answer:
        from publisher.hubs.wire import NO_CONNECTION, Call  # noqa: PLC0415  (as above)

        addresses = await self._addresses(callback)
        if refusal := refused_address(addresses, allow_private=self._allow_private):
            return Answer(0, problem=refusal)
        call = Call(callback, method, target, headers or {}, content, body_limit)
        *others, last = addresses[:_ADDRESSES]
        for address in others:
            with suppress(*NO_CONNECTION):
                return await self._wire.call(call, address)
        return await self._wire.call(call, last)

    async def _addresses(self, callback: Callback) -> list[str]:
        with suppress(ValueError):
            return [str(ip_address(callback.host))]
        return await self._resolve(callback.host, callback.port)

    @cached_property
    def _wire(self) -> Wire:
        from publisher.hubs.wire import Wire  # noqa: PLC0415  (as above)

        return Wire(agent=self._agent, timeout_s=self._timeout_s, tls=self._tls)
