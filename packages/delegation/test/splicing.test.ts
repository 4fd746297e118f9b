import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { delegatedChain, type DelegatedChainOptions, type VerifiedLink } from '../src/delegated-chain.js';
import { parentHash } from '../src/link.js';
import { agentNamed, claimsWith, linkWith } from './support.js';

const NAMES = ['agent-0', 'agent-1', 'agent-2', 'agent-3'];

type Root = DelegatedChainOptions['root'];
const tokenOf = (sub: string): Root => ({
  token: claimsWith({ sub, client_id: 'console', jti: `for-${sub}`, scope: 'repo' }),
  tokenHash: parentHash(`token-for-${sub}`),
});
// One agent acts for itself, and for two people.
const ROOTS: readonly Root[] = [{}, tokenOf('user_1'), tokenOf('user_2')];
const FIRST = 'agent-1';

/** A link in the tree, and the links from the root to it. */
interface Node {
  readonly link: VerifiedLink;
  readonly root: Root;
  readonly path: readonly VerifiedLink[];
}

/** Every agent delegates all its rights to others, which delegate further: a tree below each root. */
const trees = fc
  .array(fc.record({ parent: fc.nat(), to: fc.nat() }), { minLength: 2, maxLength: 12 })
  .map((specs) => specs.reduce(grow, []));

function grow(nodes: readonly Node[], spec: { readonly parent: number; readonly to: number }): readonly Node[] {
  const index = spec.parent % (ROOTS.length + nodes.length);
  const parent = nodes[index - ROOTS.length];
  const root = parent?.root ?? ROOTS[index] ?? {};
  const iss = parent?.link.claims.subject ?? FIRST;
  const others = NAMES.filter((name) => name !== iss);
  const pth = parent?.link.hash ?? root.tokenHash;
  const jti = `link-${nodes.length}`;
  const claims = linkWith({ iss, sub: others[spec.to % others.length], jti, scope: 'repo', pth });
  const link = { claims, hash: parentHash(jti), delegator: agentNamed(iss) };
  return [...nodes, { link, root, path: [...(parent?.path ?? []), link] }];
}

describe('links of many chains', () => {
  it('form only the chains in which they were issued [C2, C3]', () => {
    const pick = fc.tuple(fc.nat(), fc.nat(), fc.nat());
    fc.assert(
      fc.property(
        trees,
        fc.nat(),
        fc.array(pick, { maxLength: 2 }),
        fc.nat(5),
        fc.nat(7),
        (tree, start, edits, r, a) => {
          const node = tree[start % tree.length] as Node;
          // A real path, with links removed or replaced, and perhaps another root or actor.
          const links = [...node.path];
          for (const [at, remove, put] of edits) {
            const instead = put % 2 === 0 ? [] : [(tree[put % tree.length] as Node).link];
            links.splice(at % (links.length + 1), remove % 2, ...instead);
          }
          const root = ROOTS[r] ?? node.root;
          const last = links.at(-1);
          const actor = agentNamed(NAMES[a] ?? last?.claims.subject ?? FIRST);
          const given = tree.some(
            (one) =>
              one.root === root && one.path.length === links.length && one.path.every((link, i) => link === links[i]),
          );

          const result = delegatedChain({ root, links, actor, maxDepth: 99 });
          if (links.length === 0) return;
          const ids = [root.token?.subject, FIRST, ...links.map((link) => link.claims.subject)];
          const once = new Set(ids).size === ids.length;
          expect(result.ok).toBe(given && once && actor.id === last?.claims.subject);
        },
      ),
      { numRuns: 1000 },
    );
  });
});
