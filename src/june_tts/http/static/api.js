// Every call to the server. Addresses are relative, so the page also works behind a path prefix.

const KEY = "june.api_key";
let apiKey = stored();

/** A refusal, with the sentence the server gave for it. Status 0: no answer came at all. */
export class ApiError extends Error {
  constructor(status, message, { param = null, code = null, requestId = null } = {}) {
    super(message);
    Object.assign(this, { status, param, code, requestId });
  }
}

export const address = (path = "") => new URL(path, document.baseURI).href;
export const hasKey = () => apiKey !== "";

/** Keep the key for this tab: in sessionStorage, or in memory where the browser forbids storage. */
export function setKey(key) {
  apiKey = key;
  try {
    sessionStorage.setItem(KEY, key);
  } catch { /* storage is blocked: the key lives as long as the page */ }
}

function stored() {
  try {
    return sessionStorage.getItem(KEY) ?? "";
  } catch {
    return "";
  }
}

export async function voices() {
  return (await call("api/voices")).json();
}

export async function health() {
  return (await call("health")).json();
}

/** Start speech. Resolves with the body stream (s16le mono, 24 kHz) once the server has begun to answer. */
export async function speech(wish, signal) {
  const body = JSON.stringify({ model: "june", response_format: "pcm", ...wish });
  const headers = { "Content-Type": "application/json" };
  return (await call("v1/audio/speech", { method: "POST", headers, body, signal })).body;
}

export async function clone(form) {
  return (await call("api/voices/clone", { method: "POST", body: form })).json();
}

export async function remove(id) {
  await call(`api/voices/${encodeURIComponent(id)}`, { method: "DELETE" });
}

async function call(path, options = {}) {
  const headers = new Headers(options.headers);
  if (apiKey) headers.set("Authorization", `Bearer ${apiKey}`);
  let response;
  try {
    response = await fetch(address(path), { cache: "no-store", ...options, headers });
  } catch (bad) {
    if (bad.name === "AbortError") throw bad;
    throw new ApiError(0, "The server does not answer. Is it still running?");
  }
  if (response.ok) return response;
  const error = await refusal(response);
  if (error.status === 401) document.dispatchEvent(new CustomEvent("june:unauthorized", { detail: error }));
  throw error;
}

async function refusal(response) {
  const requestId = response.headers.get("x-request-id");
  const text = await response.text();
  let body = {};
  try {
    body = JSON.parse(text) ?? {};
  } catch { /* a proxy may answer with a page of its own: the status line must do */ }
  const { param, code } = body.error ?? {};
  return new ApiError(response.status, sentence(body, response), { param, code, requestId });
}

function sentence(body, response) {
  if (body.error?.message) return body.error.message;
  if (typeof body.detail === "string") return body.detail;
  if (Array.isArray(body.detail)) return body.detail.map((item) => item.msg).join(". ");
  return `The server answered ${response.status} ${response.statusText}`.trim();
}
