// A file that is dropped, or chosen, is sent at once; one that is too large is refused before.
"use strict";

const drop = document.getElementById("drop");

function refuse(words) {
  const problem = document.getElementById("drop-problem");
  problem.hidden = false;
  problem.querySelector("p").textContent = words;
}

function send() {
  const [file] = drop.elements.file.files;
  if (!file) return;
  document.getElementById("drop-problem").hidden = true;
  if (file.size > Number(drop.dataset.largest)) {
    refuse(`The file is larger than ${drop.dataset.largestWords}: compress it with gzip, split it, or import it on the server.`);
    drop.reset();
    return;
  }
  drop.classList.add("is-sending");
  drop.querySelector(".drop-sending").textContent = `Sending ${file.name}…`;
  drop.requestSubmit();
}

if (drop) {
  drop.elements.file.addEventListener("change", send);
  // Also beside the zone: else the browser would open the file in place of the page.
  document.addEventListener("dragover", (event) => event.preventDefault());
  drop.addEventListener("dragenter", () => drop.classList.add("is-over"));
  drop.addEventListener("dragleave", (event) => drop.contains(event.relatedTarget) || drop.classList.remove("is-over"));
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("is-over");
    if (!event.dataTransfer.files.length || drop.classList.contains("is-sending")) return;
    if (event.dataTransfer.files.length > 1) {
      refuse("Drop one file at a time.");
      return;
    }
    drop.elements.file.files = event.dataTransfer.files;
    send();
  });
  // Who comes back by the browser's button finds the zone as it was.
  addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    drop.classList.remove("is-sending");
    drop.reset();
  });
}
