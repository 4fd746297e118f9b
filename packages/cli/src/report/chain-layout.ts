import type { ChainPath, Member } from './chain-paths.js';

export interface Node {
  readonly column: number;
  readonly kind: 'user' | 'agent' | 'action';
  readonly name: string;
  /** Its place in the column, from the top. */
  row: number;
}

export interface Edge {
  readonly from: Node;
  readonly to: Node;
  /** How the hop was proved; `action` for the last step. */
  readonly proof: string;
  allowed: number;
  denied: number;
}

export interface ChainLayout {
  readonly columns: readonly (readonly Node[])[];
  readonly edges: readonly Edge[];
}

/**
 * Puts ways into columns: users, then agents as far from the user as they are, each action right of the agent that
 * did it. Every edge leads from one column to the next.
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

  for (const path of paths) {
    // An agent that acts for itself stands where the first agent of a user stands.
    const start = path.members[0]?.type === 'user' ? 0 : 1;
    const members = path.members.map((member, at) => nodeAt(start + at, kindOf(member), member.id));
    const action = nodeAt(start + members.length, 'action', path.action);
    [...members, action].reduce((from, to, at) => {
      count(from, to, path.members[at]?.proof ?? 'action', path);
      return to;
    });
  }
  const whole = Array.from({ length: columns.length }, (_, at) => columns[at] ?? []);
  sortRows(whole, [...edges.values()]);
  return { columns: whole, edges: [...edges.values()] };
}

/** Nodes near those that lead to them: fewer edges cross. */
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
