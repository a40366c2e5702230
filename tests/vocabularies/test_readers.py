"""Files of vocabularies are read as they are written; a download that is another file is none."""

import base64
import json
import struct
import zipfile

import pytest
from vocabularies import make, readers


def varint(value: int) -> bytes:
    low, rest = value & 0x7F, value >> 7
    return bytes([low | 0x80]) + varint(rest) if rest else bytes([low])


def field(number: int, value: int | float | bytes) -> bytes:
    """A field of a protocol buffer."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    if isinstance(value, float):
        return varint(number << 3 | 5) + struct.pack("<f", value)
    return varint(number << 3 | 2) + varint(len(value)) + value


PIECES = [("<unk>", 0.0, 2), ("▁the", -1.5, 1), ("漢", -300.25, 1), ("x" * 200, -2.0, 4)]


def model(trainer=((3, 2), (4, 32_000)), normalizer=((1, b"identity"), (2, b""), (3, 1), (4, 0))):
    written = b"".join(
        field(1, field(1, text.encode()) + field(2, score) + (field(3, kind) if kind != 1 else b""))
        for text, score, kind in PIECES
    )
    for number, fields in ((2, trainer), (3, normalizer)):
        written += field(number, b"".join(field(*one) for one in fields))
    return written


def test_tiktoken_ranks(tmp_path):
    path = tmp_path / "a.tiktoken"
    path.write_bytes(b"IQ== 0\nIHRoZQ== 300\n\n")
    assert readers.tiktoken_ranks(path) == {b"!": 0, b" the": 300}


def test_tekken_ranks_leave_out_what_the_models_do_not_have(tmp_path):
    vocab = [{"rank": i, "token_bytes": base64.b64encode(bytes([i])).decode()} for i in range(9)]
    config = {"default_vocab_size": 7, "default_num_special_tokens": 3, "pattern": "."}
    path = tmp_path / "tekken.json"
    path.write_text(json.dumps({"config": config, "vocab": vocab}))
    assert readers.tekken_ranks(path) == ({b"\0": 0, b"\1": 1, b"\2": 2, b"\3": 3}, 3, ".")


def test_sentencepiece_model(tmp_path):
    path = tmp_path / "a.model"
    path.write_bytes(model())
    texts, scores, types = readers.sentencepiece_model(path)
    assert list(zip(texts, scores, types, strict=True)) == PIECES


@pytest.mark.parametrize(
    ("written", "message"),
    [
        (model(trainer=[(3, 1)]), "a model of type 1; 2, byte-pair encoding"),
        (model(trainer=[]), "a model of type 1; 2, byte-pair encoding"),
        (model(normalizer=[(1, b"nmt_nfkc"), (2, b"map")]), "characters are replaced"),
        (model(normalizer=[(3, 0), (4, 0)]), "add_dummy_prefix is 0; right: 1"),
        (model(normalizer=[(3, 1)]), "remove_extra_whitespaces is 1; right: 0"),
        (model()[:-3], "ends behind the message's end"),
        (b"\x0b", "unknown wire type 3"),
    ],
    ids=["unigram", "no type", "replaces", "no prefix", "strips", "cut off", "wire type"],
)
def test_sentencepiece_models_that_encode_otherwise(tmp_path, written, message):
    path = tmp_path / "a.model"
    path.write_bytes(written)
    with pytest.raises(ValueError, match=message):
        readers.sentencepiece_model(path)


# -- downloads: of a folder here, without the net ------------------------------------------------


def wheel(folder, content="data"):
    """Path of a wheel with one file."""
    path = folder / "pond-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("pond/ranks.tiktoken", content)
        about = "pond-1.0.dist-info"
        archive.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: pond\nVersion: 1.0\n")
        archive.writestr(
            f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{about}/RECORD", "")
    return path


def download(source, sha256, target):
    target.mkdir()
    options = ["--no-index", "--find-links", str(source.parent)]
    return make.download(make.Wheel("pond", "1.0", sha256), target, options)


def test_a_download_is_held_against_its_digest(tmp_path, capfd):
    import hashlib

    source = wheel(tmp_path)
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    got = download(source, digest, tmp_path / "got")
    assert got.read_bytes() == source.read_bytes()
    with pytest.raises(SystemExit, match=r"pond==1\.0 was not downloaded; pip says why above"):
        download(source, "0" * 64, tmp_path / "not")
    assert "DO NOT MATCH THE HASHES" in capfd.readouterr().err
    assert list((tmp_path / "not").glob("**/*.whl")) == []


def test_a_directory_is_written_whole_or_not_at_all(tmp_path):
    class Broken:
        def save(self, path):
            raise OSError("no space")

    folder = tmp_path / "all" / "one"
    with pytest.raises(OSError, match="no space"):
        make.write(folder, Broken(), {})  # pyright: ignore[reportArgumentType]
    assert list(folder.parent.iterdir()) == []
