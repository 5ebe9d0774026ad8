"""Files that come over http(s): resumed where they broke off, and never taken for whole when they
are not."""
