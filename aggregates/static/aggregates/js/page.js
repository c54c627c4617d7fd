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
