// The catalogue: the menu of the speak card and the list of the voices card.

import * as api from "./api.js";
import { byId, make, showError } from "./dom.js";

const names = new Intl.DisplayNames(["en"], { type: "language", fallback: "code" });

export class Catalogue extends EventTarget {
  #voices = [];

  get selected() {
    return byId("voice").value;
  }

  /** Read the catalogue again, keeping the choice where that voice is still there. */
  async load() {
    try {
      const { voices, current_voice: current } = await api.voices();
      const before = this.#voices.length ? this.selected : current;
      this.#voices = voices;
      showError(byId("voices-error"), null);
      if (!voices.length) return this.#nothing("There are none. Add one, or put a Piper voice in the voices folder.");
      this.#menu(before, current);
      this.#list();
    } catch (error) {
      const asked = error.status === 401; // the page asks for the key at its top: no need to complain here too
      if (!this.#voices.length) this.#nothing(asked ? "They are listed once the key is known." : "");
      showError(byId("voices-error"), asked ? null : error);
    }
  }

  select(id) {
    byId("voice").value = id;
    this.changed();
  }

  changed() {
    byId("voice").removeAttribute("aria-invalid");
    for (const button of byId("voice-list").querySelectorAll(".pick")) {
      button.setAttribute("aria-pressed", String(button.dataset.id === this.selected));
    }
    this.dispatchEvent(new Event("change"));
  }

  #nothing(why) {
    byId("voice").replaceChildren(make("option", { value: "" }, "No voice"));
    byId("voice").disabled = true;
    byId("voice-list").replaceChildren(make("p", { className: "quiet" }, why));
  }

  #menu(wanted, current) {
    const select = byId("voice");
    const ids = this.#voices.map((voice) => voice.voice_id);
    const groups = [...this.#groups()].map(([label, voices]) =>
      make("optgroup", { label }, ...voices.map((voice) => make("option", { value: voice.voice_id }, title(voice)))));
    select.replaceChildren(...groups);
    select.disabled = false;
    select.value = [wanted, current, ids[0]].find((id) => ids.includes(id)) ?? "";
  }

  #list() {
    const sections = [...this.#groups()].flatMap(([label, voices]) => [
      make("h3", {}, label), make("ul", {}, ...voices.map((voice) => this.#row(voice)))]);
    if (!this.#voices.some((voice) => voice.kind === "cloned")) {
      sections.push(make("h3", {}, "Cloned"), make("p", { className: "quiet" }, "None yet. Record or upload one."));
    }
    byId("voice-list").replaceChildren(...sections);
    byId("voice-count").textContent = String(this.#voices.length);
    this.changed();
  }

  /** Label to voices; the cloned ones first, as they are the reader's own. */
  #groups() {
    const groups = new Map();
    for (const voice of [...this.#voices].sort((a, b) => Number(b.kind === "cloned") - Number(a.kind === "cloned"))) {
      const label = group(voice);
      groups.set(label, [...(groups.get(label) ?? []), voice]);
    }
    return groups;
  }

  #row(voice) {
    const pick = make("button", { type: "button", className: "pick" },
      make("strong", {}, voice.name || voice.voice_id), make("small", {}, facts(voice)));
    pick.dataset.id = voice.voice_id;
    pick.addEventListener("click", () => this.select(voice.voice_id));
    const row = make("li", {}, pick);
    if (voice.kind === "cloned") row.append(this.#deleteButton(voice));
    return row;
  }

  #deleteButton(voice) {
    const button = make("button", { type: "button", className: "remove" }, "Delete");
    button.setAttribute("aria-label", `Delete ${voice.name || voice.voice_id}`);
    button.addEventListener("click", () => this.#confirm(voice, button));
    return button;
  }

  #confirm(voice, button) {
    const dialog = byId("confirm");
    byId("confirm-title").textContent = `Delete “${voice.name || voice.voice_id}”?`;
    dialog.returnValue = "keep";
    dialog.addEventListener("close", () => dialog.returnValue === "delete" && this.#remove(voice, button), { once: true });
    dialog.showModal();
  }

  async #remove(voice, button) {
    button.disabled = true;
    try {
      await api.remove(voice.voice_id);
      await this.load();
      byId("voices-status").textContent = `Deleted “${voice.name || voice.voice_id}”.`;
      byId("voice-list").querySelector(".pick")?.focus(); // the button that had the focus is gone
    } catch (error) {
      button.disabled = false;
      showError(byId("voices-error"), error);
    }
  }
}

function title({ name, voice_id: id }) {
  return name && name.toLowerCase() !== id.toLowerCase() ? `${name} · ${id}` : name || id;
}

function group(voice) {
  if (voice.kind === "cloned") return "Cloned";
  const [first, second, ...more] = (voice.languages ?? []).map((tag) => names.of(tag));
  const languages = [first, second, more.length && `${more.length} more`].filter(Boolean).join(", ");
  return [languages, voice.engine].filter(Boolean).join(" · ");
}

function facts(voice) {
  const made = voice.kind === "cloned" && voice.created_at;
  return [
    voice.voice_id,
    voice.sample_rate && `${voice.sample_rate / 1000} kHz`,
    voice.license,
    made && new Date(made).toLocaleDateString(),
  ].filter(Boolean).join(" · ");
}
