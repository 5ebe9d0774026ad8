"""The paper's tables and figures, on the corpora that are cached."""
