// The few DOM shorthands that every module of the page uses.

export const byId = (id) => document.getElementById(id);

/** Make an element. Props are set as properties; children may be nodes or text, never HTML. */
export function make(tag, props = {}, ...children) {
  const node = Object.assign(document.createElement(tag), props);
  node.append(...children);
  return node;
}

/** Show a refusal where it belongs, or hide it again when there is none. */
export function showError(node, error) {
  node.replaceChildren();
  node.hidden = !error;
  if (!error) return;
  node.append(error.message);
  if (error.requestId) node.append(make("small", {}, `request ${error.requestId}`));
}

export const seconds = (value, digits = 2) => `${value.toFixed(digits)} s`;
