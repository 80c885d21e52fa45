"""The wire itself: one request, one answer, by httpx2, which is slow to load. Floor: in `hubs`, its lowest.

No redirect is followed and no connection is kept: one that was opened for a name must not serve another name on the
same machine.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field

import httpx2 as httpx

from publisher.websub.callback import Callback
from publisher.websub.exchange import Answer

NO_CONNECTION = (httpx.ConnectError, httpx.ConnectTimeout)
ERRORS = (httpx.HTTPError, httpx.InvalidURL, OSError)
"""What the other side, or the way to it, can do to us."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request to a callback; of the answer's body at most `body_limit` bytes and one are read."""

    callback: Callback
    method: str
    target: str
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes = b""
    body_limit: int = 0


class Wire:
    """`tls` replaces the system's certificates."""

    def __init__(self, *, agent: str, timeout_s: float, tls: ssl.SSLContext | None) -> None:
        self._agent = agent
        self._timeout = httpx.Timeout(timeout_s, connect=timeout_s / 2)
        self._tls = tls or httpx.create_ssl_context()

    async def post(self, url: str, form: Mapping[str, str]) -> Answer:
        """Post a form to the operator's own choice of address, by the proxies of the environment."""
        async with self._client(trust_env=True) as client, client.stream("POST", url, data=dict(form)) as response:
            return Answer(response.status_code)

    async def call(self, call: Call, address: str) -> Answer:
        """Make `call` at this very address, with the callback's name in Host and in TLS; no proxy, no .netrc."""
        callback = call.callback
        url = httpx.URL(scheme=callback.scheme, host=address, port=callback.port, raw_path=call.target.encode("ascii"))
        async with (
            self._client(trust_env=False) as client,
            client.stream(
                call.method,
                url,
                headers={**call.headers, "Host": callback.authority},
                content=call.content or None,
                extensions={"sni_hostname": callback.host.rstrip(".")},
            ) as response,
        ):
            return Answer(response.status_code, await _beginning(response, call.body_limit))

    def _client(self, *, trust_env: bool) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            verify=self._tls,
            trust_env=trust_env,
            follow_redirects=False,
            timeout=self._timeout,
            limits=httpx.Limits(max_keepalive_connections=0),
            headers={"User-Agent": self._agent, "Accept": "*/*", "Accept-Encoding": "identity"},
        )


def told(error: Exception) -> str:
    """What went wrong, without the address, which may be a secret."""
    if isinstance(error, socket.gaierror):
        return "its name has no address"
    if isinstance(error, httpx.TimeoutException):
        return "no answer in time"
    if isinstance(error, httpx.ConnectError):
        return "no connection"
    return "the connection broke, or what came back is not HTTP"


async def _beginning(response: httpx.Response, limit: int) -> bytes:
    """The first `limit` bytes of the body and one more, as they came."""
    body = b""
    if limit:
        async for chunk in response.aiter_raw():
            body += chunk[: limit + 1 - len(body)]
            if len(body) > limit:
                break
    return body
