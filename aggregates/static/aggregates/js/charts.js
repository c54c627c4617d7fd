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

function themedLayout(layout, width) {
  const quiet = { color: token("text-soft"), size: 12 };
  return {
    ...layout,
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: token("font"), color: token("text"), size: 12 },
    xaxis: { ...layout.xaxis, ...fitTicks(layout, width), tickfont: quiet, tickcolor: token("line-strong") },
    yaxis: { ...layout.yaxis, tickfont: quiet, gridcolor: token("grid") },
  };
}

// Of a part the axis may be much shorter than of the whole, whose decimals and steps would not tell its ticks apart.
function fitAxis(layout) {
  const tickformat = layout.yaxis.tickformat?.startsWith("$") ? "$,~f" : ""; // which alone has the unit
  layout.yaxis = { exponentformat: "none", ...layout.yaxis, tickformat, dtick: null };
  layout.margin = { ...layout.margin, l: Math.max(layout.margin.l, 76) };
}

// The number of the group that a trace is of: where groups have subgroups, there are more traces than groups.
function groupOf(trace, number) {
  return trace.meta.group ?? number;
}

function drawChart(element) {
  const figure = readFigure(element.dataset.figure);
  const buttons = document.querySelectorAll(`[data-legend="${element.id}"] [aria-pressed]`);
  figure.data.forEach((trace, number) => {
    const button = buttons[groupOf(trace, number)];
    if (button) trace.visible = button.getAttribute("aria-pressed") === "true";
  });
  const layout = themedLayout(figure.layout, element.clientWidth);
  if (figure.data.some(({ visible }) => visible === false)) fitAxis(layout);
  if (document.documentElement.classList.contains("paper")) {
    Object.assign(layout, { width: element.clientWidth, height: element.clientHeight });
  }
  element.figure = figure;
  return Plotly.react(element, figure.data.map(themedTrace), layout, CHART_CONFIG);
}

function drawCharts() {
  document.querySelectorAll(".chart").forEach(drawChart);
}

function forgetCharts() {
  document.querySelectorAll(".chart").forEach((element) => {
    Plotly.purge(element);
  });
}

drawCharts(); // deferred: the document is there
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
