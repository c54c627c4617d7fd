// The charts of a file: Plotly has drawn them; their colours are those of the style sheet, light or dark.
"use strict";

const darkTheme = matchMedia("(prefers-color-scheme: dark)");
const paper = matchMedia("print");

function ticksOf(chart) {
  return Object.fromEntries(Object.entries(fitTicks(chart.layout, chart.clientWidth)).map(([name, value]) => [`xaxis.${name}`, value]));
}

function paint(chart) {
  const colors = chart.data.map(({ meta }) => colourOf(meta.role));
  const nothing = "rgba(0,0,0,0)";
  Plotly.update(
    chart,
    { "marker.color": colors, "line.color": colors, fillcolor: colors, "error_y.color": colors },
    {
      paper_bgcolor: nothing,
      plot_bgcolor: nothing,
      "font.family": token("font"),
      "font.color": token("text"),
      "hoverlabel.bgcolor": token("surface"),
      "hoverlabel.bordercolor": token("line-strong"),
      "hoverlabel.font.color": token("text"),
      ...ticksOf(chart),
      "xaxis.tickfont.color": token("text-soft"),
      "xaxis.tickcolor": token("line-strong"),
      "yaxis.tickfont.color": token("text-soft"),
      "yaxis.gridcolor": token("grid"),
      "yaxis.zerolinecolor": token("line-strong"),
    },
  );
}

function paintAll() {
  document.documentElement.classList.toggle("paper", paper.matches);
  document.querySelectorAll(".js-plotly-plot").forEach(paint);
}

// A part of the axis, which one zooms into, has room for others.
function fitZoom(chart) {
  chart.on("plotly_relayout", (changes) => {
    if (Object.keys(changes).some((name) => /^xaxis\.(range|autorange)/.test(name))) Plotly.relayout(chart, ticksOf(chart));
  });
}

paintAll();
document.querySelectorAll(".js-plotly-plot").forEach(fitZoom);
darkTheme.addEventListener("change", paintAll);
paper.addEventListener("change", paintAll);
let resized;
addEventListener("resize", () => {
  cancelAnimationFrame(resized);
  resized = requestAnimationFrame(paintAll);
});
