// What all parts of the page use.
export const at = (id) => document.getElementById(id);

// Three decimals, as rates are printed: .871, 1.000.
export const decimal = (value) => value.toFixed(3).replace(/^0/, "");

// An element with a text, never markup.
export function element(name, text = "", properties = {}) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(text);
  return made;
}
