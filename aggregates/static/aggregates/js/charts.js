// Draws the page's figures: they carry roles (series-1, error, ...), and the style sheet has the colours.
"use strict";

const CHART_CONFIG = { staticPlot: true, responsive: true }; // pointing at bars is ours: bars.js
const darkTheme = matchMedia("(prefers-color-scheme: dark)");

function themedTrace(trace) {
  const color = colourOf(trace.meta.role);
  // Nothing, where there is nothing to see: an empty bar takes as long to draw as any other.
  if (trace.type === "bar") return { ...trace, y: trace.y.map((value) => value || null), marker: { ...trace.marker, color, line: { width: 0 } } };
  return { ...trace, line: { ...trace.line, color }, marker: { ...trace.marker, color }, fillcolor: color };
}

// How much larger than usual the reader has set text; bars that lie on their side need room for names and amounts.
const SIDEWAYS = 330; // pixels

function textScale({ yaxis }, width) {
  const scale = parseFloat(getComputedStyle(document.documentElement).fontSize) / 16;
  return yaxis.type === "category" ? Math.min(scale, Math.max(1, width / SIDEWAYS)) : scale;
}

function themedLayout(layout, width) {
  const scale = textScale(layout, width);
  const size = 12 * scale;
  const quiet = { color: token("text-soft"), size };
  const margin = Object.fromEntries(Object.entries(layout.margin).map(([side, pixels]) => [side, pixels * scale]));
  return {
    ...layout,
    margin,
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: token("font"), color: token("text"), size },
    xaxis: { ...layout.xaxis, ...fitTicks(layout, width / scale), tickfont: quiet, tickcolor: token("line-strong") },
    yaxis: { ...layout.yaxis, tickfont: quiet, gridcolor: token("grid") },
  };
}

// Of a part the axis may be much shorter than of the whole, whose decimals and steps would not tell its ticks apart.
function fitAxis(layout, width) {
  const tickformat = layout.yaxis.tickformat?.startsWith("$") ? "$,~f" : ""; // which alone has the unit
  layout.yaxis = { exponentformat: "none", ...layout.yaxis, tickformat, dtick: null };
  layout.margin = { ...layout.margin, l: Math.max(layout.margin.l, 76 * textScale(layout, width)) };
}

// Bars that lie on their side have their amounts behind them: the axis goes on until there is room for each.
function fitAmounts(figure, layout, width) {
  const bars = figure.data.filter(({ orientation }) => orientation === "h");
  if (!bars.length) return;
  const measure = document.createElement("canvas").getContext("2d");
  measure.font = `${layout.font.size}px ${layout.font.family}`;
  const widthOf = (text) => measure.measureText(text).width;
  const { l, r } = layout.margin;
  const plot = Math.max(1, width - l - r - layout.yaxis.ticklabelstandoff - Math.max(...layout.yaxis.categoryarray.map(widthOf)));
  const [from, to] = layout.xaxis.range;
  const ends = bars.flatMap(({ base, x, text }) => text.map((words, n) => {
    const share = Math.max(0.2, 1 - (widthOf(words) + 8) / plot); // of the axis, up to where the bar may reach
    return from + (base[n] + x[n] - from) / share;
  }));
  layout.xaxis.range = [from, Math.max(to, ...ends)];
}

// The number of the group that a trace is of: where groups have subgroups, there are more traces than groups.
function groupOf(trace, number) {
  return trace.meta.group ?? number;
}

// What there is to draw: to look at the page again once a chart is drawn takes a layout of it, so all are made before any is drawn.
function chartOf(element) {
  const figure = readFigure(element.dataset.figure);
  const width = element.clientWidth;
  const buttons = document.querySelectorAll(`[data-legend="${element.id}"] [aria-pressed]`);
  figure.data.forEach((trace, number) => {
    const button = buttons[groupOf(trace, number)];
    if (button) trace.visible = button.getAttribute("aria-pressed") === "true";
  });
  const layout = themedLayout(figure.layout, width);
  if (figure.data.some(({ visible }) => visible === false)) fitAxis(layout, width);
  fitAmounts(figure, layout, width);
  if (document.documentElement.classList.contains("paper")) Object.assign(layout, { width, height: element.clientHeight });
  return { element, figure, traces: figure.data.map(themedTrace), layout };
}

function draw({ element, figure, traces, layout }) {
  element.figure = figure;
  return Plotly.react(element, traces, layout, CHART_CONFIG);
}

function drawChart(element) {
  return draw(chartOf(element));
}

function drawCharts() {
  [...document.querySelectorAll(".chart")].map(chartOf).forEach(draw);
}

function forgetCharts() {
  document.querySelectorAll(".chart").forEach((element) => {
    Plotly.purge(element);
  });
}

addEventListener("DOMContentLoaded", drawCharts); // what else is in this file works, too, where Plotly was not loaded
darkTheme.addEventListener("change", drawCharts);

let resized;
let width = innerWidth;
addEventListener("resize", () => {
  if (width === innerWidth) return; // a phone's address bar comes and goes
  width = innerWidth;
  cancelAnimationFrame(resized);
  resized = requestAnimationFrame(drawCharts); // other widths have room for other labels
});
document.addEventListener("htmx:beforeSwap", (event) => event.target.id === "view" && forgetCharts());
document.addEventListener("htmx:afterSettle", (event) => event.target.id === "view" && drawCharts());
