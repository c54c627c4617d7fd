// What somebody typed into a form that the site did not take, as their session had ended or the form was old, is filled
// in again, once, when they come back to its page. The tab keeps it, for the same account alone; and no passwords.
"use strict";

{
  const NAME = "typed";
  const LONGEST = 20_000; // characters
  const SECRETS = 'input[type="password"], [autocomplete="one-time-code"]';
  const NOT_TYPED = ["button", "file", "hidden", "image", "reset", "submit"];

  const account = () => document.querySelector(".account-email")?.textContent;
  const page = () => location.pathname + location.search;
  const formsTo = (action) =>
    [...document.querySelectorAll("form")].filter((form) => (form.getAttribute("action") ?? "") === action);
  const fieldsOf = (form) =>
    [...form.querySelectorAll("input[name], select[name], textarea[name]")].filter(
      (field) => !NOT_TYPED.includes(field.type) && !field.multiple,
    );

  // Where a browser keeps nothing for a site, nothing is filled in.
  function keep(typed) {
    try {
      if (typed && JSON.stringify(typed).length <= LONGEST) sessionStorage.setItem(NAME, JSON.stringify(typed));
      else sessionStorage.removeItem(NAME);
    } catch {}
  }

  function kept() {
    try {
      return JSON.parse(sessionStorage.getItem(NAME));
    } catch {
      return null;
    }
  }

  function read(form) {
    const action = form.getAttribute("action") ?? "";
    const fields = fieldsOf(form).map(({ name, value, checked }) => ({ name, value, checked }));
    return { account: account(), page: page(), action, nth: formsTo(action).indexOf(form), fields };
  }

  function fillIn({ action, nth, fields }) {
    const form = formsTo(action)[nth];
    if (!form) return;
    fieldsOf(form).forEach((field, number) => {
      if (field.name !== fields[number]?.name) return;
      if (["checkbox", "radio"].includes(field.type)) field.checked = fields[number].checked;
      else field.value = fields[number].value;
      field.dispatchEvent(new Event("input", { bubbles: true }));
    });
    for (let menu = form.closest("details"); menu; menu = menu.parentElement.closest("details")) menu.open = true;
    const said = document.createElement("p");
    said.className = "said";
    said.setAttribute("role", "status");
    said.textContent = "This was not sent. What you typed is here again: send it once more.";
    form.before(said);
  }

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (event.defaultPrevented || form.getAttribute("method") !== "post" || !account()) return;
    keep(form.querySelector(SECRETS) || !fieldsOf(form).length ? null : read(form));
  });

  const typed = kept();
  if (typed && document.querySelector("[data-not-taken]")) keep({ ...typed, isLost: true });
  else if (typed) {
    keep(null);
    if (typed.isLost && typed.page === page() && typed.account === account()) fillIn(typed);
  }
}
