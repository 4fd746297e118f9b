import { heightAt, labelPlaces, wayAt } from './chain-labels.js';
import { type ChainLayout, type Edge, layOut, type Node } from './chain-layout.js';
import type { ChainPath, ChainPaths } from './chain-paths.js';
import { type Html, html } from './html.js';

const mostListed = 200;

const node = { width: 190, height: 46 };
const step = { x: 300, y: 62 };
const margin = 8;

/** The most frequent chains as a graph, and as an equivalent list in words. */
export function chainSection(chains: ChainPaths): Html {
  const paths = chains.list();
  if (paths.length === 0) return html`<p>No decision names a chain.</p>`;
  const layout = layOut(paths);
  const listed = paths.slice(0, mostListed);
  const counted = paths.length - listed.length;
  return html`<p class="legend"><span>━ proved by signature</span> <span>╌ asserted by the issuer</span> <span>✓ allowed</span> <span>✗ denied</span></p>
${layout.drawn === paths.length ? html`` : html`<p>Drawn are ${layout.drawn} of ${paths.length} chains with their actions; the list has more.</p>`}
<div class="scroll graph" role="region" aria-label="Graph of the chains" tabindex="0">${draw(layout)}</div>
<details class="chains"><summary>The chains as a list (${paths.length})</summary>
<div class="scroll" role="region" aria-label="List of the chains" tabindex="0"><table><caption class="unseen">Chains, the most frequent first</caption><thead><tr><th scope="col">chain</th><th scope="col">action</th><th scope="col">allowed</th><th scope="col">denied</th></tr></thead>
<tbody>${listed.map(row)}</tbody></table></div>
${counted + chains.others === 0 ? html`` : html`<p>And ${counted} more${chains.others === 0 ? '' : `, and ${chains.others} decisions by chains that were not told apart`}.</p>`}
</details>`;
}

function row({ members, action, allowed, denied }: ChainPath): Html {
  const chain = members.map(({ id, type }) => (type === 'user' ? `${id} (user)` : id)).join(' → ');
  return html`<tr><td>${chain}</td><td>${action}</td><td data-label="allowed">${allowed}</td><td data-label="denied">${denied}</td></tr>`;
}

function draw({ columns, edges }: ChainLayout): Html {
  const rows = Math.max(...columns.map((column) => column.length));
  const width = (columns.length - 1) * step.x + node.width + 2 * margin;
  const height = (rows - 1) * step.y + node.height + 2 * margin;
  const label = `${columns.flat().length} users, agents and actions; the list below says the same in words.`;
  return html`<svg role="img" aria-label="${label}" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">
${edges.map(drawEdge)}${drawLabels(edges)}${columns.flat().map((one) => drawNode(one, edges))}</svg>`;
}

function drawNode(one: Node, edges: readonly Edge[]): Html {
  const { x, y } = place(one);
  const rounding = one.kind === 'user' ? node.height / 2 : one.kind === 'agent' ? 6 : 0;
  const incoming = edges.filter(({ to }) => to === one);
  const counts = countsOf(incoming.length > 0 ? incoming : edges.filter(({ from }) => from === one));
  return html`<g class="node ${one.kind}"><title>${one.kind} ${one.name}: ${counts}</title>
<rect x="${x}" y="${y}" width="${node.width}" height="${node.height}" rx="${rounding}"/>
<text x="${x + node.width / 2}" y="${y + 20}" class="name">${short(one.name)}</text>
<text x="${x + node.width / 2}" y="${y + 36}" class="kind">${one.kind} · ${counts}</text></g>`;
}

function countsOf(edges: readonly Edge[]): string {
  const allowed = edges.reduce((sum, edge) => sum + edge.allowed, 0);
  const denied = edges.reduce((sum, edge) => sum + edge.denied, 0);
  return [allowed > 0 ? `${allowed} ✓` : '', denied > 0 ? `${denied} ✗` : ''].filter((part) => part !== '').join('  ');
}

function drawEdge(edge: Edge): Html {
  const { x1, y1, x2, y2 } = ends(edge);
  const middle = (x1 + x2) / 2;
  const width = Math.min(6, 1.5 + Math.log10(edge.allowed + edge.denied)).toFixed(1);
  const way = `M${x1} ${y1}C${middle} ${y1} ${middle} ${y2} ${x2} ${y2}`;
  return html`<path class="edge ${proofClass(edge)}${isNeverAllowed(edge) ? ' never' : ''}" d="${way}" stroke-width="${width}"><title>${edge.from.name} to ${edge.to.name}: ${proofText(edge)}</title></path>`;
}

/** Only if nothing was ever allowed: labels on more edges would overlap. */
function drawLabels(edges: readonly Edge[]): readonly Html[] {
  const places = labelPlaces(edges.filter(isNeverAllowed), edges);
  return [...places].map(([edge, at]) => {
    const { x1, x2 } = ends(edge);
    const y = margin + heightAt(edge, at) * step.y + node.height / 2;
    return html`<text class="count" x="${(x1 + (x2 - x1) * wayAt(at)).toFixed(1)}" y="${(y + 4).toFixed(1)}">${countsOf([edge])}</text>`;
  });
}

function isNeverAllowed({ allowed }: Edge): boolean {
  return allowed === 0;
}

function place({ column, row }: Node): { readonly x: number; readonly y: number } {
  return { x: margin + column * step.x, y: margin + row * step.y };
}

function ends({ from, to }: Edge): { x1: number; y1: number; x2: number; y2: number } {
  const start = place(from);
  const end = place(to);
  return { x1: start.x + node.width, y1: start.y + node.height / 2, x2: end.x, y2: end.y + node.height / 2 };
}

function proofClass({ proof }: Edge): string {
  return proof === 'issuer' ? 'asserted' : proof === 'signature' ? 'signed' : 'acted';
}

function proofText(edge: Edge): string {
  const how = { asserted: 'asserted by the issuer', signed: 'proved by signature', acted: 'the action' };
  return `${how[proofClass(edge) as keyof typeof how]}, ${edge.allowed} allowed, ${edge.denied} denied`;
}

function short(name: string): string {
  const characters = Array.from(name);
  return characters.length <= 24 ? name : `${characters.slice(0, 23).join('')}…`;
}
