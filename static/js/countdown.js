// Times that run out, counted down each second: <strong data-until="2026-11-22T17:40:00Z">. Without this script they are words.

const tell = (place) => {
  const left = Math.max(0, Math.ceil((Date.parse(place.dataset.until) - Date.now()) / 1000));
  const text = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")} minutes`;
  if (place.textContent !== text) place.textContent = text;
};
const all = () => document.querySelectorAll("[data-until]").forEach(tell);

all();
setInterval(all, 1000);
document.addEventListener("htmx:afterSwap", all);
