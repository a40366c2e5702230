"""Transitions that others have gathered: their files, how they are collected, Minari both ways.

`dataset.load` and `dataset.save`, `collect.collect`, `minari_format`; `docs/offline.md` tells how
to use them. It may import what all algorithms share, priors and below, but no algorithm: these are
handed arrays.
"""
