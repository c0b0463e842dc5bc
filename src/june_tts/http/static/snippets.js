// The same speech from a program: snippets that run as they stand, for this server and the chosen voice.

import { address, hasKey } from "./api.js";
import { byId, make } from "./dom.js";

const TEXT = "Good morning, the coffee is ready.";
const base = () => address().replace(/\/$/, "");

const SNIPPETS = {
  curl: (voice) => [
    `curl --fail-with-body ${base()}/v1/audio/speech \\`,
    ...(hasKey() ? ['  -H "Authorization: Bearer $JUNE_API_KEY" \\'] : []),
    "  -H 'Content-Type: application/json' \\",
    `  -d '{"input": ${JSON.stringify(TEXT)},`,
    `       "voice": ${JSON.stringify(voice)}, "response_format": "wav"}' \\`,
    "  -o hello.wav",
  ],
  Python: (voice) => [
    "import httpx",
    "",
    `body = ${dict({ input: TEXT, voice, response_format: "wav" })}`,
    ...(hasKey() ? ['headers = {"Authorization": "Bearer YOUR_KEY"}'] : ["headers = {}"]),
    `url = "${base()}/v1/audio/speech"`,
    'with httpx.stream("POST", url, json=body, headers=headers) as reply:',
    "    reply.raise_for_status()",
    '    with open("hello.wav", "wb") as file:',
    "        for chunk in reply.iter_bytes():  # arrives while it is being made",
    "            file.write(chunk)",
  ],
  OpenAI: (voice) => [
    "from openai import OpenAI",
    "",
    `client = OpenAI(base_url="${base()}/v1", api_key="${hasKey() ? "YOUR_KEY" : "none"}")`,
    "with client.audio.speech.with_streaming_response.create(",
    `    model="june", voice=${JSON.stringify(voice)}, input=${JSON.stringify(TEXT)}, response_format="wav",`,
    ") as reply:",
    '    reply.stream_to_file("hello.wav")',
  ],
};

const dict = (fields) =>
  `{${Object.entries(fields).map(([name, value]) => `${JSON.stringify(name)}: ${JSON.stringify(value)}`).join(", ")}}`;

export class Snippets {
  #voice = "";
  #name = Object.keys(SNIPPETS)[0];

  constructor() {
    byId("code-tabs").append(...Object.keys(SNIPPETS).map((name) => this.#tab(name)));
    byId("code-tabs").addEventListener("keydown", (event) => this.#arrows(event));
    byId("copy").addEventListener("click", () => copy());
    this.#show(this.#name);
  }

  update(voice) {
    this.#voice = voice;
    this.#show(this.#name);
  }

  #tab(name) {
    const tab = make("button", { type: "button", id: `tab-${name}` }, name);
    tab.setAttribute("role", "tab");
    tab.setAttribute("aria-controls", "code-panel");
    tab.addEventListener("click", () => this.#show(name));
    return tab;
  }

  #show(name) {
    this.#name = name;
    for (const tab of byId("code-tabs").children) {
      const chosen = tab.id === `tab-${name}`;
      tab.setAttribute("aria-selected", String(chosen));
      tab.tabIndex = chosen ? 0 : -1;
    }
    byId("code-panel").setAttribute("aria-labelledby", `tab-${name}`);
    byId("code").textContent = SNIPPETS[name](this.#voice).join("\n");
    byId("copy-status").textContent = "";
  }

  #arrows(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const names = Object.keys(SNIPPETS);
    this.#show(names[(names.indexOf(this.#name) + step + names.length) % names.length]);
    byId(`tab-${this.#name}`).focus();
    event.preventDefault();
  }
}

async function copy() {
  try {
    await navigator.clipboard.writeText(byId("code").textContent);
    said("Copied");
  } catch {
    getSelection().selectAllChildren(byId("code")); // no clipboard on plain http: it is marked, ready to copy
    said("Selected");
  }
}

function said(word) {
  byId("copy").textContent = word;
  byId("copy-status").textContent = `${word}.`;
  setTimeout(() => (byId("copy").textContent = "Copy"), 2000);
}
