// The chart to explore with: its legend shows and hides groups, and a click on the chart looks into one.
"use strict";

const BESIDE = ["ghost", "note"]; // roles of what is no group

function legendButtons() {
  return [...document.querySelectorAll('[data-legend="chart-explore"] [aria-pressed]')];
}

// Which groups are hidden stands in the address and in the form, so that links and controls keep it.
function rememberHidden(buttons) {
  const address = new URL(location);
  const controls = document.getElementById("controls");
  ["hide", "hide_other"].forEach((name) => {
    address.searchParams.delete(name);
    controls.querySelectorAll(`input[name="${name}"]`).forEach((input) => input.remove());
  });
  const hidden = buttons.filter((button) => button.getAttribute("aria-pressed") === "false");
  hidden.forEach((button) => {
    const [name, value] = "hide" in button.dataset ? ["hide", button.dataset.hide] : ["hide_other", "1"];
    address.searchParams.append(name, value);
    controls.append(Object.assign(document.createElement("input"), { type: "hidden", name, value }));
  });
  history.replaceState(history.state, "", address);
  rememberAddress();
}

function press(button, only) {
  const buttons = legendButtons();
  const isShown = (each) => each.getAttribute("aria-pressed") === "true";
  const isAlone = isShown(button) && buttons.filter(isShown).length === 1;
  const next = buttons.map((each) => (only ? isAlone || each === button : isShown(each) !== (each === button)));
  buttons.forEach((each, number) => each.setAttribute("aria-pressed", next[number]));
  rememberHidden(buttons);
  drawChart(document.getElementById("chart-explore"));
}

// The group under the pointer: the part of the stack, or the nearest line.
function pointedAt(plot, points, event) {
  const axis = plot._fullLayout.yaxis;
  const height = axis.p2d(event.clientY - plot.getBoundingClientRect().top - axis._offset);
  const values = points
    .filter((point) => !BESIDE.includes(point.data.meta.role))
    .map((point) => ({ number: point.curveNumber, value: Number(point.data.y[point.pointNumber] ?? NaN), data: point.data }))
    .filter((point) => !Number.isNaN(point.value));
  const isStacked = values.some(({ data }) => data.type === "bar" || data.stackgroup);
  if (!isStacked) return values.sort((a, b) => Math.abs(a.value - height) - Math.abs(b.value - height))[0]?.number;
  let top = 0;
  return values.sort((a, b) => a.number - b.number).find(({ value }) => (top += value) >= height)?.number;
}

document.addEventListener("click", (event) => {
  const button = event.target.closest('[data-legend="chart-explore"] [aria-pressed]');
  if (button) press(button, event.shiftKey);
});

document.addEventListener("dblclick", (event) => {
  const button = event.target.closest('[data-legend="chart-explore"] [aria-pressed]');
  if (button) press(button, true);
});

document.addEventListener("chart:click", (event) => {
  if (event.target.id !== "chart-explore") return;
  const addresses = document.getElementById("calls-of-points");
  if (addresses) {
    const point = event.detail.points.find(({ data }) => !BESIDE.includes(data.meta.role));
    if (point) location.assign(event.target.dataset.calls + JSON.parse(addresses.textContent)[point.pointNumber]);
    return;
  }
  const number = pointedAt(event.target, event.detail.points, event.detail.event);
  legendButtons()[number]?.closest("li").querySelector("a.group-name")?.click();
});

// Groups of another dimension are others: what was hidden is forgotten.
document.addEventListener("change", (event) => {
  if (event.target.id === "by") document.querySelectorAll('#controls input[name^="hide"]').forEach((input) => input.remove());
}, true);
