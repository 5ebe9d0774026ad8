"""A trained run for those who do not have this library: as ONNX, and as a model card."""
