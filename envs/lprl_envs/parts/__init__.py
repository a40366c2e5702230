"""What several worlds are made of, and `text_env` takes for granted where a world has no better.

`quantities` are real numbers with words, of instances that are physics; `text_cells` numbers the
texts of an instance; `looking` says where legal actions lead; `batch_last` has `vmap` put its axis
last. It may import `template`, `text_env_data`, `values` and `errors`, and no world.
"""
