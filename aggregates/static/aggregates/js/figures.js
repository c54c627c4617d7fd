// Reads the page's figures, which are sent as columns of digits (aggregates.web.charts.packing), and writes costs and counts
// in full: as the server does, from all of their digits, so that nothing is rounded twice.
"use strict";

const NOT_KNOWN = "–";
const NO_PRICE = "no price";

// A number as a whole one, of so many decimals.
function digitsOf(text) {
  const [whole, decimals = ""] = text.split(".");
  return { units: BigInt(whole + decimals), decimals: decimals.length };
}

// Half-even; of nothing below 0.
function roundedTo({ units, decimals }, places) {
  if (decimals <= places) return units * 10n ** BigInt(places - decimals);
  const one = 10n ** BigInt(decimals - places);
  const [whole, twice] = [units / one, 2n * (units % one)];
  return twice > one || (twice === one && whole % 2n) ? whole + 1n : whole;
}

// Cents from one dollar up, and below it enough decimals to show three significant digits: aggregates.domain.money.
function placesOf(number) {
  if (!number.units) return 2;
  const first = String(number.units).length - number.decimals - 1; // the power of ten of the first digit
  if (first >= 0) return 2;
  const rises = roundedTo(number, 2 - first) === 1000n; // 0.9996 is shown as a dollar, with cents
  return first + rises >= 0 ? 2 : Math.min(12, 2 - first - rises);
}

// As aggregates.domain.locales has it.
function written(isNegative, digits, places, [before, after], { decimal, group, lakhs, minus }) {
  const padded = String(digits).padStart(places + 1, "0");
  const whole = padded.slice(0, padded.length - places).replace(lakhs ? /\B(?=(\d\d)*\d{3}$)/g : /\B(?=(\d{3})+$)/g, () => group);
  return (isNegative ? minus : "") + before + whole + (places ? decimal + padded.slice(-places) : "") + after;
}

const WRITE = {
  cost(text, notation) {
    const isNegative = text.startsWith("-");
    const number = digitsOf(isNegative ? text.slice(1) : text);
    const places = placesOf(number);
    return written(isNegative, roundedTo(number, places), places, notation.dollars, notation);
  },
  count(text, notation) {
    const isNegative = text.startsWith("-");
    return written(isNegative, isNegative ? text.slice(1) : text, 0, ["", ""], notation);
  },
};

function inFull(texts, rule, unpriced = [], notation) {
  const known = new Map(); // most are often 0
  const write = (text) => known.get(text) ?? known.set(text, WRITE[rule](text, notation)).get(text);
  const found = texts.map((text) => (text ? write(text) : NOT_KNOWN));
  unpriced.forEach((place) => (found[place] = NO_PRICE));
  return found;
}

function unpackTrace(trace, notation) {
  const texts = trace.y.split(" ");
  trace.y = texts.map((text) => (text ? Number(text) : null));
  const { written: rule, unpriced } = trace.meta ?? {};
  if (rule) trace.customdata = inFull(texts, rule, unpriced, notation);
  return texts;
}

// All digits of what numbers come to.
function sumOf(texts) {
  const numbers = texts.filter((text) => text && text !== "0").map(digitsOf); // most are often 0
  if (!numbers.length) return "0";
  const decimals = Math.max(0, ...numbers.map((each) => each.decimals));
  const sum = numbers.reduce((total, each) => total + each.units * 10n ** BigInt(decimals - each.decimals), 0n);
  const padded = String(sum < 0n ? -sum : sum).padStart(decimals + 1, "0");
  const whole = padded.slice(0, padded.length - decimals);
  return `${sum < 0n ? "-" : ""}${whole}${decimals ? `.${padded.slice(-decimals)}` : ""}`;
}

// Each text begins as so many characters of the one before.
function unpackTimes(packed) {
  let before = "";
  return packed.split("|").map((text) => (before = before.slice(0, Number.parseInt(text[0], 36)) + text.slice(1)));
}

function edgesOf(widths, number) {
  let end = 0;
  return [0, ...Array.from({ length: number }, (_, bucket) => (end += widths[bucket] ?? widths))];
}

function unpackAxis({ times, widths, ticks, notation }) {
  const found = unpackTimes(times);
  return { times: found, edges: edgesOf(widths, found.length), ticks, notation };
}

function readJson(id) {
  return JSON.parse(document.getElementById(id).textContent);
}

function readFigure(id) {
  const figure = readJson(id);
  const { meta } = figure.layout;
  if (meta?.is_shared === undefined) {
    figure.data.forEach((trace) => (trace.x ??= figure.data[0].x));
    return figure;
  }
  Object.assign(meta, unpackAxis(meta.is_shared ? readJson("axis") : meta));
  const { edges, notation, totals, groups } = meta;
  const middles = edges.slice(1).map((end, bucket) => (edges[bucket] + end) / 2);
  const texts = figure.data.map((trace) => unpackTrace(Object.assign(trace, { x: middles }), notation));
  const sumsOf = (columns) => meta.times.map((_, bucket) => sumOf(columns.map((column) => column[bucket])));
  groups?.forEach((group, nth) => {
    group.y ??= sumsOf(texts.filter((_, number) => figure.data[number].meta.group === nth)).join(" ");
    unpackTrace(group, notation);
  });
  if (totals?.written) {
    const drawn = texts.filter((_, number) => !["ghost", "note"].includes(figure.data[number].meta.role));
    meta.totals = inFull(sumsOf(drawn), totals.written, totals.unpriced, notation);
  }
  return figure;
}
