// Suggestions below the search field: the combobox pattern of WAI-ARIA, so the focus stays in the field. Without this
// script the list stays hidden, and the form searches as ever.

const field = document.getElementById("search");
const list = () => document.getElementById("suggestions");
const options = () => [...list().querySelectorAll("[role=option]")];
const chosen = () => list().querySelector("[aria-selected=true]");

function open(wanted) {
  const there = wanted && options().length > 0;
  list().hidden = !there;
  field.setAttribute("aria-expanded", String(there));
  choose(null);
}

function choose(option) {
  chosen()?.setAttribute("aria-selected", "false");
  option?.setAttribute("aria-selected", "true");
  option?.scrollIntoView({ block: "nearest" });
  if (option) field.setAttribute("aria-activedescendant", option.id);
  else field.removeAttribute("aria-activedescendant");
}

field?.addEventListener("keydown", (event) => {
  const all = options(), shown = !list().hidden, at = all.indexOf(chosen());
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step && all.length) {
    if (!shown) open(true);
    choose(all[at < 0 ? (step > 0 ? 0 : all.length - 1) : (at + step + all.length) % all.length]);
  } else if (event.key === "Enter" && shown && at >= 0) location.assign(all[at].dataset.url);
  else if (event.key === "Escape" && shown) open(false);
  else return;
  event.preventDefault();
});

// An answer that comes after the field was left opens nothing.
document.addEventListener("htmx:afterSwap", (event) => {
  if (event.target.id !== "suggestions" && event.detail.elt?.id !== "suggestions") return;
  open(document.activeElement === field);
  const found = options().length;
  if (!list().hidden) document.dispatchEvent(new CustomEvent("announce", { detail: found === 1 ? "1 suggestion." : `${found} suggestions.` }));
});

field?.addEventListener("blur", () => open(false));
field?.form.addEventListener("mousedown", (event) => { if (event.target.closest("[role=option]")) event.preventDefault(); });
field?.form.addEventListener("click", (event) => {
  const option = event.target.closest("[role=option]");
  if (option) location.assign(option.dataset.url);
});
