// The numbers behind a chart as a table, made when somebody opens it.
"use strict";

function cell(row, content, scope) {
  const element = document.createElement(scope ? "th" : "td");
  if (scope) element.scope = scope;
  element.append(content);
  row.append(element);
}

// Where there is something to ask of a bar, its number has the same menu.
function buttonOf(place, text) {
  const button = Object.assign(document.createElement("button"), { type: "button", textContent: text });
  button.setAttribute("aria-haspopup", "menu");
  button.addEventListener("click", () => openMenu(place, button.getBoundingClientRect(), button));
  return button;
}

function tableOf(chart) {
  const table = document.createElement("table");
  const head = table.createTHead().insertRow();
  const body = table.createTBody();
  const { data, layout } = chart.figure;
  const shown = barLinks() ? buttonOf : (_, text) => text;
  cell(head, "Time", "col");
  data.forEach((trace) => cell(head, BESIDE.includes(trace.meta.role) ? trace.name : isolated(trace.name), "col"));
  layout.meta.times.forEach((time, bucket) => {
    const row = body.insertRow();
    cell(row, shown({ chart, bucket, group: null }, time), "row");
    data.forEach((trace, group) => {
      const text = trace.customdata[bucket];
      cell(row, BESIDE.includes(trace.meta.role) ? text : shown({ chart, bucket, group }, text));
    });
  });
  return table;
}

function fillIn(details) {
  const chart = document.getElementById(details.dataset.figure.replace("figure-", "chart-"));
  details.querySelector(".chart-numbers-table").replaceChildren(tableOf(chart));
}

document.addEventListener(
  "toggle",
  (event) => event.target.matches(".chart-numbers[open]") && fillIn(event.target),
  true, // toggle does not bubble
);

// What was open stays open, with the new numbers.
let opened = [];
document.addEventListener("htmx:beforeSwap", (event) => {
  if (event.target.id === "view") opened = [...document.querySelectorAll(".chart-numbers[open]")].map(({ dataset }) => dataset.figure);
});
document.addEventListener("htmx:afterSwap", (event) => {
  if (event.target.id !== "view") return;
  event.target.querySelectorAll(".chart-numbers").forEach((details) => (details.open = opened.includes(details.dataset.figure)));
});
