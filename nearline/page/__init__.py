"""The page on which a person watches a running system: a small web server, and what a browser shows of it."""
