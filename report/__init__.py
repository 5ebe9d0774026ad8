"""Finished runs, shown: one page that opens from the disk, and its figures for a paper."""
