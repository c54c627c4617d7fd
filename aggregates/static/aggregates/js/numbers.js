// The numbers behind a chart as a table, made when somebody opens it.
"use strict";

function cell(row, tag, text) {
  const element = document.createElement(tag);
  element.textContent = text;
  row.append(element);
}

function tableOf(figure) {
  const table = document.createElement("table");
  const head = table.createTHead().insertRow();
  const body = table.createTBody();
  cell(head, "th", "Time");
  figure.data.forEach((trace) => cell(head, "th", trace.name));
  figure.layout.meta.times.forEach((time, number) => {
    const row = body.insertRow();
    cell(row, "th", time);
    figure.data.forEach((trace) => cell(row, "td", trace.customdata[number]));
  });
  return table;
}

function fillIn(details) {
  const figure = JSON.parse(document.getElementById(details.dataset.figure).textContent);
  details.querySelector(".chart-numbers-table").replaceChildren(tableOf(figure));
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
