"""Pages are what their sources and the committed figures make; no number is typed by hand."""

import importlib
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "docs"))
figures: Any = importlib.import_module("figures")
typed_numbers: Any = importlib.import_module("typed_numbers")

KNOWN = figures.Known(
    frozenset({"lake"}), {"lake.end": "> 30,208", "lake.success": ".97"}, {"lake": "| 1 |"}
)


@pytest.fixture(scope="module")
def known() -> Any:
    return figures.read()


@pytest.fixture(scope="module")
def pages(known: Any) -> dict[str, str]:
    return {page: figures.written_page(page, files, known) for page, files in figures.PAGES.items()}


# -- the committed pages ---------------------------------------------------------------------------


def test_the_pages_hold_the_committed_figures(known: Any, pages: dict[str, str]) -> None:
    """What `make figures-check` does."""
    wrong = [*figures.differences(pages), *figures.stale(), *figures.left_over(known)]
    assert [*wrong, *figures.typed()] == []


def test_every_table_has_a_place(known: Any) -> None:
    sources = "".join(file.read_text() for files in figures.PAGES.values() for file in files)
    assert [name for name in known.tables if f"{{{{table:{name}}}}}" not in sources] == []


def test_every_page_names_its_source_and_every_source_its_page(pages: dict[str, str]) -> None:
    for page, files in figures.PAGES.items():
        source = re.search(r"its source is ([\w/.]+),", pages[page].partition("\n")[0])
        assert source is not None
        assert (figures.ROOT / source[1]).exists()
        for file in files:
            first = file.read_text().partition("\n")[0]
            assert page in first
            assert "make figures" in first
            assert first not in pages[page]


def test_the_check_changes_nothing_and_names_what_differs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "ROOT", tmp_path)
    (tmp_path / "README.md").write_text("# A\n\nit was .96\n")
    found = figures.differences({"README.md": "# A\n\nit was .97\n", "other.md": "new\n"})
    assert found == [
        "README.md:3 is not what its source makes; run `make figures`",
        "other.md:1 is not what its source makes; run `make figures`",
    ]
    assert (tmp_path / "README.md").read_text() == "# A\n\nit was .96\n"
    assert not (tmp_path / "other.md").exists()


@pytest.mark.parametrize("wrong", [["a page differs"], []])
def test_the_check_fails_if_anything_is_wrong(
    wrong: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "read", lambda: KNOWN)
    monkeypatch.setattr(figures, "written_page", lambda page, *_: page)
    for check in ("differences", "left_over"):
        monkeypatch.setattr(figures, check, lambda _, wrong=wrong: wrong)
    for check in ("stale", "typed"):
        monkeypatch.setattr(figures, check, list)
    monkeypatch.setattr(figures, "ROOT", tmp_path)
    monkeypatch.setattr(sys, "argv", ["figures.py", "--check"])
    if wrong:
        with pytest.raises(SystemExit, match="a page differs"):
            figures.main()
    else:
        figures.main()
    assert list(tmp_path.iterdir()) == []


def test_a_part_that_is_not_measured_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "kl_ppo.json").write_text(json.dumps({"frozen_lake": {}}))
    monkeypatch.setattr(
        figures, "figures_files", lambda: {"kl_ppo": ("kl_ppo", tmp_path / "kl_ppo.json")}
    )
    with pytest.raises(ValueError, match=r"kl_ppo.json lacks 'others', which kl_ppo.py shows"):
        figures.read()


# -- from source to page ---------------------------------------------------------------------------


def test_figures_take_the_place_of_their_names() -> None:
    source = (
        "<!-- Source of a page. -->\n\n## Lake\n\nIt solves {{lake.success}}.\n\n{{table:lake}}\n"
    )
    assert figures.rendered(source, KNOWN) == "## Lake\n\nIt solves .97.\n\n| 1 |\n"


@pytest.mark.parametrize("place", ["{{lake.loss}}", "{{table:pond}}", "{{pond.success}}"])
def test_what_there_is_not_is_refused_by_name(place: str) -> None:
    with pytest.raises(ValueError, match=r"linvit.md quotes \{\{.*--names (lake|pond)`"):
        figures.rendered(f"It solves {place}.\n", KNOWN, "linvit.md")


def test_a_line_does_not_begin_with_what_would_be_a_quotation() -> None:
    for pad in range(40):
        page = figures.rendered(
            f"* It{'s' * 70} {'x' * pad} takes {{{{lake.end}}}} steps.\n", KNOWN
        )
        assert "30,208" in page
        assert not re.search(r"(?m)^\s*>", page)


