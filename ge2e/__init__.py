"""The GE2E speaker encoder, which extraction runs and training may fine-tune."""
