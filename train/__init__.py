"""From the cache to a trained recogniser: tensors, model, runs. Never needs audio or backbones."""
