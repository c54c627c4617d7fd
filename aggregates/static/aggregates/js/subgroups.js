// Groups of a table open to their subgroups.
"use strict";

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-parts]");
  if (!button) return;
  const rows = document.getElementById(button.getAttribute("aria-controls"));
  rows.hidden = !rows.hidden;
  button.setAttribute("aria-expanded", String(!rows.hidden));
});
