"""The door to hubs and to a hub's subscribers: HTTP out, bounded in time and size. Floor: door to the web.

    hubs = HubClient(agent="publisher (https://customs.example/)")
    await hubs.ping(hub, feed_url)                     # tell a hub of others of a change
    await hubs.ask(callback, target, body_limit=43)    # ask a subscriber whether they meant it
    await hubs.push(callback, content, headers)        # send a feed to a subscriber

Nothing is raised for what the other side does: each call gives an `Answer`.
"""

from publisher.hubs.client import HubClient, Resolver

__all__ = ["HubClient", "Resolver"]
