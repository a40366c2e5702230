"""Paths as users give them, and files that appear whole or not at all."""

import errno
import os
from pathlib import Path

import pytest
from lprl_envs import InvalidInput

from lprl_jax.files import paths

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("gs://bucket/run", "is a URL"),
        (Path("s3://bucket/run"), "is a URL"),  # `Path` makes one slash of two
        ("a\0b", "zero byte"),
        ("x" * 300, "name too long"),
        ("\udcff", "not UTF-8"),
    ],
)
def test_what_is_no_path_here_is_refused(path: str, words: str) -> None:
    with pytest.raises(InvalidInput) as error:
        paths.given(path)
    assert words.lower() in str(error.value).lower()
    assert "\n" not in str(error.value)


def test_a_tilde_is_the_home_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert paths.given("~/run") == tmp_path / "run"
    assert paths.given("run 1[a]\\ü") == Path("run 1[a]\\ü")
    assert paths.given("~nobody-of-this-name/x") == Path("~nobody-of-this-name/x")


def test_what_is_there_has_a_path_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("model").mkdir()
    assert paths.absolute("model") == str(tmp_path / "model")
    assert [paths.absolute(text) for text in ("", "nowhere", "hf://x/y")] == [
        "", "nowhere", "hf://x/y",
    ]  # fmt: skip


def test_a_new_file_is_looked_at_before_and_made_later(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    for path, words in (
        ("mine.txt", "exists; name another file"),
        ("mine.txt/x.png", "mine.txt is not a directory"),
        ("x.jpg", "does not end in .png or .pdf"),
        ("x", "does not end in .png or .pdf"),
    ):
        with pytest.raises(InvalidInput, match=words):
            paths.require_new(tmp_path / path, (".png", ".pdf"))
    assert paths.require_new(tmp_path / "a" / "b" / "x.PNG", (".png",)).name == "x.PNG"
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    paths.write_new(tmp_path / "a" / "x", "whole")
    assert (tmp_path / "a" / "x").read_text() == "whole"

    def half() -> None:
        with paths.new_file(tmp_path / "y") as file:
            file.write(b"half")
            raise FULL

    with pytest.raises(InvalidInput, match="No space left on device"):
        half()
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_of_two_that_write_one_file_the_second_is_refused(tmp_path: Path) -> None:
    def second() -> None:
        with paths.new_file(tmp_path / "x") as file:
            file.write(b"second")
            paths.write_new(tmp_path / "x", "first")

    with pytest.raises(InvalidInput, match="exists"):
        second()
    assert (tmp_path / "x").read_text() == "first"
    assert len(list(tmp_path.iterdir())) == 1


def test_without_hard_links_it_is_renamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def link(*_: object) -> None:
        raise OSError(errno.EPERM, "not permitted")

    monkeypatch.setattr(os, "link", link)
    paths.write_new(tmp_path / "x", "whole")
    assert [p.read_text() for p in tmp_path.iterdir()] == ["whole"]


def test_an_error_of_the_system_is_found_in_what_libraries_say() -> None:
    try:
        raise RuntimeError("in the background") from FULL
    except RuntimeError as error:
        told = error
    for text in ("Failed [os_error_code='28']", "IoError(Os { code: 28 })", "(os error 28)"):
        assert paths.system_error(ValueError(text)).errno == errno.ENOSPC
    assert paths.system_error(told).errno == errno.ENOSPC
    assert paths.reason(paths.system_error(ValueError("odd"))) == "odd"
