"""Published networks, each a whole of its own on one feature, in torch alone."""
