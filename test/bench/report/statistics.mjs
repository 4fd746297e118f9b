// Numbers from rounds. A round without a value (an abort) is null and is left out.
function median(numbers) {
  const sorted = numbers.toSorted((one, other) => one - other);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** The least CPU time of the rounds, or the most requests per second: what the machine's other work disturbs least. */
export function best({ rounds }, name) {
  const values = rounds.filter((round) => round !== null).map((round) => round[name]);
  return name === 'perSecond' ? Math.max(...values) : Math.min(...values);
}

/** The median of the ratios within each round, which a busy minute disturbs less than either number. */
export function ratio(cell, other, name) {
  return median(ratios(cell, other, name));
}

/** How far the ratios of the rounds lie apart, as a part of their median. */
export function relativeSpread(cell, other, name) {
  const all = ratios(cell, other, name);
  return (Math.max(...all) - Math.min(...all)) / median(all);
}

function ratios(cell, other, name) {
  const pairs = cell.rounds.map((round, at) => [round, other.rounds[at]]).filter((pair) => !pair.includes(null));
  return pairs.map(([one, two]) => one[name] / two[name]);
}

/**
 * A series by quarter, each as one number. Of the heap that is the least, as garbage that waits for its collection does not
 * count; of all else the mean.
 */
export function quarters(series, name) {
  const values = series.map((sample) => sample[name]);
  const summarise = name === 'heapMiB' ? least : mean;
  const bounds = [0, 1, 2, 3, 4].map((quarter) => Math.round((quarter * values.length) / 4));
  return [0, 1, 2, 3].map((quarter) => summarise(values.slice(bounds[quarter], bounds[quarter + 1])));
}

function least(values) {
  return Math.min(...values);
}

function mean(values) {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
