// Results as JSON, with one entry of the long list on each line, so that a new run is a readable change.
export function toText(result, list) {
  const { [list]: entries, ...rest } = result;
  const head = JSON.stringify(rest, rounded, 2).replace(/\n}$/, '');
  const lines = entries.map((entry) => `    ${JSON.stringify(entry, rounded)}`);
  return `${head},\n  "${list}": [\n${lines.join(',\n')}\n  ]\n}\n`;
}

/** A replacer: five digits are more than any measurement has. */
export function rounded(_name, value) {
  return typeof value === 'number' ? Number(value.toPrecision(5)) : value;
}
