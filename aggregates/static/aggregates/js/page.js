// What the controls do beyond plain links and forms.
"use strict";

document.addEventListener("change", (event) => {
  if (event.target.matches("[data-submits]")) event.target.form.requestSubmit();
});

// Where a fragment cannot be had, the browser shows why: by going there.
function goThere(event) {
  location.assign(event.detail.pathInfo.finalRequestPath);
}
document.addEventListener("htmx:responseError", goThere);
document.addEventListener("htmx:sendError", goThere);

// Going back or forth reads the page again. In haste the browser may give that up halfway, or be at another address than
// the page by the time its scripts run: then it is read once more.
const PATIENCE = 1000; // milliseconds, for what is on its way

function inOrder(query) {
  return new URLSearchParams(query).toString();
}

function isBehind() {
  return inOrder(document.getElementById("content").dataset.query) !== inOrder(location.search);
}

function rememberAddress() {
  document.getElementById("content").dataset.query = location.search.slice(1);
}

let looking;
addEventListener("popstate", () => {
  clearTimeout(looking);
  looking = setTimeout(() => isBehind() && location.reload(), PATIENCE);
});
addEventListener("DOMContentLoaded", () => {
  const [{ type }] = performance.getEntriesByType("navigation");
  if (type !== "navigate" && isBehind()) location.replace(location.href);
});
document.addEventListener("htmx:pushedIntoHistory", rememberAddress);

// An open menu closes when one clicks elsewhere or presses Escape.
function closeMenus(except) {
  document.querySelectorAll("details.menu[open]").forEach((menu) => {
    if (menu !== except) menu.open = false;
  });
}
document.addEventListener("click", (event) => closeMenus(event.target.closest("details.menu")));
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") closeMenus(null);
});
