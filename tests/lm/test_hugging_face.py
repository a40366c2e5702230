"""Config and tokenizer of a Hugging Face directory, as both loaders read them."""

import json
import logging
import shutil

import pytest
from lm.flax_folders import folder as flax_folder
from lm.flax_folders import refusal
from lprl_envs import FrozenLake

from lprl_jax.lm import checkpoint, flax_models, hugging_face, token_table
from lprl_jax.pretraining.tasks import END_OF_ACTION

LOADERS = {
    "own": (checkpoint.load, "gpt2"),
    "flax": (flax_models.load_decoder, "gpt2"),
    "bert": (flax_models.load_bert, "bert"),
}


@pytest.fixture(params=LOADERS)
def loader(request, tmp_path, folder):
    """A loader, and a directory that it reads."""
    load, name = LOADERS[request.param]
    whole = folder(name) if request.param == "own" else flax_folder(name)
    return load, shutil.copytree(whole, tmp_path / name)


def change(file, **fields):
    file.write_text(json.dumps(json.loads(file.read_text()) | fields))


@pytest.mark.parametrize("file", ["config.json", "tokenizer_config.json"])
def test_code_of_its_own_is_never_run(loader, tmp_path, file):
    load, path = loader
    (path / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    change(path / file, auto_map={"AutoTokenizer": [None, "own.Own"]}, tokenizer_class="Own")
    message = refusal(load, path)
    assert message.startswith(f"{path / file} asks for code of its own (auto_map)")
    assert not (tmp_path / "ran").exists()


def test_an_empty_field_asks_for_no_code(loader):
    load, path = loader
    change(path / "config.json", auto_map=None)
    assert load(path).name == path.name


@pytest.mark.parametrize("file", ["config.json", "tokenizer_config.json"])
def test_damaged_files_are_named(loader, file):
    load, path = loader
    (path / file).write_text("[]")
    assert refusal(load, path) == f"{path / file} holds no JSON object"
    (path / file).write_text('{"model_type": ')
    assert refusal(load, path).startswith(f"{path / file} is not JSON: ")


def test_a_family_is_a_name(loader):
    load, path = loader
    change(path / "config.json", model_type=["gpt2"])
    assert refusal(load, path) == f"{path / 'config.json'}: model_type is ['gpt2']; it is a name"


@pytest.mark.parametrize("flag", [None, True, False])
def test_a_sentencepiece_tokenizer_of_llamas_class(tmp_path, tokenizer, flag):
    """As Llama 2 and Mistral are published: the class is Llama's, and the flag may be there."""
    right = tokenizer("llama-2")
    right.save_pretrained(tmp_path)
    fields = {"tokenizer_class": "LlamaTokenizer", "legacy": False, "add_bos_token": True}
    fields |= {} if flag is None else {"add_prefix_space": flag}
    change(tmp_path / "tokenizer_config.json", **fields)
    (tmp_path / "config.json").write_text('{"model_type": "mistral"}')

    found = hugging_face.read_tokenizer(tmp_path)
    env = FrozenLake("4x4")
    texts = [text + END_OF_ACTION for text in env.action_texts]
    for text in ("go left\n", " go", "1234", *texts):
        assert found.encode(text) == right.encode(text)
    assert found.encode("")[0] == right.bos_token_id
    answers = [token_table.compile(env.template, texts, t).answers for t in (found, right)]
    assert answers[0] == answers[1]


def test_transformers_is_quiet_only_while_it_is_asked(capfd, tmp_path, folder):
    path = shutil.copytree(folder("plain"), tmp_path / "plain")
    change(path / "config.json", rope_scaling={"rope_type": "yarn", "factor": 8.0})
    logger = logging.getLogger("transformers")
    before = logger.level
    assert before < logging.ERROR
    assert "yarn" in refusal(checkpoint.load, path)
    checkpoint.load(folder("plain"))
    assert logger.level == before
    assert capfd.readouterr().err == ""
