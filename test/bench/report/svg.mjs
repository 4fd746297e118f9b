// Small plots as SVG. They have a background of their own, so that they can be read on a dark page too.
const WIDTH = 680;
const ROW = 20;
const LEFT = 110;
const RIGHT = 60;
const COLOURS = ['#5b8def', '#e07b39', '#3f9b6c', '#9a6fb0'];

const text = (x, y, content, more = '') => `<text x="${round(x)}" y="${round(y)}"${more}>${content}</text>`;

function frame(height, title, parts) {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="12">`,
    `<rect width="${WIDTH}" height="${height}" fill="#fff"/>`,
    text(10, 20, title, ' font-size="14" font-weight="bold"'),
    ...parts,
    '</svg>',
    '',
  ].join('\n');
}

/** `groups`: `{ label, values }` from top to bottom; `names` of the values, one colour each. */
export function barChart({ title, names, groups }) {
  const most = Math.max(...groups.flatMap(({ values }) => values));
  const scale = (WIDTH - LEFT - RIGHT) / most;
  const parts = legend(names);
  let y = 56;
  for (const { label, values } of groups) {
    parts.push(text(10, y + (values.length * ROW) / 2 + 4, label));
    for (const [at, value] of values.entries()) {
      const width = round(Math.max(1, value * scale));
      parts.push(`<rect x="${LEFT}" y="${y + 2}" width="${width}" height="${ROW - 4}" fill="${COLOURS[at]}"/>`);
      parts.push(text(LEFT + width + 6, y + 14, Math.round(value)));
      y += ROW;
    }
    y += 10;
  }
  return frame(y, title, parts);
}

/** `lines`: `{ name, points }` with `[x, y]`. With `log`, both axes are logarithmic. */
export function lineChart({ title, lines, log = false, xTicks, yTicks, xLabel }) {
  const height = 300;
  const x = axis(xTicks, LEFT, WIDTH - RIGHT, log);
  const y = axis(yTicks, height - 50, 60, log);
  const parts = legend(lines.map(({ name }) => name));
  for (const tick of yTicks) {
    parts.push(`<path d="M${LEFT} ${y(tick)}H${WIDTH - RIGHT}" stroke="#ddd"/>`);
    parts.push(text(LEFT - 8, y(tick) + 4, grouped(tick), ' text-anchor="end"'));
  }
  for (const tick of xTicks) parts.push(text(x(tick), height - 30, grouped(tick), ' text-anchor="middle"'));
  parts.push(text((LEFT + WIDTH - RIGHT) / 2, height - 10, xLabel, ' text-anchor="middle"'));
  for (const [at, { points }] of lines.entries()) {
    const path = points.map(([px, py]) => `${x(px)} ${y(py)}`).join('L');
    parts.push(`<path d="M${path}" fill="none" stroke="${COLOURS[at]}" stroke-width="2"/>`);
  }
  return frame(height, title, parts);
}

/** From the first to the last tick, onto `from` to `to`. */
function axis(ticks, from, to, log) {
  const place = log ? Math.log : Number;
  const [low, high] = [place(ticks[0]), place(ticks.at(-1))];
  return (value) => round(from + ((place(value) - low) / (high - low)) * (to - from));
}

function legend(names) {
  return names.flatMap((name, at) => [
    `<rect x="${LEFT + at * 140}" y="32" width="10" height="10" fill="${COLOURS[at]}"/>`,
    text(LEFT + at * 140 + 16, 41, name),
  ]);
}

/** Round ticks from 0 to at least `most`. */
export function linearTicks(most) {
  const power = 10 ** Math.floor(Math.log10(most / 4));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => candidate * 5 >= most);
  return Array.from({ length: Math.ceil(most / step) + 1 }, (_, at) => at * step);
}

/** Powers of ten around the values. */
export function logTicks(values) {
  const low = Math.floor(Math.log10(Math.min(...values)));
  const high = Math.ceil(Math.log10(Math.max(...values)));
  return Array.from({ length: high - low + 1 }, (_, at) => 10 ** (low + at));
}

function grouped(number) {
  return number.toLocaleString('en-US');
}

function round(number) {
  return Math.round(number * 10) / 10;
}
