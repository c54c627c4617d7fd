// Groups open to their subgroups: to what is there already, or, in a table, to rows that are read then.
"use strict";

function partsOfRow(row) {
  const rows = [];
  for (let next = row.nextElementSibling; next?.matches(".part"); next = next.nextElementSibling) rows.push(next);
  return rows;
}

function toggleRows(opener) {
  const row = opener.closest("tr");
  const rows = partsOfRow(row);
  const isOpen = opener.getAttribute("aria-expanded") === "true";
  if (!rows.length) return opener.classList.contains("htmx-request") || readRows(opener, row);
  rows.forEach((each) => (each.hidden = isOpen));
  opener.setAttribute("aria-expanded", String(!isOpen));
}

// Their address has the same parameters as the group's own link.
async function readRows(opener, row) {
  const address = row.closest("table").dataset.subgroups + row.querySelector("th a:not([data-parts])").search;
  await htmx.ajax("GET", address, { source: opener, target: row, swap: "afterend" });
  const rows = partsOfRow(row);
  if (!rows.length) return;
  opener.setAttribute("aria-expanded", "true");
  const number = rows.filter((each) => each.dataset.subkey !== undefined).length;
  announce(number ? `${opener.innerText.trim()}: ${number}` : rows[0].innerText);
}

document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-parts]");
  if (!opener) return;
  if (opener.matches("a")) {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    toggleRows(opener);
    return;
  }
  const parts = document.getElementById(opener.getAttribute("aria-controls"));
  parts.hidden = !parts.hidden;
  opener.setAttribute("aria-expanded", String(!parts.hidden));
});

// Where the rows do not come, their page may.
for (const name of ["htmx:responseError", "htmx:sendError", "htmx:timeout"]) {
  document.addEventListener(name, ({ detail: { elt } }) => elt?.matches?.("a[data-parts]") && location.assign(elt.href));
}
