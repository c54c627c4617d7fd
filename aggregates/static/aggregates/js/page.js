// What the controls do beyond plain links and forms.
"use strict";

document.addEventListener("change", (event) => {
  if (event.target.matches("[data-submits]")) event.target.form.requestSubmit();
});

function isOfView({ detail }) {
  return detail.target?.id === "view"; // not what only suggests values
}

// Who listens to the page hears that it is at work, and then what is new on it.
const NEWS = "h1, .view-dates, .sentence, .call-totals, .note h2";
const REFUSALS = "[data-announced] p"; // and what cannot be answered

function announce(words) {
  document.getElementById("announcement").textContent = words;
}

document.addEventListener("htmx:beforeRequest", (event) => {
  if (!isOfView(event)) return;
  event.detail.target.setAttribute("aria-busy", "true");
  announce(""); // so that the same words are news again
});
document.addEventListener("htmx:afterRequest", (event) => isOfView(event) && event.detail.target.removeAttribute("aria-busy"));
document.addEventListener("htmx:afterSettle", ({ target }) => {
  if (target.id !== "view") return;
  document.title = target.dataset.title ?? document.title;
  const described = target.querySelector(".card-explore .chart-frame")?.getAttribute("aria-label");
  const words = (selector) => [...target.querySelectorAll(selector)].map((each) => each.innerText);
  announce([...(described ? [described] : words(NEWS)), ...words(REFUSALS)].filter(Boolean).join(", "));
});

// What is replaced goes at once: htmx would take leave of each of its thousand elements, though none has anything to end.
document.addEventListener("htmx:beforeCleanupElement", ({ target }) => target.id === "view" && target.replaceChildren());

// The filters stay in sight, so what is scrolled to stops below them.
const MUCH = 8; // filters, which take more than a line

function leaveRoomForFilters() {
  const filters = document.querySelectorAll(".chips > *").length;
  document.documentElement.classList.toggle("is-filtered", filters > 0);
  document.documentElement.classList.toggle("is-filtered-much", filters >= MUCH);
}
leaveRoomForFilters();
document.addEventListener("htmx:afterSettle", leaveRoomForFilters);

// What was there stays, with a word about what is not.
function tell(...words) {
  document.getElementById("no-answer")?.remove();
  const told = Object.assign(document.createElement("div"), { id: "no-answer", className: "problems" });
  told.setAttribute("role", "alert");
  const line = document.createElement("p");
  line.append(...words);
  told.append(line);
  document.querySelector("#view .view-head").after(told);
}

// Where the site refuses a fragment, the browser shows why: by going there. An address that is too long has no page.
const TOO_LONG = 414;
document.addEventListener("htmx:responseError", (event) => {
  if (!isOfView(event)) return;
  if (event.detail.xhr.status === TOO_LONG) tell("These are more values than an address holds: choose fewer at once.");
  else location.assign(event.detail.pathInfo.finalRequestPath);
});

function tellNoAnswer(event) {
  if (!isOfView(event)) return;
  const again = Object.assign(document.createElement("a"), { href: event.detail.pathInfo.finalRequestPath, textContent: "Try again" });
  tell("The site does not answer: what you see is as it was before. ", again);
}
document.addEventListener("htmx:sendError", tellNoAnswer);
document.addEventListener("htmx:timeout", tellNoAnswer);

// Who came by keyboard goes on at the heading of what is new, if what had the focus is gone.
document.addEventListener("htmx:afterSettle", (event) => {
  if (event.target.id !== "view" || document.activeElement !== document.body) return;
  const heading = event.target.querySelector("h1");
  heading.tabIndex = -1;
  heading.focus({ preventScroll: true });
});

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

// What was picked of one dimension is none of another's.
document.addEventListener("change", ({ target }) => {
  if (target.id === "filter-by") document.querySelectorAll('#filter-values [name="pick"]').forEach((box) => Object.assign(box, { checked: false, disabled: true }));
}, true);
// A list that comes was asked for before what has been picked since: that stands, also where the list does not have it.
const known = new Map();
document.addEventListener("htmx:beforeSwap", ({ detail: { target } }) => {
  if (target.id !== "filter-values") return;
  known.clear();
  target.querySelectorAll('[type="checkbox"]').forEach((box) => known.set(`${box.name}=${box.value}`, box));
});
document.addEventListener("htmx:afterSwap", ({ detail: { target } }) => {
  if (target.id !== "filter-values") return;
  target.querySelectorAll('[type="checkbox"]').forEach((box) => {
    const before = known.get(`${box.name}=${box.value}`);
    if (before) box.checked = before.checked;
    known.delete(`${box.name}=${box.value}`);
  });
  const picked = [...known.values()].filter((box) => box.checked).map((box) => box.closest("li"));
  if (!picked.length) return;
  const list = target.querySelector("ul") ?? target.appendChild(Object.assign(document.createElement("ul"), { className: "options" }));
  list.prepend(...picked);
});
document.addEventListener("click", ({ target }) => {
  if (target.matches("[data-picks-all]")) document.querySelectorAll('#filter-values [name="pick"]').forEach((box) => (box.checked = true));
});

// An open menu closes when one clicks elsewhere or presses Escape.
function closeMenus(except) {
  document.querySelectorAll("details.menu[open]").forEach((menu) => {
    if (menu === except) return;
    if (menu.contains(document.activeElement)) menu.querySelector("summary").focus();
    menu.open = false;
  });
}
document.addEventListener("click", (event) => closeMenus(event.target.closest("details.menu")));
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") closeMenus(null);
});
