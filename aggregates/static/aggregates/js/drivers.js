// A driver's row opens in place: what within it changed. Without this script the same link leads to a page of it.
"use strict";

function toggleWithin(opener) {
  const row = opener.closest("tr");
  const within = row.nextElementSibling?.matches(".within") ? row.nextElementSibling : null;
  const isOpen = opener.getAttribute("aria-expanded") === "true";
  opener.setAttribute("aria-expanded", String(!isOpen));
  if (within) within.hidden = isOpen;
  else if (!isOpen) htmx.ajax("GET", opener.dataset.driver, { source: opener, target: row, swap: "afterend" });
}

document.addEventListener("click", (event) => {
  if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  const link = event.target.closest("[data-driver], [data-within]");
  if (!link) return;
  event.preventDefault();
  if (link.dataset.driver) toggleWithin(link);
  else htmx.ajax("GET", link.dataset.within, { source: link, target: link.closest(".within"), swap: "outerHTML" });
});

// Where the fragment does not come, its page may.
for (const name of ["htmx:responseError", "htmx:sendError", "htmx:timeout"]) {
  document.addEventListener(name, ({ detail: { elt } }) => elt?.matches?.("[data-driver], [data-within]") && location.assign(elt.href));
}

document.addEventListener("htmx:afterSettle", ({ target, detail }) => {
  const within = detail.elt?.matches?.(".within") ? detail.elt : target.nextElementSibling;
  if (within?.matches?.(".within")) announce(within.querySelector("table, p")?.getAttribute("aria-label") ?? within.innerText);
});
