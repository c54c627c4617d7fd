// The colours of the style sheet, by the roles that figures carry: series-1, error, ...; "series-1 shade-2" is the second
// of four shades on the way from the colour to the end of its shades.
"use strict";

const SHADES = 4;

function token(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

function parts(colour) {
  return [1, 3, 5].map((place) => parseInt(colour.slice(place, place + 2), 16));
}

function colourOf(role) {
  const [name, shade] = role.split(" ");
  if (!shade) return token(name);
  const share = Number(shade.replace("shade-", "")) / SHADES;
  const end = parts(token(name.replace("series-", "shade-")));
  const mixed = parts(token(name)).map((part, place) => Math.round(part + (end[place] - part) * share));
  return `rgb(${mixed.join(", ")})`;
}
