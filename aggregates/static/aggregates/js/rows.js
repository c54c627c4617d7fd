// A click anywhere on a row leads where the link of its name does.
"use strict";

document.addEventListener("click", (event) => {
  if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  if (event.target.closest("a, button") || String(getSelection())) return; // or a text was selected
  event.target.closest(".card-table tbody tr:not(.within)")?.querySelector("th a:not(.opener, [data-parts])")?.click();
});
