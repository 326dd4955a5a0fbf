// The frame: theme, the search shortcut, copying, dialogs, menus. Each works by attributes, also in parts that are swapped in.

const announcer = document.getElementById("announcer");

// Tell screen readers; the same words twice in a row are told twice. Other scripts send the event `announce`: were this
// module imported by its plain name, it would run a second time beside the one with the hash in its name.
function announce(words) {
  announcer.textContent = "";
  setTimeout(() => { announcer.textContent = words; }, 50);
}
document.addEventListener("announce", (event) => announce(event.detail));

// On a narrow screen the open page's tab may lie beyond the edge of the row of tabs.
document.querySelector(".tabs [aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });

const typing = (element) => element.isContentEditable || /^(input|select|textarea)$/i.test(element.tagName);

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
  const target = [...document.querySelectorAll("[data-shortcut]")].find((one) => one.dataset.shortcut === event.key.toLowerCase());
  if (!target || document.querySelector("dialog[open]")) return;
  event.preventDefault();
  target.focus();
});

document.addEventListener("click", async (event) => {
  const copier = event.target.closest("[data-copy]");
  if (copier) await copy(copier);
  const mover = event.target.closest("[data-move-to]");
  if (mover) document.getElementById(mover.dataset.moveTo).focus();
  const opener = event.target.closest("button[commandfor]");
  if (opener && !("command" in opener)) document.getElementById(opener.getAttribute("commandfor")).showModal();
});

async function copy(button) {
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
    announce("Copied.");
    mark(button);
  } catch {
    announce("Your browser does not let this page copy. Select the text instead.");
  }
}

function mark(button) {
  const use = button.querySelector("use");
  const [part, old, done] = use
    ? [(value) => use.setAttribute("href", value), use.getAttribute("href"), use.getAttribute("href").replace("#copy", "#check")]
    : [(value) => { button.textContent = value; }, "Copy", "Copied"];
  part(done);
  setTimeout(() => part(old), 1500);
}

// A destructive button wakes when the name has been typed; the server compares it again.
function arm(root) {
  for (const field of root.querySelectorAll("[data-must-equal]")) {
    const button = field.form.querySelector(".sure");
    const look = () => { button.disabled = field.value !== field.dataset.mustEqual; };
    field.addEventListener("input", look);
    look();
  }
}
arm(document);
document.addEventListener("htmx:load", (event) => {
  arm(event.target);
  // A check of what is typed takes the place of what was said about it when the form was sent.
  const field = document.getElementById(event.target.dataset?.checks);
  if (!field) return;
  document.getElementById(`${field.id}_error`)?.remove();
  field.removeAttribute("aria-invalid");
});

// How much of the room for a text is used, once that matters; the form refuses what is longer, it never cuts.
document.addEventListener("input", ({ target }) => {
  const limit = Number(target.dataset.limit);
  if (!limit) return;
  const over = target.value.length > limit;
  let counter = target.parentElement.querySelector(".counter");
  if (!counter) target.after(counter = Object.assign(document.createElement("span"), { className: "counter small" }));
  counter.textContent = target.value.length < 0.8 * limit ? "" : `${target.value.length} of ${limit} characters${over ? ": too long" : ""}`;
  counter.classList.toggle("bad", over);
});

document.querySelector("[data-theme-form]")?.addEventListener("submit", (event) => {
  event.preventDefault();
  const form = event.currentTarget;
  const data = new FormData(form, event.submitter);
  const theme = data.get("theme");
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  for (const button of form.querySelectorAll("button")) button.ariaPressed = String(button === event.submitter);
  fetch(form.action, { method: "POST", body: data, redirect: "manual" });
});

// A form is sent once the portal answers: while it restarts, what was typed stays, and the button is there to press again.
document.addEventListener("submit", async (event) => {
  const { target: form, submitter } = event;
  const method = submitter?.formMethod || form.method;
  if (event.defaultPrevented || method !== "post" || form.matches("[hx-post]") || form.dataset.sending === "now") return;
  event.preventDefault();
  if (form.dataset.sending) return;
  form.dataset.sending = "asked";
  const there = await fetch("/health/live", { cache: "no-store", signal: AbortSignal.timeout(5000) }).then((answer) => answer.ok, () => false);
  document.getElementById("unsent")?.remove();
  if (!there) {
    delete form.dataset.sending;
    form.prepend(document.getElementById("unsent-notice").content.cloneNode(true));
    announce(document.getElementById("unsent").textContent);
    return;
  }
  form.dataset.sending = "now";
  form.requestSubmit(submitter);
  setTimeout(() => { delete form.dataset.sending; }, 2000);
});
