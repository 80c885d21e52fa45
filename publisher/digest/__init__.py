"""Which articles for whom, and the letter that brings them. Floor: a pure room."""
