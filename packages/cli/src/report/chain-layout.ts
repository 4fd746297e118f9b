import type { ChainPath, Member } from './chain-paths.js';

export interface Node {
  readonly column: number;
  readonly kind: 'user' | 'agent' | 'action';
  readonly name: string;
  /** Its position in the column, from the top. */
  row: number;
}

export interface Edge {
  readonly from: Node;
  readonly to: Node;
  /** The proof of the hop; `action` for the last step. */
  readonly proof: string;
  allowed: number;
  denied: number;
}

export interface ChainLayout {
  /** The number of paths in it. */
  readonly drawn: number;
  readonly columns: readonly (readonly Node[])[];
  readonly edges: readonly Edge[];
}

/** A larger graph would be unreadable. */
const mostInColumn = 12;

/**
 * Lays out as many paths as fit, in columns: users, then agents by their distance from the user, and each action right of
 * its agent. Every edge leads from one column to the next.
 */
export function layOut(paths: readonly ChainPath[]): ChainLayout {
  const columns: Node[][] = [];
  const nodes = new Map<string, Node>();
  const edges = new Map<string, Edge>();

  const nodeAt = (column: number, kind: Node['kind'], name: string): Node => {
    const key = JSON.stringify([column, kind, name]);
    const known = nodes.get(key);
    if (known !== undefined) return known;
    const place = (columns[column] ??= []);
    const node: Node = { column, kind, name, row: place.length };
    place.push(node);
    nodes.set(key, node);
    return node;
  };
  const count = (from: Node, to: Node, proof: string, { allowed, denied }: ChainPath): void => {
    const key = JSON.stringify([from.column, from.kind, from.name, to.kind, to.name, proof]);
    const edge = edges.get(key) ?? { from, to, proof, allowed: 0, denied: 0 };
    edges.set(key, { ...edge, allowed: edge.allowed + allowed, denied: edge.denied + denied });
  };

  const hasRoom = ({ column, kind, name }: Stop): boolean =>
    nodes.has(JSON.stringify([column, kind, name])) || (columns[column]?.length ?? 0) < mostInColumn;

  let drawn = 0;
  for (const path of paths) {
    const stops = stopsOf(path);
    if (!stops.every(hasRoom)) continue;
    drawn += 1;
    const way = stops.map(({ column, kind, name }) => nodeAt(column, kind, name));
    way.reduce((from, to, at) => {
      count(from, to, path.members[at]?.proof ?? 'action', path);
      return to;
    });
  }
  const whole = Array.from({ length: columns.length }, (_, at) => columns[at] ?? []);
  sortRows(whole, [...edges.values()]);
  return { drawn, columns: whole, edges: [...edges.values()] };
}

type Stop = Pick<Node, 'column' | 'kind' | 'name'>;

/** An agent that acts for itself is in the column of a user's first agent. */
function stopsOf({ members, action }: ChainPath): readonly Stop[] {
  const start = members[0]?.type === 'user' ? 0 : 1;
  const stops = members.map((member, at): Stop => ({ column: start + at, kind: kindOf(member), name: member.id }));
  return [...stops, { column: start + members.length, kind: 'action', name: action }];
}

/** Puts nodes near their predecessors, so that fewer edges cross. */
function sortRows(columns: Node[][], edges: readonly Edge[]): void {
  for (const column of columns) {
    const wanted = new Map(column.map((node) => [node, meanRow(node, edges)]));
    column.sort((a, b) => (wanted.get(a) ?? 0) - (wanted.get(b) ?? 0));
    for (const [row, node] of column.entries()) node.row = row;
  }
}

function meanRow(node: Node, edges: readonly Edge[]): number {
  const rows = edges.filter(({ to }) => to === node).map(({ from }) => from.row);
  return rows.length === 0 ? node.row : rows.reduce((sum, row) => sum + row, 0) / rows.length;
}

function kindOf({ type }: Member): Node['kind'] {
  return type === 'user' ? 'user' : 'agent';
}
