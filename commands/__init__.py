"""The commands of `ser`: each parses, calls one function, prints."""
