// Pointing at a chart: what the bar there stands for, in a box beside it, and the same time marked in every chart.
"use strict";

const NEAR = 14; // pixels between the box and its bar
const BESIDE = ["ghost", "note"]; // roles of what is no group
let pointed = null; // { chart, bucket, group }: the numbers of a bucket, and of a trace or null

function made(tag, className, ...content) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...content);
  return element;
}

const IN_LEGEND = 48; // characters of a name, as in the legend of the page

// The middle of a long name is left out: beginnings are often alike.
function cut(name) {
  const letters = [...name];
  const end = IN_LEGEND / 3;
  return letters.length > IN_LEGEND ? `${letters.slice(0, IN_LEGEND - 1 - end).join("")}…${letters.slice(-end).join("")}` : name;
}

// A recorded name, which changes nothing around it, whatever it is written in.
function isolated(name) {
  return made("bdi", "", name);
}

function isOverTime(chart) {
  return Boolean(chart?._fullLayout && chart.figure?.layout.meta?.edges);
}

function values() {
  return document.getElementById("bar-values");
}

// The place of a time in pixels of the window, and back.
function acrossOf(chart, time) {
  const { xaxis } = chart._fullLayout;
  return chart.getBoundingClientRect().left + xaxis._offset + (time / xaxis.range[1]) * xaxis._length;
}

function bucketAt(chart, x) {
  const { edges } = chart.figure.layout.meta;
  const { xaxis } = chart._fullLayout;
  const time = ((x - chart.getBoundingClientRect().left - xaxis._offset) / xaxis._length) * xaxis.range[1];
  if (time < 0 || time > edges.at(-1)) return null;
  return Math.max(0, edges.findIndex((edge) => edge > time) - 1, time === edges.at(-1) ? edges.length - 2 : 0);
}

// The traces that are shown, without the line of an earlier range, with their values in a bucket.
function shownIn(chart, bucket) {
  return chart.data
    .map((trace, number) => ({ trace, number, value: Number(trace.y[bucket] ?? NaN) }))
    .filter(({ trace, value }) => trace.visible !== false && !BESIDE.includes(trace.meta.role) && !Number.isNaN(value));
}

function isStacked({ trace }) {
  return trace.type === "bar" || Boolean(trace.stackgroup);
}

// The group at a height: the part of the stack, or the nearest line; null beyond the stack.
function groupAt(chart, bucket, y) {
  const { yaxis } = chart._fullLayout;
  const height = yaxis.p2d(y - chart.getBoundingClientRect().top - yaxis._offset);
  const shown = shownIn(chart, bucket);
  if (!shown.some(isStacked)) {
    return shown.sort((a, b) => Math.abs(a.value - height) - Math.abs(b.value - height))[0]?.number ?? null;
  }
  let top = 0;
  const side = shown.filter(({ value }) => (height < 0 ? value < 0 : value > 0));
  return side.find(({ value }) => Math.abs((top += value)) >= Math.abs(height))?.number ?? null;
}

// Where a bar, or a part of it, is in the window.
function rectOf({ chart, bucket, group }) {
  const { edges } = chart.figure.layout.meta;
  const { yaxis } = chart._fullLayout;
  const top = chart.getBoundingClientRect().top + yaxis._offset;
  const [left, right] = [acrossOf(chart, edges[bucket]), acrossOf(chart, edges[bucket + 1])];
  const shown = shownIn(chart, bucket);
  const one = shown.find(({ number }) => number === group);
  if (!one) return new DOMRect(left, top, right - left, yaxis._length);
  const below = shown.filter((each) => isStacked(each) && each.number < group && each.value < 0 === one.value < 0);
  const from = isStacked(one) ? below.reduce((sum, { value }) => sum + value, 0) : one.value;
  const ends = [yaxis.d2p(from), yaxis.d2p(isStacked(one) ? from + one.value : from)].sort((a, b) => a - b);
  return new DOMRect(left, top + ends[0], right - left, ends[1] - ends[0]);
}

