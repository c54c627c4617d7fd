// The chart to explore with: its legend shows and hides groups.
"use strict";

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

document.addEventListener("click", (event) => {
  const button = event.target.closest('[data-legend="chart-explore"] [aria-pressed]');
  if (button) press(button, event.shiftKey);
});

document.addEventListener("dblclick", (event) => {
  const button = event.target.closest('[data-legend="chart-explore"] [aria-pressed]');
  if (button) press(button, true);
});

// Groups of another dimension are others: what was hidden is forgotten.
document.addEventListener("change", (event) => {
  if (event.target.id === "by") document.querySelectorAll('#controls input[name^="hide"]').forEach((input) => input.remove());
}, true);
