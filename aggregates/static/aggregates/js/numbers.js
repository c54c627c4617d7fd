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

document.addEventListener(
  "toggle",
  (event) => {
    const details = event.target;
    if (!details.matches(".chart-numbers") || !details.open) return;
    const figure = JSON.parse(document.getElementById(details.dataset.figure).textContent);
    details.querySelector(".chart-numbers-table").replaceChildren(tableOf(figure));
  },
  true, // toggle does not bubble
);