def test_a_passage_waits_for_its_figures() -> None:
    source = (
        "<!-- {}: when measured -->\nIt solves {{{{lake.success}}}}.\n"
        "<!-- {}: until then -->\nIt solves .5.\n<!-- {}: end -->\n"
    )
    assert figures.rendered(source.format(*["lake"] * 3), KNOWN) == "It solves .97.\n"
    assert figures.rendered(source.format(*["pond"] * 3), KNOWN) == "It solves .5.\n"


def test_what_waited_is_to_be_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.md"
    monkeypatch.setattr(figures, "PAGES", {"README.md": (file,)})
    monkeypatch.setattr(figures, "BY_HAND", ())
    monkeypatch.setattr(typed_numbers, "SENTENCES", {})
    for name, left in (("lake", 1), ("pond", 0)):
        parts = "when measured", "until then -->\n.5\n<!-- lake: end"
        file.write_text("".join(f"<!-- lake: {x} -->\n" for x in parts).replace("lake", name))
        assert len(figures.left_over(KNOWN)) == left
        assert figures.typed() == []


def test_names_are_listed_with_their_values() -> None:
    assert figures.listed(KNOWN, "lake.s") == ["{{lake.success}}  .97"]
    assert figures.listed(KNOWN, "lake")[-1] == "{{table:lake}}"


# -- numbers that are typed ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sentence", "number"),
    [
        ("Its actions solve .97 of them.", ".97"),
        ("It takes 15,000 steps\nto get there.", "15,000"),
        ("It succeeds in 45 % of episodes.", "45"),
        ("It is **13 times** faster.", "13"),
        ("An interval of [.95, 1.00].", ".95"),
        ("In 22 of 32 runs.", "22"),
        ("Worse, (.07).", ".07"),
        ("The loss is 1e-3.", "1e-3"),
        ("110,000 instances", "110,000"),
        ("## 45 % of them", "45"),
        ("| .97 | 45 % |", ".97"),
        ("`a` and `.97` and `b`", ".97"),
        ("It is ten times faster.", "ten times"),
        ("It needs a tenth of the data.", "a tenth"),
    ],
)
def test_a_measured_number_typed_by_hand_is_found(sentence: str, number: str) -> None:
    found = list(typed_numbers.found(f"# A page\n\nSome words.\n{sentence}\n"))
    assert found[0][:2] == (4, number)


@pytest.mark.parametrize(
    "text",
    [
        "On 8×8 maps, arXiv 2410.07927, with k = 5 and α = 0.1.",
        "A 95 % interval of steps to\n80 %.",
        "`lprl train x=15_000` and [97](docs/97.md#15)".replace("97]", "it]"),
        "```\nsuccess .97\n```",
        "| a | `x=15_000` |",
        "It asks one of four questions, in two cases.",
        "<!-- .97 -->",
        "embedded-early-1, Qwen2.5, GPT-2 and R8",
    ],
)
def test_sizes_settings_and_what_is_no_sentence_may_stand(text: str) -> None:
    assert list(typed_numbers.found(f"{text}\n")) == []


def test_a_page_with_such_a_number_fails_with_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "lake.md"
    file.write_text(
        "<!-- Source of a page. -->\n\nIt solves {{lake.success}}, and\nonce solved .96.\n"
    )
    by_hand = tmp_path / "by_hand.md"
    by_hand.write_text("It took 15,000 steps.\n")
    monkeypatch.setattr(figures, "PAGES", {"README.md": (file,)})
    monkeypatch.setattr(figures, "BY_HAND", (by_hand,))
    monkeypatch.setattr(typed_numbers, "SENTENCES", {"8 dwarfs": "a tale"})
    assert figures.typed() == [
        "lake.md:4: '.96' in 'It solves , and once solved .96.' is written by hand; quote it from "
        "the figures, or allow it in docs/typed_numbers.py",
        "by_hand.md:1: '15,000' in 'It took 15,000 steps.' is written by hand; quote it from the "
        "figures, or allow it in docs/typed_numbers.py",
        "docs/typed_numbers.py allows '8 dwarfs', which is on no page",
    ]


# -- whose figures they are ------------------------------------------------------------------------


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    module: Any = importlib.import_module("written")
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "digest", {"embedded": "d1", "embedded-early-1": "d2"}.get)
    monkeypatch.setattr(module, "TO_BE_MEASURED", ("old.json",))
    monkeypatch.setattr(module.origin, "commit", lambda root: "c1")
    monkeypatch.setattr(sys, "argv", [str(tmp_path / "docs/lake.py"), "one", "--tables", "/a/b"])
    return module


