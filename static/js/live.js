// Live parts: what htmx needs from us for polling that costs nothing, survives an unreachable portal, and is heard.

const announce = (words) => document.dispatchEvent(new CustomEvent("announce", { detail: words }));
const tags = new Map(); // the ETag of what each part shows: target id and path -> tag
const offline = document.getElementById("offline");
const key = (detail) => `${detail.target?.id} ${detail.pathInfo?.requestPath ?? detail.path}`;
const polls = (element) => /\bevery\b/.test(element.getAttribute("hx-trigger") ?? "");
const area = () => document.getElementById("notifications");
const list = document.getElementById("notification-list");
const on = (name, act) => document.body.addEventListener(name, (event) => act(event.detail, event));

on("htmx:configRequest", (detail) => {
  const tag = detail.verb === "get" && (tags.get(key(detail)) ?? detail.elt.dataset.etag);
  if (tag) detail.headers["If-None-Match"] = tag;
});

// Hidden pages don't poll; neither does a part that was refused.
on("htmx:beforeRequest", (detail, event) => {
  if (polls(detail.elt) && !detail.requestConfig.triggeringEvent && (document.hidden || "refused" in detail.elt.dataset)) event.preventDefault();
});

on("htmx:afterRequest", (detail) => {
  const { xhr, requestConfig, elt } = detail;
  const sent = requestConfig.verb !== "get";
  if (sent) tags.clear();
  else if (xhr.getResponseHeader("ETag")) tags.set(key(detail), xhr.getResponseHeader("ETag"));
  const away = xhr.status === 0 || xhr.status === 502 || xhr.status === 504;
  if (away !== !offline.hidden) toldAway(away);
  if ([401, 403, 404].includes(xhr.status)) elt.dataset.refused = "";
  else delete elt.dataset.refused;
  // A part that has something new, or a form that was sent: the area learns at once what that began or ended.
  if ([200, 286].includes(xhr.status) && (sent || polls(elt)) && detail.target?.id !== "notifications") renew(area());
});

let retry;
function toldAway(away) {
  offline.hidden = !away;
  clearInterval(retry);
  if (away) retry = setInterval(refresh, 3000);
  else announce("The portal is back.");
}

document.addEventListener("visibilitychange", refresh);
window.addEventListener("online", refresh);

function refresh() {
  if (document.hidden) return;
  document.querySelectorAll("[hx-trigger*='every']").forEach(renew);
}

function renew(part) {
  if (part) window.htmx.trigger(part, "refresh");
}

// `data-announce` on a part that is swapped in is read out once for each new text.
const said = new Set();
const news = (root) => [...root.querySelectorAll("[data-announce]")].map((one) => one.dataset.announce);
for (const words of news(document)) said.add(words);
on("htmx:afterSettle", (detail) => {
  const fresh = new Set(news(document).filter((words) => words && !said.has(words)));
  fresh.forEach((words) => said.add(words));
  if (fresh.size) announce([...fresh].join(" "));
  if (list?.matches(":popover-open") && document.activeElement === document.body) list.focus();
  // What the area has learned may concern the page.
  if (fresh.size && detail.requestConfig?.path === area()?.getAttribute("hx-get")) {
    document.querySelectorAll("[hx-trigger*='every']:not(#notifications)").forEach(renew);
  }
});

// The line may have been replaced while its list was open: then the browser does not find back to it.
let inside = false;
list?.addEventListener("beforetoggle", () => { inside = list.contains(document.activeElement); });
list?.addEventListener("toggle", (event) => {
  const lost = document.activeElement === document.body || list.contains(document.activeElement);
  if (event.newState === "closed" && inside && lost) document.getElementById("notification-line")?.focus();
});

// What ended well leaves the line once it has been on the screen for some seconds; the portal keeps how far one has seen.
let onScreen = { until: "", seconds: 0 };
function tellSeen() {
  const form = document.getElementById("notification-seen");
  const until = form?.elements.until.value ?? "";
  if (until !== onScreen.until) onScreen = { until, seconds: 0 };
  else if (!document.hidden && !list?.matches(":popover-open")) onScreen.seconds += 1;
  if (until && onScreen.seconds === Number(form.dataset.seconds)) window.htmx.trigger(form, "seen");
}

// `data-since` counts on, so that a part need not be fetched for its clock alone.
setInterval(() => {
  tellSeen();
  for (const clock of document.querySelectorAll("[data-since]")) {
    const seconds = Math.max(0, Math.floor((Date.now() - Date.parse(clock.dataset.since)) / 1000));
    clock.textContent = seconds < 60 ? `${seconds} s` : seconds < 3600 ? `${Math.floor(seconds / 60)} min ${seconds % 60} s`
      : `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
  }
}, 1000);
