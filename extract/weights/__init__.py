"""The weights of backbones: what they are, where they lie, how they come."""
