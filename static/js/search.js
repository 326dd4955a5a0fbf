// Suggestions below each search field: the combobox pattern of WAI-ARIA, so the focus stays in the field. Without this
// script the lists stay hidden, and the forms search as ever.

function suggestFor(field) {
  const list = document.getElementById(field.getAttribute("aria-controls"));
  const options = () => [...list.querySelectorAll("[role=option]")];
  const chosen = () => list.querySelector("[aria-selected=true]");

  function open(wanted) {
    const there = wanted && options().length > 0;
    list.hidden = !there;
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

  field.addEventListener("keydown", (event) => {
    const all = options(), shown = !list.hidden, at = all.indexOf(chosen());
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
  list.addEventListener("htmx:afterSwap", () => {
    options().forEach((option, at) => { option.id = `${list.id}-${at + 1}`; });
    open(document.activeElement === field);
    const found = options().length;
    if (!list.hidden) document.dispatchEvent(new CustomEvent("announce", { detail: found === 1 ? "1 suggestion." : `${found} suggestions.` }));
  });

  field.addEventListener("blur", () => open(false));
  list.addEventListener("mousedown", (event) => event.preventDefault());
  list.addEventListener("click", (event) => {
    const option = event.target.closest("[role=option]");
    if (option) location.assign(option.dataset.url);
  });
}

document.querySelectorAll("[role=combobox]").forEach(suggestFor);
