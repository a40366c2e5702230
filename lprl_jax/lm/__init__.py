"""The language model alone: tokens in, log-probabilities out.

`checkpoint.load` reads a Hugging Face directory, `embedded` names the model that is shipped,
`decoder` runs it, `families` says how each kind of checkpoint becomes one. `token_table` renders
templates as tokens inside the graph, `scoring` scores answers, `generation` writes; `parsing` reads
what was written as slots of a template, `projection` as an action, by the bytes of `byte_table`.
`lora` has adapters beside a decoder's frozen weights, `lora_files` keeps them. `gguf_files`,
`gguf_model` and `gguf_tokenizer` read llama.cpp's files, `fetched` brings one, `named` finds models
by name. `identity` says who a model is, by content. `flax_models` and `encoder` run transformers'
own Flax models. It knows environments as texts, and imports nothing else of the library.
"""
