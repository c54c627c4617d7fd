// What there is to ask of a bar, in a menu beside it; and dragging over bars, which zooms into their days. The server has
// made all addresses: of the dates of a bucket, and of what they are put behind.
"use strict";

const FAR = 6; // pixels that a pointer moves before it drags
let opener = null; // what the menu came from, and gives the focus back to
let drag = null; // { chart, first, last, x }
let hasDragged = false;

function barMenu() {
  return document.getElementById("bar-menu");
}

function isMenuOpen() {
  return Boolean(barMenu()?.matches(":popover-open"));
}

function barLinks() {
  const found = document.getElementById("bar-links");
  return found && JSON.parse(found.textContent);
}

// Buckets are in the order of their dates, unless it says of each which it has.
function datesOf(links, bucket) {
  const [from, to = from] = links.dates[links.buckets?.[bucket] ?? bucket].split("/");
  return `from=${from}&to=${to}`;
}

// Keeps to an hour, where that is what a bucket is.
function partOfDates({ cut, instants, start }, bucket, edges) {
  if (cut !== true && !cut.includes(bucket)) return "";
  const instant = (edge) => instants[edge] ?? new Date((start + edges[edge]) * 1000).toISOString().replace(".000Z", "Z");
  return `&since=${instant(bucket)}&until=${instant(bucket + 1)}`;
}

function itemsOf({ chart, bucket, group }, links) {
  const dates = datesOf(links, bucket);
  const own = links.groups[chart.id.replace("chart-", "")]?.[group] ?? {};
  const whole = chart.figure.layout.meta.groups?.[wholeOf(chart, group)];
  const name = isolated(whole?.name ?? chart.data[group]?.name ?? "");
  const { role, part, rest } = chart.data[group]?.meta ?? {};
  const isOther = role === "other";
  return [
    links.zoom && [[links.this], links.zoom + dates, "view"],
    [[links.why], links.changes + dates],
    [["Its calls"], (own.calls ?? links.calls) + dates + partOfDates(links, bucket, chart.figure.layout.meta.edges)],
    own.part && [[rest ? "What is behind " : "Only ", isolated(part), " of ", name.cloneNode(true)], own.part, "view"],
    own.only && [isOther ? ["What is behind Other"] : ["Only ", name], own.only, "view"],
    own.without && [["Leave out ", name.cloneNode(true)], own.without, "view"],
  ].filter(Boolean);
}

function menuItem([words, href, isOfView]) {
  const item = made("a", "", ...words);
  item.href = href;
  item.role = "menuitem";
  item.tabIndex = -1;
  if (!isOfView) item.setAttribute("hx-boost", "false");
  return item;
}

function titleOf({ chart, bucket, group }) {
  const { times, totals } = chart.figure.layout.meta;
  const trace = chart.data[group] ?? (chart.data.length === 1 ? chart.data[0] : null);
  const title = made("p", "bar-time", times[bucket]);
  title.id = "bar-menu-title";
  const value = trace?.customdata[bucket] ?? totals?.[bucket];
  if (value) title.append(made("span", "", ...(chart.data[group] ? [isolated(trace.name), "  "] : []), made("b", "", value)));
  return title;
}

function openMenu(place, rect, from) {
  const links = barLinks();
  if (!links) return;
  const list = made("div", "", ...itemsOf(place, links).map(menuItem));
  list.role = "menu";
  list.setAttribute("aria-labelledby", "bar-menu-title");
  opener = from;
  barMenu().replaceChildren(titleOf(place), list);
  htmx.process(barMenu());
  values().hidePopover();
  barMenu().showPopover();
  placeBeside(barMenu(), rect);
  list.firstElementChild.focus({ preventScroll: true });
}

function moveInMenu(event) {
  const items = [...barMenu().querySelectorAll("[role=menuitem]")];
  const place = items.indexOf(document.activeElement);
  const to = { ArrowDown: place + 1, ArrowUp: place - 1, Home: 0, End: items.length - 1 }[event.key];
  if (event.key === "Tab") barMenu().hidePopover();
  if (to === undefined) return;
  event.preventDefault();
  items[(to + items.length) % items.length].focus();
}

document.addEventListener("DOMContentLoaded", () => {
  barMenu()?.addEventListener("keydown", moveInMenu);
  barMenu()?.addEventListener("click", (event) => event.target.closest("a") && barMenu().hidePopover());
  barMenu()?.addEventListener("beforetoggle", (event) => {
    if (event.newState === "closed" && barMenu().contains(document.activeElement)) opener?.focus({ preventScroll: true });
  });
});
document.addEventListener("htmx:beforeSwap", (event) => event.target.id === "view" && isMenuOpen() && barMenu().hidePopover());

function isSame(place) {
  return pointed && place.chart === pointed.chart && place.bucket === pointed.bucket && place.group === pointed.group;
}

// A finger sees the values first, and asks with a second tap.
document.addEventListener("click", (event) => {
  const place = placeAt(event);
  const isTouch = event.pointerType === "touch";
  if (hasDragged || !place) {
    if (!place && isTouch) pointAway();
    hasDragged = false;
    return;
  }
  if (isTouch && !isSame(place)) {
    pointAt(place);
    if (barLinks()) values().append(made("p", "bar-difference", "Tap again for more."));
    return;
  }
  openMenu(place, new DOMRect(event.clientX, event.clientY, 0, 0), place.chart.parentElement);
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && drag) endDrag();
  if (event.key !== "Enter" && event.key !== " ") return;
  if (!event.target.matches?.(".chart-frame") || pointed?.chart.parentElement !== event.target) return;
  event.preventDefault();
  openMenu(pointed, rectOf(pointed), event.target);
});

function endDrag() {
  drag = null;
  hasDragged = true; // the click that follows is none
  pointAway();
}

document.addEventListener("pointercancel", () => drag && endDrag()); // a finger scrolls, after all

function zoomInto({ first, last }) {
  const links = barLinks();
  const [from, to] = [Math.min(first, last), Math.max(first, last)].map((bucket) => new URLSearchParams(datesOf(links, bucket)));
  htmx.ajax("GET", `${links.span}from=${from.get("from")}&to=${to.get("to")}`, { target: "#view", swap: "outerHTML show:none" });
}

document.addEventListener("pointerdown", (event) => {
  hasDragged = false;
  const place = event.button === 0 && event.isPrimary && placeAt(event);
  if (place && barLinks()?.span) drag = { chart: place.chart, first: place.bucket, last: place.bucket, x: event.clientX };
});

document.addEventListener("pointermove", (event) => {
  if (!drag || (drag.first === drag.last && Math.abs(event.clientX - drag.x) < FAR)) return;
  event.preventDefault();
  drag.last = bucketAt(drag.chart, event.clientX) ?? drag.last;
  if (drag.first === drag.last) return;
  const [from, to] = [Math.min(drag.first, drag.last), Math.max(drag.first, drag.last)];
  const { times } = drag.chart.figure.layout.meta;
  pointed = { chart: drag.chart, bucket: from, group: null };
  markBuckets(from, to);
  markGroup(null, null);
  values().replaceChildren(made("p", "bar-time", times[from], " – ", times[to]), made("p", "bar-difference", "Let go to zoom in."));
  values().showPopover();
  placeBeside(values(), rectOf({ chart: drag.chart, bucket: to, group: null }));
});

document.addEventListener("pointerup", () => {
  const ended = drag;
  drag = null;
  if (!ended || ended.first === ended.last) return;
  endDrag();
  zoomInto(ended);
});
