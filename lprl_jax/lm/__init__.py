"""The language model: decoder, checkpoints, token tables, scoring, the embedded model."""
