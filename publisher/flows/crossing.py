"""The one crossing between the asynchronous and the synchronous half of the house. Floor: `flows`.

The store is synchronous, and feedgen sets the process's locale while it writes dates: so everything of that kind runs
one after the other in one thread, and the event loop stays free for the wire and the web.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from typing import ParamSpec, Protocol, TypeVar

from publisher.errors import StoreBusy
from publisher.store import HeldStore, Store, Transaction

P = ParamSpec("P")
T = TypeVar("T")

_thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="publisher-store")


async def across(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run `function` in the store's thread and give its result. A cancelled caller still waits for it to end, so that
    no transaction goes on behind a caller who has left."""
    future = asyncio.get_running_loop().run_in_executor(_thread, partial(copy_context().run, function, *args, **kwargs))
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        if not future.done():
            await asyncio.wait([future])
        raise


class Write(Protocol):
    """Does something in one transaction of the store, where that costs least."""

    def __call__(self, work: Callable[[Transaction], T]) -> Awaitable[T]: ...


def write_of(store: Store, held: HeldStore) -> Write:
    """Transactions on the connection that is held, right here, where that takes no way to a server; else, and while
    somebody else writes, in the store's thread."""

    async def write(work: Callable[[Transaction], T]) -> T:
        if held.at_hand:
            with suppress(StoreBusy), held.write() as tx:
                return work(tx)

        def there() -> T:
            with store.write() as tx:
                return work(tx)

        return await across(there)

    return write
