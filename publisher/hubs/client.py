"""HTTP to hubs and subscribers with httpx2. Floor: in `hubs`.

A subscriber's callback is a stranger's address. Its name is resolved once, each of its addresses is judged, and the
connection goes to one of those very addresses, with the name in Host and in TLS: a name that changes its addresses
meanwhile gains nothing. No redirect is followed, no proxy or .netrc of the environment is used, and no connection is
kept, since one that was opened for a name must not serve another on the same machine.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from ipaddress import ip_address

import httpx2 as httpx

from publisher.websub.callback import Callback, refused_address
from publisher.websub.exchange import Answer

TIMEOUT_S = 10.0
"""The whole of one exchange: name, connection, request and answer."""
_ADDRESSES = 3  # of one name, tried one after the other when a connection cannot be made

Resolver = Callable[[str, int], Awaitable[list[str]]]
"""The addresses of a host's name for a port; raises OSError when it has none."""


async def system_resolver(host: str, port: int) -> list[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


@dataclass(frozen=True, slots=True)
class _Call:
    """One request to a callback; of the answer's body at most `body_limit` bytes and one are read."""

    callback: Callback
    method: str
    target: str
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes = b""
    body_limit: int = 0


class HubClient:
    """Speaks to hubs and subscribers. `allow_private` lets callbacks lead anywhere; `tls` replaces the system's
    certificates, `resolve` its names."""

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
        self._given_tls = tls

    async def ping(self, hub: str, feed_url: str) -> Answer:
        """Tell a configured hub that a feed changed. Its address is the operator's word: proxies of the environment
        are used, private networks are fine."""
        form = {"hub.mode": "publish", "hub.url": feed_url, "hub.topic": feed_url}
        return await self._bounded(self._ping(hub, form))

    async def ask(self, callback: Callback, target: str, *, body_limit: int) -> Answer:
        """GET `target` of a callback; of the answer's body at most `body_limit` bytes and one are read."""
        return await self._bounded(self._call(_Call(callback, "GET", target, body_limit=body_limit)))

    async def push(self, callback: Callback, content: bytes, headers: Mapping[str, str]) -> Answer:
        """POST `content` to a callback; of the answer only the status is read."""
        return await self._bounded(self._call(_Call(callback, "POST", callback.target, headers, content)))

    async def _bounded(self, exchange: Awaitable[Answer]) -> Answer:
        try:
            async with asyncio.timeout(self._timeout_s):
                return await exchange
        except TimeoutError:
            return Answer(0, problem=f"no answer within {self._timeout_s:g} seconds")
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            return Answer(0, problem=_told(error))

    async def _ping(self, hub: str, form: Mapping[str, str]) -> Answer:
        async with self._client(trust_env=True) as client, client.stream("POST", hub, data=dict(form)) as response:
            return Answer(response.status_code)

    async def _call(self, call: _Call) -> Answer:
        addresses = await self._addresses(call.callback)
        if refusal := refused_address(addresses, allow_private=self._allow_private):
            return Answer(0, problem=refusal)
        *others, last = addresses[:_ADDRESSES]
        async with self._client(trust_env=False) as client:
            for address in others:
                with suppress(httpx.ConnectError, httpx.ConnectTimeout):
                    return await _at(address, call, client)
            return await _at(last, call, client)

    async def _addresses(self, callback: Callback) -> list[str]:
        with suppress(ValueError):
            return [str(ip_address(callback.host))]
        return await self._resolve(callback.host, callback.port)

    def _client(self, *, trust_env: bool) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            verify=self._tls,
            trust_env=trust_env,
            follow_redirects=False,
            timeout=httpx.Timeout(self._timeout_s, connect=self._timeout_s / 2),
            limits=httpx.Limits(max_keepalive_connections=0),
            headers={"User-Agent": self._agent, "Accept": "*/*", "Accept-Encoding": "identity"},
        )

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return self._given_tls or httpx.create_ssl_context()


async def _at(address: str, call: _Call, client: httpx.AsyncClient) -> Answer:
    """Send `call` to this very address."""
    callback = call.callback
    request = client.build_request(
        call.method,
        httpx.URL(scheme=callback.scheme, host=address, port=callback.port, raw_path=call.target.encode("ascii")),
        headers={**call.headers, "Host": callback.authority},
        content=call.content or None,
        extensions={"sni_hostname": callback.host.rstrip(".")},
    )
    response = await client.send(request, stream=True)
    try:
        body = b""
        if call.body_limit:
            async for chunk in response.aiter_raw():
                body += chunk[: call.body_limit + 1 - len(body)]
                if len(body) > call.body_limit:
                    break
        return Answer(response.status_code, body)
    finally:
        await response.aclose()


def _told(error: Exception) -> str:
    """What went wrong, without the address, which may be a secret."""
    if isinstance(error, socket.gaierror):
        return "its name has no address"
    if isinstance(error, httpx.TimeoutException):
        return "no answer in time"
    if isinstance(error, httpx.ConnectError):
        return "no connection"
    return "the connection broke, or what came back is not HTTP"
