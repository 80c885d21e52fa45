"""WebSub (W3C Recommendation, January 2018): what a hub and a publisher decide. Floor: websub; pure.

A subscriber asks the hub for a feed and names a callback; the hub asks back whether that was meant, then sends the
feed there each time it changes, until the lease ends. Here are the rules: which requests hold, where callbacks may
lead, what is signed and how, and when to try again. The wire is in `publisher.hubs`.
"""
