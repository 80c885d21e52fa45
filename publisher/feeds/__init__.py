"""Feeds: one value, written as Atom, RSS, JSON Feed and OPML. Pure, bytes out, no clock. Floor: above `links`.

`value` builds the feed and judges its entries; `atom`, `rss`, `jsonfeed` and `opml` write bytes; `grammar` checks Atom
before it is published. Import the module you need: nothing is imported here, so that commands without feeds start fast.
"""
