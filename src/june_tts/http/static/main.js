// Puts the page together.

import * as api from "./api.js";
import { CloneForm } from "./clone.js";
import { byId, showError } from "./dom.js";
import { Snippets } from "./snippets.js";
import { Speaker } from "./speak.js";
import { Catalogue } from "./voices.js";

const HEALTH_MS = 30_000;

const speaker = new Speaker();
const snippets = new Snippets();
const catalogue = new Catalogue();
const cloning = new CloneForm();

catalogue.addEventListener("change", () => snippets.update(catalogue.selected));
cloning.addEventListener("saved", () => catalogue.load());
byId("voice").addEventListener("change", () => catalogue.changed());

const speak = () => speaker.speak({ input: byId("text").value, voice: catalogue.selected || undefined, speed: Number(byId("speed").value) });

byId("speak-form").addEventListener("submit", (event) => {
  event.preventDefault();
  speak();
});
byId("stop").addEventListener("click", () => speaker.stop());
byId("again").addEventListener("click", () => speaker.again());
byId("download").addEventListener("click", () => speaker.download());

document.addEventListener("keydown", (event) => {
  if (byId("confirm").open) return;
  if (event.key === "Escape" && speaker.busy) speaker.stop();
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    speak();
  }
});

for (const gesture of ["pointerup", "keydown"]) document.addEventListener(gesture, () => speaker.warm());

function count() {
  const length = [...byId("text").value].length;
  byId("count").textContent = `${length.toLocaleString("en")} character${length === 1 ? "" : "s"}`;
}
byId("text").addEventListener("input", () => {
  byId("text").removeAttribute("aria-invalid");
  count();
});
byId("speed").addEventListener("input", () => (byId("speed-value").value = `${Number(byId("speed").value).toFixed(2)}×`));
if (/Mac|iPhone|iPad/.test(navigator.platform)) byId("mod").textContent = "⌘";

document.addEventListener("june:unauthorized", ({ detail }) => {
  showError(byId("key-error"), api.hasKey() ? detail : null);
  byId("key-form").hidden = false;
});
byId("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  api.setKey(byId("key").value.trim());
  byId("key-form").hidden = true;
  byId("key").value = "";
  catalogue.load();
});

/** The pill in the header. */
async function checkHealth() {
  let state = "down";
  let text = "Not answering";
  try {
    const { status } = await api.health();
    state = ["ok", "healthy"].includes(status) ? "ok" : "degraded";
    text = state === "ok" ? "Ready" : String(status);
  } catch (error) {
    if (error.status) text = "Not ready";
  }
  byId("health").dataset.state = state;
  byId("health-text").textContent = text;
}

count();
checkHealth();
setInterval(() => document.hidden || checkHealth(), HEALTH_MS);
catalogue.load();
