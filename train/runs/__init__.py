"""Many trainings: asked for, run side by side, kept, and read again."""
