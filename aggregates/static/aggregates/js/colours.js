// The colours of the style sheet, by the roles that figures carry: series-1, error, ...; "series-1 shade-2" is the second
// of three shades on the way from a colour to its end, and "series-1 shade-rest" the one on the way to grey.
"use strict";

const SHADES = 3;
const REST = 0.55;

function token(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

function partsOfColour(colour) {
  return [1, 3, 5].map((place) => parseInt(colour.slice(place, place + 2), 16));
}

function colourOf(role) {
  const [name, shade] = role.split(" ");
  if (!shade) return token(name);
  const number = shade.replace("shade-", "");
  const [end, share] = number === "rest" ? ["other", REST] : [name.replace("series-", "shade-"), number / SHADES];
  const to = partsOfColour(token(end));
  const mixed = partsOfColour(token(name)).map((part, place) => Math.round(part + (to[place] - part) * share));
  return `rgb(${mixed.join(", ")})`;
}
