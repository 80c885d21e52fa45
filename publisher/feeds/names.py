"""The namespaces of feeds, and the prefixes they are written with. Floor: in `feeds`, its lowest."""

ATOM = "http://www.w3.org/2005/Atom"
FH = "http://purl.org/syndication/history/1.0"  # RFC 5005
TOMBSTONES = "http://purl.org/atompub/tombstones/1.0"  # RFC 6721
