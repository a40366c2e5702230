"""One self-contained HTML page about runs: curves, episodes, tables, settings, versions, commands.

Nothing is loaded from elsewhere, and the page forbids it, so the file can be sent to a colleague as
it is. `page.css` is how it looks, `page.js` what it does; without a script it can be read all the
same.
"""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lprl_envs import InvalidInput

from lprl_jax.experiments import run_directory
from lprl_jax.results import charts, comparison, grids, plotting, reading, replays, watching
from lprl_jax.results.curves import LOST, WINDOW
from lprl_jax.results.reading import Place, Result
from lprl_jax.results.statistics import MIN_RUNS

ENDINGS = (".html", ".htm")
"""Of files that hold the page."""
ALLOWED = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
"""By the page's own policy: what is in it."""
MOST_VALUES = 12
"""Of a setting by which results can be filtered."""
HOW_TO_POINT = "Point at a curve, or choose the chart and press the arrow keys."

NOTE = (
    "IQM: interquartile mean over the runs. Intervals: 95 %; of an IQM by bootstrap over the runs, "
    "and none of fewer than {runs}. Steps are of one run. A threshold is reached at the first "
    "evaluation with which the mean of the last {window} is at least as high, if no later mean of "
    "{lost} is below it again; a median beyond the last step is given as “&gt;”, “–” "
    "is what cannot be told. Seconds count set-up (prior, compilation; once, also where a run was "
    "resumed) and training of all runs together, not evaluation. Area: under the success curve, "
    "over all steps of a run; which of two has more is told up to the last step that both have "
    "reached. Queries: prompts that all runs of the program asked about; evaluations: prompts that "
    "went through the model."
)
"""Under the figures."""


def render(
    paths: Sequence[Path], threshold: float = comparison.THRESHOLD, episodes: int = 0
) -> str:
    """The page.

    Args:
        paths: Run directories, and directories that hold some.
        threshold: Success rate to reach.
        episodes: Of each result that are played, to be looked at step by step.

    Raises:
        InvalidInput: if there is no run, one that is damaged, runs that cannot be laid side by
            side, a threshold that no share of their episodes comes near, or too many episodes.
    """
    if not 0 <= episodes <= replays.MOST_EPISODES:
        raise InvalidInput(f"episodes is {episodes}; it must lie in 0 to {replays.MOST_EPISODES}")
    places = reading.places(paths)
    found = {name: place.result for name, place in places.items()}
    grids.require_share(found, threshold)
    directories = {place.run: place.directory for place in places.values()}
    configs = {name: _flat(run_directory.read_config(d)) for name, d in directories.items()}
    origins = {name: run_directory.read_provenance(d) for name, d in directories.items()}
    title = f"{', '.join(configs)}: {next(iter(configs.values())).get('env')}"
    drawn, curves = _curves(found, threshold)
    played = replays.play(places, episodes)
    body = [
        f"<h1>{html.escape(title)}</h1>",
        FILTERS,
        "<h2>Learning curves</h2>",
        *drawn,
        *_episodes(played),
        "<h2>Figures</h2>",
        _figures(found, threshold),
        "<h2>Settings</h2>",
        _settings(configs),
        "<h2>Commands and versions</h2>",
        _origins(origins),
    ]
    data = {
        "results": list(found),
        **_filters(places, configs),
        "charts": curves,
        "episodes": played.episodes,
        "pictures": played.pictures,
    }
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{ALLOWED}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<style>{_part('page.css')}</style>\n</head>\n"
        "<body>\n<main>\n" + "\n".join(body) + "\n</main>\n"
        f'<script type="application/json" id="data">{_as_json(data)}</script>\n'
        f"<script>{_part('page.js')}</script>\n</body>\n</html>\n"
    )


def _part(name: str) -> str:
    return (Path(__file__).parent / name).read_text(encoding="utf-8")