def test_figures_name_their_models_and_their_command(written: Any, tmp_path: Path) -> None:
    path = tmp_path / "lake.json"
    written.write(path, {"success": 0.5}, ["embedded"])
    found = json.loads(path.read_text())
    assert found["made"]["model"] == {"embedded": "d1"}
    assert found["made"]["command"] == "python docs/lake.py one --tables DIR"
    assert found["made"]["commit"] == "c1"
    assert found["made"]["machine"].startswith("CPU, ")
    assert written.read(path) == {"success": 0.5}
    assert written.complaint(path) is None
    assert written.kept(path, ["embedded"]) == {"success": 0.5}
    written.write(path, written.kept(path), ())
    assert json.loads(path.read_text())["made"]["model"] == "none"
    assert written.complaint(path) is None


def test_figures_from_nowhere_are_refused(
    written: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(written.origin, "commit", lambda root: "")
    path = tmp_path / "lake.json"
    written.write(path, {"success": 0.5}, ["embedded"])
    assert "does not say at which commit" in str(written.complaint(path))


def test_figures_of_another_model_are_refused_and_not_kept(
    written: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "lake.json"
    written.write(path, {"a": {"b": 1}}, ["embedded"])
    monkeypatch.setattr(written, "digest", {"embedded": "another"}.get)
    assert re.search(r"lake.json was measured with another 'embedded'.*d1.*lake.py", str(
        written.complaint(path)))  # fmt: skip
    assert written.kept(path, ["embedded"]) == {}
    assert written.kept(tmp_path / "none.json", ["embedded"]) == {}


def test_parts_name_their_models_too(written: Any, tmp_path: Path) -> None:
    path = tmp_path / "tuning.json"
    parts = {"dqn": {"made": written.made()}, "kl_ppo": {"made": written.made(["embedded"])}}
    path.write_text(json.dumps({"lake": parts}))
    assert written.complaint(path) is None
    parts["kl_ppo"]["made"]["model"]["embedded"] = "d2"
    path.write_text(json.dumps({"lake": parts}))
    assert "another 'embedded'" in written.complaint(path)


def test_a_card_names_models_by_their_folders(written: Any, tmp_path: Path) -> None:
    path = tmp_path / "card.json"
    made = {"model": {"final": "d1", "early-1": "d2"}, "command": "lprl pretrain"}
    made |= {"commit": "c1", "machine": "CPU"}
    path.write_text(json.dumps({"made": made}))
    assert written.complaint(path) is None
    made["model"]["final"] = "d2"
    path.write_text(json.dumps({"made": made}))
    assert "another 'final'" in written.complaint(path)


def test_what_is_to_be_measured_is_listed_until_it_is(written: Any, tmp_path: Path) -> None:
    for name in ("old.json", "new.json"):
        (tmp_path / name).write_text("{}")
    monkeypatched = written.complaint(tmp_path / "new.json")
    assert "new.json does not say which model" in monkeypatched
    assert written.complaint(tmp_path / "old.json") is None
    made = {"made": {"model": "none", "command": ""}}
    (tmp_path / "old.json").write_text(json.dumps(made))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(written, "__file__", str(tmp_path / "docs/written.py"))
        assert "take it out of TO_BE_MEASURED" in written.complaint(tmp_path / "old.json")


def test_every_file_that_is_to_be_measured_is_there() -> None:
    module: Any = importlib.import_module("written")
    assert [name for name in module.TO_BE_MEASURED if not (figures.ROOT / name).is_file()] == []


# -- how sentences write figures -------------------------------------------------------------------


def test_figures_are_written_as_in_sentences() -> None:
    prose: Any = importlib.import_module("prose")
    assert prose.slug("CQL-Prior, embedded, CQL's settings") == "cql-prior-embedded-cqls-settings"
    assert prose.slug("embedded, 2 % uniform") == "embedded-2-uniform"
    assert [prose.share(x) for x in (0.864, 1.0, 0.0, -0.25)] == [".86", "1.00", ".00", "-.25"]
    assert prose.estimate("a", [0.86, 0.8, 0.9])["a.interval"] == ".86 [.80, .90]"
    assert prose.reached("a", "1,536 [1,280, > 9,000], 30/32") == {
        "a": "1,536",
        "a.interval": "1,536 [1,280, > 9,000]",
        "a.runs": "30",
    }
    assert prose.reached("a", "> 60,000, 0/32")["a"] == "> 60,000"
