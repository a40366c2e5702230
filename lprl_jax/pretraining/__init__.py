"""How the embedded language model is made, and how its model card's figures are measured.

`pretrain.train` and `pretrain_run.run` train it from scratch on what planners do in training
instances (`tasks`, `lessons`, `curriculum`); `measuring` asks how good it is, and `following` how
far one comes with it. It may import algorithms, priors, `lm` and the statistics of `results`; only
the command line imports it. Who uses a model needs none of this: that is `lprl_jax.lm`.
"""