function percentOf(chart, value, whole) {
  const [decimal] = chart.figure.layout.separators;
  const [before, after] = chart.figure.layout.meta.percent;
  const share = ((100 * value) / whole).toFixed(1);
  return before + (share === "0.0" && value ? `<0${decimal}1` : share.replace(".", decimal)) + after;
}

// Of a value among others of its bucket; only of what adds up to a whole.
function shareOf(chart, bucket, value, isWithin = () => true) {
  const wholes = shownIn(chart, bucket).filter(isWithin).map((each) => each.value);
  const whole = wholes.reduce((sum, each) => sum + each, 0);
  if (!chart.figure.layout.meta.totals || wholes.some((each) => each < 0) || !whole || wholes.length < 2) return "";
  return percentOf(chart, value, whole);
}

// The number of the group that a trace is of; null where groups have no subgroups.
function wholeOf(chart, number) {
  return chart.data[number]?.meta.group ?? null;
}

// What adds nothing is left out, unless there is nothing else.
function linesOf(chart, bucket) {
  const lines = chart.data
    .map((trace, number) => ({ trace, number, text: trace.customdata[bucket] }))
    .filter(({ trace }) => trace.visible !== false)
    .map((line) => ({ ...line, isGhost: BESIDE.includes(line.trace.meta.role), value: Number(line.trace.y[bucket] ?? NaN) }));
  const said = lines.filter(({ trace, value, isGhost }) => (isGhost ? !Number.isNaN(value) : value || trace.meta.unpriced?.includes(bucket)));
  return said.some(({ isGhost }) => !isGhost) ? said : [...lines.slice(0, 1), ...said];
}

// A line of the box: a swatch, a name, what it comes to, and its share.
function lineOf(table, role, name, text, share, className) {
  const row = table.insertRow();
  if (className) row.className = className;
  const isNote = role === "note";
  row.append(made("th", "", made("i", `swatch ${role}`), name), made("td", isNote ? "note" : "", isNote ? isolated(text) : text), made("td", "share", share));
}

function addLines(table, { chart, bucket, group }, isSaid = () => true) {
  for (const { trace, number, text, value, isGhost } of linesOf(chart, bucket).filter(isSaid)) {
    const share = isGhost ? "" : shareOf(chart, bucket, value);
    lineOf(table, trace.meta.role, isGhost ? trace.name : isolated(cut(trace.name)), text, share, number === group ? "pointed" : "");
  }
}

// Whole groups, and of the one that is pointed at its subgroups, with their shares of it.
function addGroups(table, place) {
  const { chart, bucket, group } = place;
  const pointedWhole = wholeOf(chart, group);
  const shown = shownIn(chart, bucket);
  chart.figure.layout.meta.groups.forEach((whole, nth) => {
    const own = ({ number }) => wholeOf(chart, number) === nth;
    const value = Number(whole.y[bucket] ?? NaN);
    if (!shown.some(own) || !(value || nth === pointedWhole)) return;
    const isPointed = nth === pointedWhole;
    lineOf(table, whole.role, isolated(cut(whole.name)), whole.customdata[bucket], shareOf(chart, bucket, value), isPointed ? "whole pointed" : "whole");
    if (!isPointed) return;
    for (const { trace, number, text, value } of linesOf(chart, bucket).filter(own)) {
      if (!trace.meta.part) continue;
      lineOf(table, trace.meta.role, isolated(cut(trace.meta.part)), text, shareOf(chart, bucket, value, own), number === group ? "part pointed" : "part");
    }
  });
}

function boxOf(place) {
  const { chart, bucket } = place;
  const { times, totals, differences, groups } = chart.figure.layout.meta;
  const table = made("table");
  if (groups) addGroups(table, place);
  else addLines(table, place, ({ isGhost }) => !isGhost);
  if (totals && shownIn(chart, bucket).length > 1) {
    const row = table.insertRow();
    row.className = "total";
    row.append(made("th", "", "Total"), made("td", "", totals[bucket]), made("td", "share"));
  }
  addLines(table, place, ({ isGhost }) => isGhost); // below the total, in which they are not
  const difference = differences?.[bucket];
  return [made("p", "bar-time", times[bucket]), table, ...(difference ? [made("p", "bar-difference", difference)] : [])];
}

