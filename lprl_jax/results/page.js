// What a report's page does: hide results, say what a curve is where one points, sort tables, play
// episodes. All that it knows is in the page's `data` (report.py); without it the page can be read.
"use strict";

const data = JSON.parse(document.getElementById("data").textContent);
const shown = new Set(data.results);

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name in element && typeof value !== "string") element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

function number(value) {
  return value === null ? "–" : value.toLocaleString("en", { maximumFractionDigits: 3 });
}

function svg(tag, attributes = {}) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

// -- which results are shown -----------------------------------------------------------------

function drawnLike(curve) {
  const line = { x1: 0, y1: 4, x2: 34, y2: 4, stroke: curve.color, "stroke-width": 2.4 };
  const swatch = svg("svg", { class: "swatch", viewBox: "0 0 34 8", "aria-hidden": "true" });
  swatch.append(svg("line", { ...line, "stroke-dasharray": curve.dashes }));
  return swatch;
}

function filters() {
  const chosen = {}; // field → value, of those that are not "all"
  const ticks = data.results.map((name, i) => {
    const tick = make("input", { type: "checkbox", checked: true });
    const swatch = drawnLike(Object.values(data.charts)[0][i]);
    tick.addEventListener("change", update);
    document.querySelector("#results").append(make("label", {}, tick, swatch, name));
    return tick;
  });
  for (const [field, values] of Object.entries(data.fields)) {
    const options = ["all", ...values].map((value) => make("option", { value }, value));
    const select = make("select", { "aria-label": field }, ...options);
    select.addEventListener("change", () => {
      if (select.selectedIndex === 0) delete chosen[field];
      else chosen[field] = select.value;
      update();
    });
    document.querySelector("#fields").append(make("label", {}, field + " ", select));
  }
  document.querySelector("#results").hidden = data.results.length < 2;
  document.querySelector("#fields").hidden = Object.keys(data.fields).length === 0;

  function update() {
    data.results.forEach((name, i) => {
      const fits = Object.entries(chosen).every(([f, value]) => data.settings[name][f] === value);
      if (ticks[i].checked && fits) shown.add(name);
      else shown.delete(name);
      for (const part of ["curve", "band", "key", "name"])
        for (const chart of Object.keys(data.charts)) {
          const drawn = document.getElementById(`${chart}-${part}-${i}`);
          if (drawn) drawn.style.display = shown.has(name) ? "" : "none";
        }
    });
    for (const row of document.querySelectorAll("#figures tbody tr"))
      row.hidden = !shown.has(row.cells[0].textContent);
    document.dispatchEvent(new Event("shown"));
  }
}

// -- what a curve is where one points --------------------------------------------------------

function readout(name, curves) {
  const figure = document.getElementById(name);
  const chart = figure.querySelector("svg");
  const line = figure.querySelector(".readout");
  const hint = line.textContent;
  const mark = svg("circle", { r: 4, visibility: "hidden" });
  chart.append(mark);
  let at = null; // [which curve, which of its evaluations]

  function say(curve, t) {
    const one = curves[curve];
    at = [curve, t];
    mark.setAttribute("cx", one.x[t]);
    mark.setAttribute("cy", one.y[t]);
    mark.setAttribute("fill", one.color);
    mark.setAttribute("visibility", "visible");
    const ends = [one.low[t], one.high[t]]; // null where there are too few runs to tell
    const interval = ends.includes(null) ? "" : ` (${ends.map(number).join(" to ")})`;
    line.textContent = `${data.results[curve]}: ${number(one.middle[t])}${interval} at ` +
      `${number(one.step[t])} ${figure.dataset.unit}`;
  }

  function visible() {
    return curves.map((_, i) => i).filter((i) => shown.has(data.results[i]));
  }

  function point(event) {
    const box = chart.getBoundingClientRect();
    const scale = chart.viewBox.baseVal.width / box.width;
    const x = (event.clientX - box.left) * scale, y = (event.clientY - box.top) * scale;
    let best = Infinity, found = null;
    for (const i of visible())
      curves[i].x.forEach((there, t) => {
        const far = (there - x) ** 2 + (curves[i].y[t] - y) ** 2;
        if (far < best) [best, found] = [far, [i, t]];
      });
    line.removeAttribute("aria-live"); // keys are read aloud, a pointer's every move is not
    if (found) say(...found);
  }
  chart.addEventListener("pointermove", point);
  chart.addEventListener("pointerdown", point); // a finger's tap

  figure.addEventListener("keydown", (event) => {
    const move = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    const order = visible();
    if (!move || !order.length) return;
    event.preventDefault();
    line.setAttribute("aria-live", "polite");
    if (!at) return say(order[0], 0);
    const place = order.indexOf(at[0]) + move[0];
    const curve = order[Math.min(Math.max(place, 0), order.length - 1)];
    const last = curves[curve].x.length - 1;
    say(curve, Math.min(Math.max(at[1] + move[1], 0), last));
  });

  document.addEventListener("shown", () => {
    if (at && !shown.has(data.results[at[0]])) {
      at = null;
      mark.setAttribute("visibility", "hidden");
      line.textContent = hint;
    }
  });
}

