// Where time axes are marked: as finely as there is room for, on pages and in files.
"use strict";

const ROOM = 66; // pixels for a label of an axis that is not of time
const LETTER = 6.6; // and for a letter of one that is

// How wide a label is, up to the next one: its second line only matters beside another second line.
function roomOf(text, next = "") {
  const [first, second = ""] = text.split("<br>");
  return 12 + LETTER * Math.max(first.length, next.includes("<br>") ? second.length : 0);
}

// The ticks of a part of the axis; the first says what else one before it says, as its year.
function ticksWithin({ vals, texts }, [from, to]) {
  const places = [...vals.keys()].filter((n) => vals[n] >= from && vals[n] < to);
  const second = texts.slice(0, places[0] + 1).findLast((text) => text.includes("<br>"))?.split("<br>")[1];
  const textOf = (n) => (n === places[0] && second && !texts[n].includes("<br>") ? `${texts[n]}<br>${second}` : texts[n]);
  return { vals: places.map((n) => vals[n]), texts: places.map(textOf) };
}

// For a part that is closer than all ways to mark the axis: each bucket in it by its whole name, if only the one it is in.
function bucketsWithin({ edges, times }, range) {
  const found = ticksWithin({ vals: edges.slice(0, -1), texts: times }, range);
  if (found.vals.length) return found;
  return { vals: [range[0]], texts: [times[edges.slice(0, -1).findLastIndex((edge) => edge <= range[0])] ?? ""] };
}

function waysToMark(meta, [from, to]) {
  if (from <= 0 && to >= meta.edges.at(-1)) return meta.ticks;
  const ways = meta.ticks.map((ticks) => ticksWithin(ticks, [from, to])).filter(({ vals }) => vals.length > 1);
  return [...ways, bucketsWithin(meta, [from, to])];
}

// Of the ways to mark the axis the finest that there is room for.
function fitTicks({ meta, margin, xaxis }, width) {
  if (!meta?.ticks) return { nticks: Math.max(2, Math.min(xaxis.nticks, Math.floor(width / ROOM))) };
  const [from, to] = xaxis.range;
  const scale = (width - margin.l - margin.r) / (to - from);
  const thinned = ({ vals, texts }, step) => ({ tickvals: vals.filter((_, n) => n % step === 0), ticktext: texts.filter((_, n) => n % step === 0) });
  const fits = ({ tickvals, ticktext }) => tickvals.slice(1).every((val, n) => (val - tickvals[n]) * scale >= roomOf(ticktext[n], ticktext[n + 1]));
  const marks = waysToMark(meta, xaxis.range);
  const ways = [...marks.map((ticks) => thinned(ticks, 1)), ...[2, 3, 5, 10, 100].map((step) => thinned(marks.at(-1), step))];
  const { tickvals, ticktext } = ways.find(fits) ?? ways.at(-1);
  const isWithin = (val, n) => n === 0 || (to - val) * scale + margin.r >= roomOf(ticktext[n], "<br>");
  return { tickvals: tickvals.filter(isWithin), ticktext: ticktext.filter((_, n) => isWithin(tickvals[n], n)) };
}