function inWords({ chart, bucket, group }) {
  const { times, totals, differences, groups } = chart.figure.layout.meta;
  const trace = chart.data[group];
  const whole = wholeOf(chart, group);
  const of = trace?.meta.part ? " of the group" : "";
  const share = trace && shareOf(chart, bucket, Number(trace.y[bucket]), of ? ({ number }) => wholeOf(chart, number) === whole : undefined);
  const value = trace && `${trace.name} ${trace.customdata[bucket]} ${share && share + of}`;
  const ofGroup = of && `${groups[whole].name} ${groups[whole].customdata[bucket]}`;
  const total = totals && chart.data.length > 1 && `total ${totals[bucket]}`;
  return [times[bucket], value, ofGroup, total, differences?.[bucket]].filter(Boolean).join(", ");
}

// A band over the bucket in every chart of the page that has the same buckets.
function markBuckets(first, last) {
  const marked = pointed && String(pointed.chart.figure.layout.meta.edges);
  document.querySelectorAll(".chart").forEach((chart) => {
    const frame = chart.parentElement;
    let band = frame.querySelector(".band");
    const edges = isOverTime(chart) && chart.figure.layout.meta.edges;
    if (!marked || String(edges) !== marked) return band?.remove();
    if (!band) frame.append((band = made("div", "band")));
    const { yaxis } = chart._fullLayout;
    const left = acrossOf(chart, edges[first]);
    Object.assign(band.style, {
      left: `${left - frame.getBoundingClientRect().left}px`,
      width: `${acrossOf(chart, edges[last + 1]) - left}px`,
      top: `${chart.offsetTop + yaxis._offset}px`,
      height: `${yaxis._length}px`,
    });
  });
}

// The same group wherever it is: the others of its chart fade, its rows in the legend and in tables stand out.
function markGroup(chart, group) {
  if (group === null) return markTraces(null, []);
  const legend = document.querySelector(`[data-legend="${chart.id}"]`);
  const item = legend?.children[groupOf(chart.data[group], group)];
  const part = chart.data[group].meta.part && item?.querySelectorAll(".parts li")[partsOf(chart, group).indexOf(group)];
  markTraces(chart, [group], item?.dataset.key, part?.dataset.subkey);
}

// The numbers of the traces of the group that one is of.
function partsOf(chart, group) {
  const whole = groupOf(chart.data[group], group);
  return chart.data.flatMap((trace, number) => (groupOf(trace, number) === whole && !BESIDE.includes(trace.meta.role) ? [number] : []));
}

function markTraces(chart, traces, key, subkey) {
  const dimension = document.querySelector(`[data-legend="${chart?.id}"]`)?.dataset.dimension;
  document.querySelectorAll(".same-group").forEach((element) => element.classList.remove("same-group"));
  if (dimension && key !== undefined) {
    document.querySelectorAll(`[data-dimension="${dimension}"] [data-key]`).forEach((element) => {
      const isSame = element.dataset.key === key && [undefined, subkey].includes(element.dataset.subkey);
      element.classList.toggle("same-group", isSame);
    });
  }
  document.querySelectorAll(".chart .trace").forEach((element) => {
    const number = element.__data__?.[0]?.trace?.index;
    const isOther = traces.length > 0 && chart.contains(element) && !traces.includes(number) && !BESIDE.includes(chart.data[number]?.meta.role);
    element.classList.toggle("faded", Boolean(isOther));
  });
}

// Beside the bar where there is room; else above it, so that it is not hidden.
function placeBeside(element, rect) {
  const { width, height } = element.getBoundingClientRect();
  const room = document.documentElement.clientWidth;
  const within = (value, size, whole) => Math.max(4, Math.min(value, whole - size - 4));
  const right = rect.right + NEAR + width < room;
  const isBeside = right || rect.left - NEAR - width > 0;
  const left = !isBeside ? (rect.left + rect.right - width) / 2 : right ? rect.right + NEAR : rect.left - NEAR - width;
  const top = isBeside ? rect.top : rect.top - NEAR - height;
  Object.assign(element.style, { left: `${within(left, width, room)}px`, top: `${within(top, height, innerHeight)}px` });
}

