// Steps fold once they are done, and open when it is their turn; but not where somebody has been at them.
// <details class="fold"> with a [data-mark] in its summary, and <details id data-keep> in parts that are swapped.
const steps = () => document.querySelectorAll("details.fold");
const mark = (step) => step.querySelector("summary [data-mark]")?.dataset.folds;
const known = new Map([...steps()].map((step) => [step, mark(step)]));
const touched = new Set();
const touch = ({ target }) => touched.add(target.closest?.("details.fold"));
document.addEventListener("click", touch);
document.addEventListener("input", touch);
document.body.addEventListener("htmx:afterSettle", () => {
  for (const step of steps()) {
    if (known.get(step) === mark(step)) continue;
    known.set(step, mark(step));
    if (!touched.has(step) && !step.contains(document.activeElement)) step.open = mark(step) !== "yes";
  }
});
// A part that is swapped has these anew: as they were left.
const left = new Map();
const keep = ({ target }) => target.matches("details[data-keep]") && left.set(target.id, target.open);
document.body.addEventListener("toggle", keep, true);
document.body.addEventListener("htmx:oobAfterSwap", () => {
  for (const each of document.querySelectorAll("details[data-keep]")) each.open = left.get(each.id) ?? each.open;
});
