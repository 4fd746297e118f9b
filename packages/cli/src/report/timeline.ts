import { type Html, html } from './html.js';
import type { Bin, TimeBins } from './time-bins.js';

const height = 120;

/** Bars over time: allowed below, denied hatched above. The scale is text beside it, and a table has the same numbers. */
export function timeline(bins: TimeBins): Html {
  const list = bins.list();
  const [first] = list;
  const last = list.at(-1);
  if (first === undefined || last === undefined) return html`<p>There is nothing to show over time.</p>`;
  const most = Math.max(...list.map(({ allowed, denied }) => allowed + denied));
  const width = inWords(bins.width);
  const label = `From ${iso(first.start)} to ${iso(last.start + bins.width)}: at most ${most} in ${width}. The table below says the same.`;
  return html`<p class="legend"><span>each bar: ${width}</span> <span>■ allowed</span> <span>▨ denied or refused</span></p>
<div class="timeline">
<div class="scale"><span>${most}</span><span>0</span></div>
<svg role="img" aria-label="${label}">
<defs><pattern id="hatch" width="4" height="4" patternUnits="userSpaceOnUse"><rect width="4" height="4" class="hatch-ground"/><path d="M0 4L4 0" class="hatch-line"/></pattern></defs>
${list.map((bin, at) => bars(bin, { at, of: list.length, most }))}
</svg>
<div class="ends"><time>${iso(first.start)}</time><time>${iso(last.start + bins.width)}</time></div>
</div>
<details><summary>The timeline as a table</summary><div class="scroll" role="region" aria-label="Table of the timeline" tabindex="0">
<table><caption class="unseen">Decisions in each ${width}</caption><thead><tr><th scope="col">from</th><th scope="col">allowed</th><th scope="col">denied or refused</th></tr></thead>
<tbody>${list.filter(({ allowed, denied }) => allowed + denied > 0).map(tableRow)}</tbody></table></div></details>`;
}

function tableRow({ start, allowed, denied }: Bin): Html {
  return html`<tr><td>${iso(start)}</td><td>${allowed}</td><td>${denied}</td></tr>`;
}

/** Widths in percent, heights in pixels, because stretching the drawing would stretch the hatching. */
function bars(
  { start, allowed, denied }: Bin,
  { at, of, most }: { readonly at: number; readonly of: number; readonly most: number },
): Html {
  if (allowed + denied === 0) return html``;
  const up = (allowed / most) * height;
  const more = (denied / most) * height;
  const x = percent((at + 0.1) / of);
  const width = percent(0.8 / of);
  const top = (height - up - more).toFixed(2);
  return html`<g><title>${iso(start)}: ${allowed} allowed, ${denied} denied or refused</title>
<rect class="bar-allowed" x="${x}" y="${(height - up).toFixed(2)}" width="${width}" height="${up.toFixed(2)}"/>
<rect class="bar-denied" fill="url(#hatch)" x="${x}" y="${top}" width="${width}" height="${more.toFixed(2)}"/></g>`;
}

function percent(part: number): string {
  return `${(part * 100).toFixed(3)}%`;
}

/** A wrong clock can give a time outside the range of a Date. */
function iso(time: number): string {
  const date = new Date(time);
  return Number.isNaN(date.getTime()) ? 'beyond all dates' : date.toISOString().replace('.000Z', 'Z');
}

function inWords(milliseconds: number): string {
  const units = [
    ['day', 86_400_000],
    ['hour', 3_600_000],
    ['minute', 60_000],
  ] as const;
  const [name, size] = units.find(([, length]) => milliseconds >= length) ?? (['second', 1000] as const);
  const count = milliseconds / size;
  return `${count} ${name}${count === 1 ? '' : 's'}`;
}
