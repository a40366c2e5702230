"""Search in an environment's exact law: `slinvit`.

A search grows a `tree`, level by level, of `proposals`, whose `leaf_values` judge it; `levels`
holds what is particular to a batch of thousands of trees.
"""
