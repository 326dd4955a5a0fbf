// Vault credentials whose private key is born here: the portal gets the public key with a proof of possession, and answers
// with everything but the private one. Where the browser lacks WebCrypto the portal makes the key; the page says which way.
// A form without a number of machines is for the place of one machine, which the file then names.

const form = document.querySelector("form[data-credentials]");
const outcome = document.getElementById("credential-outcome");
let here = Boolean(globalThis.crypto?.subtle);
let busy = false;

const base64 = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer)));
const pem = (buffer) => `-----BEGIN PRIVATE KEY-----\n${base64(buffer).replace(/.{1,64}/g, "$&\n")}-----END PRIVATE KEY-----\n`;

/** Something went wrong in a way that we can put into words; anything else that is thrown is a fault of ours. */
class Trouble extends Error {}

async function post(path, body) {
  const headers = { "Content-Type": "application/json", "X-CSRFToken": form.elements.csrfmiddlewaretoken.value };
  const response = await fetch(path, { method: "POST", headers, body: JSON.stringify(body), cache: "no-store" }).catch(() => {
    throw new Trouble("The portal could not be reached. If the state above shows a new file, it was lost on the way: download another.");
  });
  const answer = await response.json().catch(() => ({}));
  if (response.ok) return answer;
  throw new Trouble(Object.values(answer.errors ?? {}).flat().join(" ") || answer.detail || `The portal answered ${response.status}. Try again.`);
}

/** A key pair: the private one as PEM, for the file alone, and what is needed to prove that we hold it. */
async function newKey() {
  try {
    const { publicKey, privateKey } = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign"]);
    const [spki, pkcs8] = [await crypto.subtle.exportKey("spki", publicKey), await crypto.subtle.exportKey("pkcs8", privateKey)];
    return { privateKey, publicText: base64(spki), privateText: pem(pkcs8) };
  } catch {
    here = false;
    tellWay();
    throw new Trouble("This browser could not make a key. Press again, and the portal makes it.");
  }
}

async function issueToOwnKey(machines) {
  const { credentials: path, vault } = form.dataset;
  const { privateKey, publicText, privateText } = await newKey();
  const { challenge } = await post(`${path}/challenge`, {});
  const message = `strongroom-credential-1\n${vault}\n${challenge}\n${publicText}`;
  const proof = await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, privateKey, new TextEncoder().encode(message));
  const issued = await post(path, { public_key: publicText, proof: base64(proof), challenge, machines });
  return { ...issued, private_key: privateText };
}

/** Issue a credential, for as many machines where there is a choice, by the way that the page shows; its file as an object. */
export const issue = (machines) => (here ? issueToOwnKey(machines) : post(form.dataset.credentials, { machines }));

/** Hand the file over to the browser, under the contract's name; that name. */
function save(issued) {
  const [, day, date, month, year] = /^(\w+), (\d+) (\w+) (\d+)/.exec(new Date(issued.issued_at).toUTCString());
  const link = document.createElement("a");
  const about = [issued.vault.name, issued.machine?.name].filter(Boolean).join("_");
  link.download = `${about}_${day} ${month} ${date} ${year}.VaultCredentials`;
  link.href = URL.createObjectURL(new Blob([`${JSON.stringify(issued, null, 1)}\n`], { type: "application/octet-stream" }));
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000); // once it is written, nothing holds the key but the file
  return link.download;
}

function tell(colour, words) {
  const notice = document.getElementById(`credential-${colour}`).content.cloneNode(true);
  notice.querySelector("p").textContent = words;
  outcome.replaceChildren(notice);
}

function tellWay() {
  for (const words of document.querySelectorAll("[data-key-origin]")) words.hidden = (words.dataset.keyOrigin === "browser") !== here;
}

async function download() {
  const [machines, mine] = [form.elements.machines?.valueAsNumber, here];
  try {
    const name = save(await issue(machines));
    const origin = mine ? "was made in this browser; the portal never had it" : "was made by the portal, in memory, and is stored only in the file";
    tell("green", `Saved as ${name}. Its private key ${origin}.`);
  } catch (error) {
    tell("red", error instanceof Trouble ? error.message : "The file could not be made. Reload the page and try again.");
    if (!(error instanceof Trouble)) throw error;
  }
}

async function press(event) {
  event.preventDefault();
  if (busy) return;
  const button = form.querySelector("button");
  busy = true;
  outcome.replaceChildren();
  button.setAttribute("aria-disabled", "true");
  try {
    await download();
  } finally {
    busy = false;
    button.removeAttribute("aria-disabled");
    document.getElementById(form.dataset.refreshes ?? "quick-start")?.dispatchEvent(new Event("refresh"));
  }
}

form?.addEventListener("submit", press);
if (form) tellWay();