def _as_json(data: Any) -> str:
    """As a script's element takes it: nothing in it can end the element."""
    return json.dumps(data, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


FILTERS = """<div class="scripted" hidden>
<fieldset id="results"><legend>Show</legend></fieldset>
<fieldset id="fields"><legend>Where</legend></fieldset>
</div>"""


def _filters(
    places: Mapping[str, Place], configs: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """What results differ in: the values of each field, and those of each result."""
    own = {name: {**configs[at.run], **at.result.settings[0]} for name, at in places.items()}
    names = list(dict.fromkeys(field for fields in own.values() for field in fields))
    values = {
        field: list(dict.fromkeys(str(fields.get(field, "–")) for fields in own.values()))
        for field in names
    }
    differ = {field: all_ for field, all_ in values.items() if 1 < len(all_) <= MOST_VALUES}
    settings = {
        name: {field: str(fields.get(field, "–")) for field in differ}
        for name, fields in own.items()
    }
    return {"fields": differ, "settings": settings}


def _curves(
    found: Mapping[str, Result], threshold: float
) -> tuple[list[str], dict[str, list[dict[str, Any]]]]:
    """Success against steps, and against the clock: as HTML, and their evaluations."""
    step = grids.step_of(found)
    clocks = {name: r.setup_seconds + r.seconds for name, r in found.items()}
    of_steps = {name: plotting.Curve(r.steps, r.success) for name, r in found.items()}
    of_clock = {name: plotting.Curve(clocks[name], r.success) for name, r in found.items()}
    seconds = "seconds: set-up and training of all runs"
    by_steps = charts.draw(of_steps, "by-steps", threshold=threshold, xlabel=f"{step} a run")
    by_clock = charts.draw(
        of_clock, "by-clock", threshold=threshold, xlabel=seconds, log_steps=False
    )
    drawn = [
        _chart("by-steps", by_steps[0], f"Success rate against {step} a run", f"{step} a run"),
        _chart("by-clock", by_clock[0], "Success rate against seconds", "seconds"),
    ]
    return drawn, {"by-steps": by_steps[1], "by-clock": by_clock[1]}


def _chart(name: str, svg: str, description: str, unit: str) -> str:
    about = html.escape(description)
    labelled = svg.replace("<svg ", f'<svg role="img" aria-label="{about}" ', 1)
    return (
        f'<figure id="{name}" tabindex="0" role="group" aria-label="{about}; arrow keys go along '
        f'its curves" data-unit="{html.escape(unit)}">\n'
        f"{labelled}\n"
        f'<p class="readout note scripted" aria-live="polite" hidden>{HOW_TO_POINT}</p></figure>'
    )


PLAYER = """<div class="whole scripted" hidden>
<p><label>Episode <select class="choice"></select></label></p>
<div class="player">
<button type="button" class="back" aria-label="One step back">◂</button>
<button type="button" class="play">Play</button>
<button type="button" class="next" aria-label="One step on">▸</button>
<input type="range" class="step" min="0" value="0" aria-label="Step">
<span class="where"></span>
</div>
<div class="episode">
<img class="picture" alt="">
<div>
<div class="scroll" tabindex="0" role="region" aria-label="Actions"><table>
<thead><tr><th scope="col">action</th><th scope="col">prior</th><th scope="col">agent</th></tr>
</thead><tbody class="actions"></tbody></table></div>
</div>
</div>
<h3>As the model reads it</h3>
<pre class="text" tabindex="0"></pre>
</div>"""
HOW_PLAYED = (
    "Of each result's first run, as it acts after its last checkpoint. The agent's bars are shares "
    "of {draws} draws in that state, fewer where many runs act at once; where acting runs a model, "
    "they are what was done."
)


def _episodes(played: replays.Played) -> list[str]:
    """The player, and a line for each result that has no episode; nothing if none was wanted."""
    if not played.episodes and not played.notes:
        return []
    parts = ["<h2>Episodes</h2>", '<section id="episodes" aria-label="Episodes">']
    if played.episodes:
        parts += [PLAYER, f'<p class="note">{HOW_PLAYED.format(draws=watching.DRAWS)}</p>']
    lines = [f'<p class="note">{html.escape(line)}</p>' for line in played.notes]
    return [*parts, *lines, "</section>"]


def _figures(found: Mapping[str, Result], threshold: float) -> str:
    head, rows = comparison.cells(comparison.summarize(found, threshold), threshold)
    lines = [html.escape(line) for line in grids.notes(found, threshold)]
    lines.append(NOTE.format(window=WINDOW, lost=LOST, runs=MIN_RUNS))
    table = _table("Figures", head, rows)
    return "\n".join(
        ['<div id="figures">', table, "</div>", *(f'<p class="note">{line}</p>' for line in lines)]
    )


def _settings(configs: Mapping[str, Mapping[str, Any]]) -> str:
    """What differs between the runs first, then what they share."""
    fields = list(dict.fromkeys(field for config in configs.values() for field in config))
    values = {f: [str(config.get(f, "–")) for config in configs.values()] for f in fields}
    differ = [f for f in fields if len(set(values[f])) > 1]
    shared = [[f, values[f][0]] for f in fields if f not in differ]
    parts = []
    if differ:
        rows = [[f, *values[f]] for f in differ]
        parts.append(_table("Settings that differ", ["differs", *configs], rows))
        parts.append("<p></p>")
    head = ["shared by all" if len(configs) > 1 else "field", "value"]
    whole = _table("Settings", head, shared)
    parts.append(f"<details><summary>{len(shared)} settings</summary>\n{whole}</details>")
    return "\n".join(parts)


def _flat(config: Mapping[str, Any]) -> dict[str, Any]:
    """A config with the fields of its `env_params` beside the others."""
    inner = {f"env_params.{k}": v for k, v in (config.get("env_params") or {}).items()}
    return {**{k: v for k, v in config.items() if k != "env_params"}, **inner}


def _origins(origins: Mapping[str, Mapping[str, Any]]) -> str:
    commands = "\n".join(
        html.escape(str(command))
        for command in dict.fromkeys(o["command"] for o in origins.values())
    )
    names = [n for n in next(iter(origins.values())) if n not in ("command", "settings", "data")]
    rows = [[name, *(str(o.get(name, "–")) for o in origins.values())] for name in names]
    table = _table("Versions", ["", *origins], rows)
    return f'<pre tabindex="0">{commands}</pre>\n{table}'


def _table(about: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table that sorts; the first cell of a row is its head."""

    def line(cells: Sequence[str]) -> str:
        first, *others = map(html.escape, cells)
        rest = "".join(f"<td>{cell}</td>" for cell in others)
        return f'<tr><th scope="row">{first}</th>{rest}</tr>'

    heads = "".join(f'<th scope="col">{html.escape(cell)}</th>' for cell in head)
    body = "\n".join(map(line, rows))
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{about}">'
        f'<table class="sorts"><thead><tr>{heads}</tr></thead>\n'
        f"<tbody>{body}</tbody></table></div>"
    )
