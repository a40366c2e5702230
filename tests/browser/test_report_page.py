"""The page of `lprl report` in a browser: what can be done with it, and that everybody can."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from browser.access import complaints
from playwright.sync_api import Browser, Page, expect
from results.test_reading import FAST, SLOW, write

from lprl_jax.cli.main import main
from lprl_jax.results import report

TRAINED = "frozen_lake_dqn_prior", "total_steps=400", "eval_every=100", "num_runs=2"


pytestmark = pytest.mark.browser


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of two trained runs, with an episode of each."""
    folder = tmp_path_factory.mktemp("runs")
    for k in (1, 5):
        out = folder / "runs" / f"k{k}"
        assert main(["train", *TRAINED, f"k={k}", "--out", str(out), "--quiet"]) == 0
    assert main(["report", str(folder / "runs"), "-o", str(folder / "page.html")]) == 0
    return folder / "page.html"


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of two sweeps that were written by hand."""
    folder = tmp_path_factory.mktemp("written")
    write(folder / "runs" / "slow", SLOW, [{"alpha": 0.1}, {"alpha": 1.0}], seed=1)
    long = [[row[0]] * 4 for row in [*FAST, *[FAST[-1]] * 12]]
    write(folder / "runs" / "fast", long, [{"alpha": 0.1}, {"alpha": 1.0}], seed=2)
    (folder / "page.html").write_text(report.render([folder / "runs"]))
    return folder / "page.html"


def test_nothing_in_it_is_in_anyones_way(page: Page, trained: Path) -> None:
    page.goto(trained.as_uri())
    assert complaints(page) == []
    wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert wide <= 0  # the page itself never scrolls sideways


def test_results_are_hidden_by_name_and_by_setting(page: Page, written: Path) -> None:
    page.goto(written.as_uri())
    rows = page.locator("#figures tbody tr:visible")
    expect(rows).to_have_count(4)
    page.get_by_label("slow (alpha 0.1)").uncheck()
    expect(rows).to_have_count(3)
    hidden = page.locator("#by-steps-curve-2")
    expect(hidden).to_have_css("display", "none")
    page.get_by_role("combobox", name="alpha").select_option("1.0")
    expect(rows).to_have_count(2)
    page.get_by_role("combobox", name="seed").select_option("2")
    expect(rows).to_have_count(1)
    assert (rows.first.text_content() or "").startswith("fast (alpha 1")
    page.get_by_role("combobox", name="alpha").select_option("all")
    expect(rows).to_have_count(2)


def test_a_curve_says_what_it_is(page: Page, written: Path) -> None:
    page.goto(written.as_uri())
    chart = page.locator("#by-steps")
    data = json.loads(page.locator("#data").text_content() or "")
    curve = data["charts"]["by-steps"][2]  # slow
    assert curve["middle"][2] == 0.5
    svg = chart.locator("svg")
    svg.scroll_into_view_if_needed()
    box = svg.bounding_box()
    assert box
    scale = box["width"] / float((svg.get_attribute("viewBox") or "").split()[2])
    page.mouse.move(box["x"] + curve["x"][2] * scale, box["y"] + curve["y"][2] * scale)
    expect(chart.locator(".readout")).to_have_text(
        "slow (alpha 0.1): 0.5 at 200 environment steps a run"
    )
    drawn = chart.locator("circle").bounding_box()
    assert drawn
    assert abs(drawn["x"] + drawn["width"] / 2 - box["x"] - curve["x"][2] * scale) < 1
    chart.focus()
    page.keyboard.press("ArrowRight")
    expect(chart.locator(".readout")).to_have_text(re.compile(r"at 300 "))


def test_a_point_lies_on_its_curve(page: Page, written: Path) -> None:
    """What the script points at is where Matplotlib has drawn the line."""
    page.goto(written.as_uri())
    data = json.loads(page.locator("#data").text_content() or "")
    for name, curves in data["charts"].items():
        for i, curve in enumerate(curves):
            path = page.locator(f"#{name}-curve-{i} path").first.get_attribute("d") or ""
            drawn = re.findall(r"[ML] ([\d.]+) ([\d.]+)", path)
            assert len(drawn) >= 2
            for x, y in (drawn[0], drawn[-1]):
                near = min(
                    abs(float(x) - a) + abs(float(y) - b)
                    for a, b in zip(curve["x"], curve["y"], strict=True)
                )
                assert near < 0.5


def test_tables_sort_by_numbers(page: Page, written: Path) -> None:
    page.goto(written.as_uri())
    heads = page.locator("#figures thead th")
    column = heads.all_text_contents().index("environment steps")
    button = heads.nth(column).get_by_role("button")
    cells = page.locator(f"#figures tbody tr td:nth-child({column + 1})")
    button.click()
    assert cells.all_text_contents() == ["500", "500", "1,500", "1,500"]
    expect(heads.nth(column)).to_have_attribute("aria-sort", "ascending")
    button.click()
    assert cells.all_text_contents() == ["1,500", "1,500", "500", "500"]


def test_an_episode_is_played_step_by_step(page: Page, trained: Path) -> None:
    page.goto(trained.as_uri())
    data = json.loads(page.locator("#data").text_content() or "")
    assert [one["result"] for one in data["episodes"]] == ["k1", "k5"]
    first, second = (one["steps"] for one in data["episodes"])
    episodes = page.locator("#episodes")
    expect(episodes.locator(".text")).to_have_text(first[0]["text"])
    picture = episodes.locator(".picture")
    assert picture.evaluate("x => x.naturalWidth") > 100
    taken = next(a for a in first[0]["actions"] if a["action"] == first[0]["taken"])
    row = episodes.locator("tr.taken")
    expect(row).to_contain_text(taken["name"])
    expect(row).to_contain_text(f"{100 * taken['prior']:.0f} %")
    episodes.get_by_label("One step on").click()
    expect(picture).to_have_attribute("src", data["pictures"][first[1]["picture"]])
    expect(episodes.locator(".where")).to_contain_text("step 1 of")
    episodes.get_by_label("Episode").first.select_option(index=1)
    expect(episodes.locator(".text")).to_have_text(second[0]["text"])
    episodes.get_by_role("button", name="Play").click()
    expect(picture).to_have_attribute("src", data["pictures"][second[1]["picture"]], timeout=3_000)
    episodes.get_by_role("button", name="Pause").click()


def test_a_hidden_result_has_no_episode(page: Page, trained: Path) -> None:
    page.goto(trained.as_uri())
    choice = page.locator("#episodes .choice option")
    expect(choice).to_have_count(2)
    page.get_by_label("k1", exact=True).uncheck()
    expect(choice).to_have_count(1)
    page.get_by_label("k5", exact=True).uncheck()
    expect(page.locator("#episodes .whole")).to_be_hidden()


def test_without_a_script_it_can_be_read(browser: Browser, written: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(written.as_uri())
    expect(page.locator("#by-steps svg")).to_be_visible()
    expect(page.locator("#figures tbody tr:visible")).to_have_count(4)
    expect(page.locator("fieldset:visible")).to_have_count(0)
    context.close()