function pointAt(place) {
  if (pointed && place.chart === pointed.chart && place.bucket === pointed.bucket && place.group === pointed.group) return;
  pointed = place;
  markBuckets(place.bucket, place.bucket);
  markGroup(place.chart, place.group);
  values().replaceChildren(...boxOf(place));
  values().showPopover();
  placeBeside(values(), rectOf({ ...place, group: null }));
}

function pointAway() {
  if (!pointed) return;
  pointed = null;
  markBuckets();
  markGroup(null, null);
  values().hidePopover();
}

function placeAt(event) {
  const chart = event.target.closest?.(".chart-frame")?.querySelector(".chart");
  if (!isOverTime(chart)) return null;
  const bucket = bucketAt(chart, event.clientX);
  return bucket === null ? null : { chart, bucket, group: groupAt(chart, bucket, event.clientY) };
}

document.addEventListener("pointermove", (event) => {
  if (event.pointerType === "touch" || drag?.first !== drag?.last || isMenuOpen()) return;
  const place = placeAt(event);
  if (place) pointAt(place);
  else if (!document.activeElement?.matches(".chart-frame:focus-visible")) pointAway();
});
document.addEventListener("pointerleave", (event) => event.pointerType !== "touch" && pointAway()); // a finger always leaves
document.addEventListener("scroll", () => values()?.hidePopover(), { capture: true, passive: true });
document.addEventListener("htmx:beforeSwap", (event) => event.target.id === "view" && pointAway());

// A row of the legend or of a table points at its group or subgroup, too.
document.addEventListener("pointerover", (event) => {
  const row = event.target.closest?.("[data-key]");
  const legend = document.querySelector('[data-legend="chart-explore"]');
  if (!legend || placeAt(event)) return;
  const isOfDimension = row && row.closest("[data-dimension]")?.dataset.dimension === legend.dataset.dimension;
  const items = [...legend.children];
  const item = isOfDimension ? items.find(({ dataset }) => dataset.key === row.dataset.key) : null;
  if (!item) return markTraces(null, []);
  const chart = document.getElementById("chart-explore");
  const whole = items.indexOf(item);
  const traces = partsOf(chart, chart.data.findIndex((trace, number) => groupOf(trace, number) === whole));
  const subkey = row.dataset.subkey ?? event.target.closest("[data-subkey]")?.dataset.subkey;
  const part = [...item.querySelectorAll(".parts li")].findIndex(({ dataset }) => dataset.subkey === subkey);
  markTraces(chart, subkey !== undefined && part >= 0 ? [traces[part]] : traces, item.dataset.key, subkey);
});

// By keys: left and right to other times, up and down to other groups.
const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1], Home: [-Infinity, 0], End: [Infinity, 0] };

function stepFrom({ chart, bucket, group }, [along, up]) {
  const last = chart.figure.layout.meta.times.length - 1;
  const to = Math.max(0, Math.min(last, bucket + along));
  if (!up) return { chart, bucket: to, group };
  const groups = [null, ...shownIn(chart, bucket).filter(({ value }) => value).map(({ number }) => number)];
  const place = groups.indexOf(group) + up;
  return { chart, bucket, group: groups[(place + groups.length) % groups.length] };
}

document.addEventListener("keydown", (event) => {
  const chart = event.target.matches?.(".chart-frame") && event.target.querySelector(".chart");
  if (!isOverTime(chart) || event.ctrlKey || event.altKey || event.metaKey) return;
  if (event.key === "Escape") return pointAway();
  if (!Object.hasOwn(STEPS, event.key)) return;
  event.preventDefault();
  const beyond = { chart, bucket: chart.figure.layout.meta.times.length, group: null };
  const isHere = pointed?.chart === chart;
  pointAt(isHere ? stepFrom(pointed, STEPS[event.key]) : stepFrom(beyond, event.key === "Home" ? STEPS.Home : [-1, 0]));
  announce(inWords(pointed));
});
document.addEventListener("focusout", (event) => {
  if (event.target.matches?.(".chart-frame") && !barMenu()?.contains(event.relatedTarget)) pointAway();
});