// -- tables that sort ------------------------------------------------------------------------

// What a cell sorts by: a number and whether it is of "more than", or null and its text.
function value(cell) {
  const text = cell.textContent.trim();
  const found = /^(>?)\s*(-?[\d,]*\.?\d+(?:e[-+]?\d+)?)/.exec(text);
  return found ? [parseFloat(found[2].replaceAll(",", "")), found[1] ? 1 : 0, text] : [null, 0, text];
}

function compared([a, aMore, aText], [b, bMore, bText], up) {
  const untold = (aText === "–") - (bText === "–");
  if (untold) return untold; // what cannot be told comes last, whichever way
  const order = a !== null && b !== null ? a - b || aMore - bMore : aText.localeCompare(bText);
  return up ? order : -order;
}

function sorted(table) {
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = make("button", { type: "button" }, head.textContent || "name");
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") !== "ascending";
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const rows = [...table.tBodies[0].rows].map((row) => [value(row.cells[column]), row]);
      rows.sort(([a], [b]) => compared(a, b, up));
      table.tBodies[0].append(...rows.map(([, row]) => row));
    });
  });
}

// -- episodes --------------------------------------------------------------------------------

function player() {
  const find = (what) => document.querySelector(`#episodes .${what}`);
  const choice = find("choice"), slider = find("step"), play = find("play");
  let timer = null;

  function outcome(one) {
    return `${one.solved ? "solved" : "not solved"} in ${one.length} steps, return ${number(one.total)}`;
  }

  function options() {
    const before = choice.value;
    choice.replaceChildren(...data.episodes.flatMap((one, i) => shown.has(one.result)
      ? [make("option", { value: String(i) }, `${one.result}, run ${one.run}: ${outcome(one)}`)] : []));
    if ([...choice.options].some((option) => option.value === before)) choice.value = before;
    find("whole").hidden = choice.options.length === 0;
    if (choice.options.length) start();
  }

  function start() {
    slider.max = String(data.episodes[choice.value].steps.length - 1);
    slider.value = "0";
    show();
  }

  function bar(kind, share) {
    if (share === null) return ["–"];
    const drawn = make("span", { class: `bar ${kind}` });
    drawn.style.width = `${5 * share}rem`;
    return [drawn, `${Math.round(100 * share)} %`];
  }

  function show() {
    const one = data.episodes[choice.value], t = Number(slider.value), step = one.steps[t];
    find("picture").src = data.pictures[step.picture];
    find("picture").alt = `The world at step ${t}`;
    find("text").textContent = step.text;
    const reward = step.reward ? `, reward ${number(step.reward)}` : "";
    const cut = t === one.steps.length - 1 && t < one.length ? " (the rest is not kept here)" : "";
    const end = t === one.length ? `: ${outcome(one)}` : "";
    find("where").textContent = `step ${t} of ${one.length}${reward}${cut}${end}`;
    slider.setAttribute("aria-valuetext", find("where").textContent);
    find("actions").replaceChildren(...step.actions.map((action) => make("tr",
      { class: action.action === step.taken ? "taken" : "" },
      make("td", {}, action.action === step.taken ? "▸ " + action.name : action.name),
      make("td", {}, ...bar("prior", action.prior)),
      make("td", {}, ...bar("agent", action.agent)))));
  }

  function go(by) {
    const there = Number(slider.value) + by;
    if (there < 0 || there > Number(slider.max)) return stop();
    slider.value = String(there);
    show();
  }

  function stop() {
    clearInterval(timer);
    timer = null;
    play.textContent = "Play";
  }

  play.addEventListener("click", () => {
    if (timer) return stop();
    if (slider.value === slider.max) start();
    timer = setInterval(() => go(1), 700);
    play.textContent = "Pause";
  });
  find("back").addEventListener("click", () => { stop(); go(-1); });
  find("next").addEventListener("click", () => { stop(); go(1); });
  slider.addEventListener("input", () => { stop(); show(); });
  choice.addEventListener("change", () => { stop(); start(); });
  document.addEventListener("shown", () => { stop(); options(); });
  options();
}

filters();
for (const [name, curves] of Object.entries(data.charts)) readout(name, curves);
document.querySelectorAll("table.sorts").forEach(sorted);
if (data.episodes.length) player();
document.querySelectorAll(".scripted").forEach((part) => { part.hidden = false; });
