"""The backbones, a file each, and what they share."""
