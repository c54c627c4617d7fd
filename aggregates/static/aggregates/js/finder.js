// Control or Command and K opens a dialog from which one can go anywhere.
"use strict";

const finder = document.getElementById("finder");
const PAUSE = 120; // milliseconds in which nothing is typed
const OF_MAC = /Mac|iPhone|iPad/.test(navigator.platform);

let asking; // what is on its way
let pause;

async function look() {
  asking?.abort();
  asking = new AbortController();
  const parameters = new URLSearchParams(location.search);
  parameters.set("q", document.getElementById("finder-typed").value);
  try {
    const response = await fetch(`${finder.dataset.address}?${parameters}`, { signal: asking.signal });
    if (response.redirected) return location.reload(); // the session has ended
    if (response.ok) document.getElementById("finder-found").innerHTML = await response.text();
    else document.getElementById("finder-found").textContent = "The site is busy: try again in a moment.";
  } catch (error) {
    if (error.name !== "AbortError") document.getElementById("finder-found").textContent = "The site does not answer.";
  }
}

function openFinder() {
  if (finder.open) return finder.close();
  finder.showModal();
  document.getElementById("finder-typed").select();
  look();
}

// Arrows lead through what was found; Enter in the field goes to the first of it.
function walk(event) {
  const links = [...finder.querySelectorAll("#finder-found a")];
  const at = links.indexOf(document.activeElement);
  if (event.key === "ArrowDown") links[Math.min(at + 1, links.length - 1)]?.focus();
  else if (event.key === "ArrowUp") (at > 0 ? links[at - 1] : document.getElementById("finder-typed")).focus();
  else if (event.key === "Enter" && at < 0 && event.target.id === "finder-typed") links[0]?.click();
  else return;
  event.preventDefault();
}

if (finder) {
  document.addEventListener("keydown", (event) => {
    if (event.key.toLowerCase() !== "k" || event.altKey || event.shiftKey || event.isComposing) return;
    if (OF_MAC ? !event.metaKey || event.ctrlKey : !event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    openFinder();
  });
  finder.addEventListener("keydown", walk);
  finder.addEventListener("click", (event) => event.target === finder && finder.close());
  document.getElementById("finder-typed").addEventListener("input", () => {
    clearTimeout(pause);
    pause = setTimeout(look, PAUSE);
  });
  document.querySelectorAll('[data-opens="finder"]').forEach((button) => {
    button.hidden = false;
    button.querySelector("kbd").textContent = OF_MAC ? "⌘K" : "Ctrl K";
    button.addEventListener("click", openFinder);
  });
}
