// What the legend hides is part of a view, too, and no answer of the site tells of it.
"use strict";

function inOrderOf(query) {
  const parameters = new URLSearchParams(query);
  parameters.delete("view");
  parameters.sort();
  return parameters.toString();
}

// What is saved shows and hides what the address does, which the legend changes.
function withHidden(query) {
  const parameters = new URLSearchParams(query);
  const address = new URLSearchParams(location.search);
  ["hide", "hide_other"].forEach((name) => {
    parameters.delete(name);
    address.getAll(name).forEach((value) => parameters.append(name, value));
  });
  return String(parameters) && `?${parameters}`;
}

document.addEventListener("click", (event) => {
  if (!event.target.closest("[data-legend] [aria-pressed]")) return;
  document.querySelectorAll('.views-panel input[name="query"]').forEach((input) => {
    input.value = withHidden(input.value);
  });
  const saved = document.querySelector("[data-view-query]")?.dataset.viewQuery;
  if (saved === undefined) return;
  const isChanged = inOrderOf(saved) !== inOrderOf(document.querySelector('.views-panel input[name="query"]').value);
  document.querySelectorAll(".views-changed, .views-changes").forEach((each) => (each.hidden = !isChanged));
});
