// Keys for what readers do most; the dialog lists them and turns them off.
"use strict";

const KEYBOARD_SETTING = "keyboard";
const keyboardDialog = document.getElementById("keyboard");

// Where a browser keeps nothing for a site, the setting holds for the page.
const keyboard = {
  on: true,
  read() {
    try {
      this.on = localStorage.getItem(KEYBOARD_SETTING) !== "off";
    } catch {}
  },
  set(on) {
    this.on = on;
    try {
      localStorage.setItem(KEYBOARD_SETTING, on ? "on" : "off");
    } catch {}
  },
};

function showKeyboard() {
  document.getElementById("keyboard-on").checked = keyboard.on;
  keyboardDialog.showModal();
}

function openFilter() {
  const search = document.getElementById("filter-search");
  const menu = search?.closest("details");
  if (menu) menu.open = true;
  return search;
}

// Follows the link to another period; the focus stays where it is.
function step(id) {
  const link = document.getElementById(id);
  link?.click();
  return link && undefined;
}

const KEYS = {
  "/": openFilter,
  g: () => document.getElementById("by"),
  r: () => document.querySelector('#controls input[name="range"]:checked') ?? document.getElementById("period"),
  p: () => step("step-previous"),
  n: () => step("step-next"),
  "?": showKeyboard,
};

function isTyping(element) {
  if (element.matches("input")) return !["radio", "checkbox", "button", "submit"].includes(element.type);
  return element.matches("select, textarea") || element.isContentEditable;
}

function pressed(event) {
  if (event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
  if (!keyboard.on || keyboardDialog.open || isTyping(event.target) || !Object.hasOwn(KEYS, event.key)) return;
  const control = KEYS[event.key]();
  if (control === null) return; // this page has none
  event.preventDefault();
  control?.focus();
}

if (keyboardDialog) {
  keyboard.read();
  document.addEventListener("keydown", pressed);
  document.getElementById("keyboard-on").addEventListener("change", (event) => keyboard.set(event.target.checked));
  document.querySelectorAll('[data-opens="keyboard"]').forEach((button) => {
    button.hidden = false;
    button.addEventListener("click", showKeyboard);
  });
}
