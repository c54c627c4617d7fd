// The numbers behind a chart as a table, made when somebody opens it.
"use strict";

function cell(row, content, scope) {
  const element = document.createElement(scope ? "th" : "td");
  if (scope) element.scope = scope;
  element.append(content);
  row.append(element);
}

function tableOf(figure, timeOf) {
  const table = document.createElement("table");
  const head = table.createTHead().insertRow();
  const body = table.createTBody();
  cell(head, "Time", "col");
  figure.data.forEach((trace) => cell(head, trace.name, "col"));
  figure.layout.meta.times.forEach((time, number) => {
    const row = body.insertRow();
    cell(row, timeOf(time, number), "row");
    figure.data.forEach((trace) => cell(row, trace.customdata[number]));
  });
  return table;
}

// Where a click on the chart leads to calls, so does the time in its table.
function fillIn(details) {
  const figure = JSON.parse(document.getElementById(details.dataset.figure).textContent);
  const calls = details.parentElement.querySelector("[data-calls]")?.dataset.calls;
  const addresses = calls && document.getElementById("calls-of-points");
  const queries = addresses ? JSON.parse(addresses.textContent) : [];
  const timeOf = (time, number) => (queries[number] ? Object.assign(document.createElement("a"), { href: calls + queries[number], textContent: time }) : time);
  details.querySelector(".chart-numbers-table").replaceChildren(tableOf(figure, timeOf));
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
