import { createHash } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { emptyRoot, Frontier, leafHash, nodeHash } from '../src/merkle.js';
import { LeafHashes } from '../src/tree-proofs.js';
import { verifyConsistency, verifyInclusion } from '../src/verify-proofs.js';
import { readVector, vectorFolder, vectorsBelow } from './vectors.js';

/** The tree by its definition (RFC 6962 §2.1), to hold the others against. */
function rootByDefinition(leaves: readonly Buffer[]): Buffer {
  if (leaves.length <= 1) return leaves[0] ?? emptyRoot;
  let left = 1;
  while (left * 2 < leaves.length) left *= 2;
  return nodeHash(rootByDefinition(leaves.slice(0, left)), rootByDefinition(leaves.slice(left)));
}

const entries = (count: number): Buffer[] => Array.from({ length: count }, (_, n) => leafHash(Buffer.from(`${n}`)));

function treeOf(leaves: readonly Buffer[]): LeafHashes {
  const tree = new LeafHashes();
  for (const leaf of leaves) tree.push(leaf);
  return tree;
}

describe('a Merkle tree', () => {
  it('has the root of the definition at every size, also when continued from its frontier', () => {
    const leaves = entries(130);
    let frontier = new Frontier();
    for (const [index, leaf] of leaves.entries()) {
      frontier.push(leaf);
      expect(frontier.root().equals(rootByDefinition(leaves.slice(0, index + 1)))).toBe(true);
      frontier = new Frontier(frontier.size, frontier.hashes);
    }
    expect(frontier.hashes).toHaveLength(2);
  });

  it.each([0, 1, 930, 16_384, 32_767, 32_768, 50_000, 1_000_000])('hashes entries of %i bytes', (length) => {
    const entry = Buffer.alloc(length, 'entry');
    const expected = createHash('sha256').update('\0').update(entry).digest();
    // The one before must leave no trace.
    leafHash(Buffer.alloc(40_000, 'other'));
    expect(leafHash(entry).equals(expected)).toBe(true);
    const node = createHash('sha256').update('\u0001').update(entry).update(expected).digest();
    expect(nodeHash(entry, expected).equals(node)).toBe(true);
  });

  it('proves each leaf, and no other leaf, index, size or root', () => {
    const leaves = entries(70);
    const tree = treeOf(leaves);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 70 }), fc.nat({ max: 69 }), fc.nat(), (size, at, seed) => {
        const index = at % size;
        const root = rootByDefinition(leaves.slice(0, size));
        const proof = tree.inclusionProof(index, size);
        const good = { index, size, leaf: leaves[index]!, root, proof };
        expect(verifyInclusion(good)).toBe(true);
        expect(verifyInclusion({ ...good, leaf: leafHash(Buffer.from('other')) })).toBe(false);
        expect(verifyInclusion({ ...good, root: leafHash(Buffer.from('other')) })).toBe(false);
        expect(verifyInclusion({ ...good, index: size })).toBe(false);
        expect(verifyInclusion({ ...good, proof: [...proof, emptyRoot] })).toBe(false);
        if (size > 1) {
          expect(verifyInclusion({ ...good, index: (index + 1 + (seed % (size - 1))) % size })).toBe(false);
          expect(verifyInclusion({ ...good, proof: proof.slice(1) })).toBe(false);
        }
      }),
      { numRuns: 200 },
    );
  });

  it('proves each smaller tree as its prefix, and no other', () => {
    const leaves = entries(70);
    const tree = treeOf(leaves);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 70 }), fc.nat({ max: 69 }), (size2, less) => {
        const size1 = Math.max(1, size2 - less);
        const root1 = rootByDefinition(leaves.slice(0, size1));
        const root2 = rootByDefinition(leaves.slice(0, size2));
        const proof = tree.consistencyProof(size1, size2);
        const good = { size1, size2, root1, root2, proof };
        expect(verifyConsistency(good)).toBe(true);
        expect(verifyConsistency({ ...good, root1: emptyRoot })).toBe(false);
        expect(verifyConsistency({ ...good, root2: emptyRoot })).toBe(false);
        expect(verifyConsistency({ ...good, proof: [...proof, emptyRoot] })).toBe(false);
        if (size1 < size2) {
          expect(verifyConsistency({ ...good, root1: root2, root2: root1 })).toBe(false);
          expect(verifyConsistency({ ...good, proof: proof.slice(1) })).toBe(false);
        }
      }),
      { numRuns: 200 },
    );
  });

  it('supports sizes beyond 32 bits', () => {
    const size = 2 ** 40 + 1;
    const left = leafHash(Buffer.from('left'));
    const leaf = leafHash(Buffer.from('leaf'));
    const frontier = new Frontier(2 ** 40, [left]);
    frontier.push(leaf);
    expect(verifyInclusion({ index: 2 ** 40, size, leaf, root: frontier.root(), proof: [left] })).toBe(true);
    expect(verifyInclusion({ index: 2 ** 40 - 1, size, leaf, root: frontier.root(), proof: [left] })).toBe(false);
  });

  it.each([-1, 0.5, Number.NaN, 2 ** 60])('refuses %s as size and index', (wrong) => {
    const leaf = leafHash(Buffer.from('leaf'));
    expect(verifyInclusion({ index: wrong, size: 1, leaf, root: leaf, proof: [] })).toBe(false);
    expect(verifyInclusion({ index: 0, size: wrong, leaf, root: leaf, proof: [] })).toBe(false);
    expect(verifyConsistency({ size1: wrong, size2: wrong, root1: leaf, root2: leaf, proof: [] })).toBe(false);
  });
});

const folder = vectorFolder('tlog-merkle');
const bytes = (values: readonly string[] | null): Buffer[] => (values ?? []).map((one) => Buffer.from(one, 'base64'));
const hash = (value: string | null): Buffer => Buffer.from(value ?? '', 'base64');

interface InclusionVector {
  readonly leafIdx: number;
  readonly treeSize: number;
  readonly root: string;
  readonly leafHash: string;
  readonly proof: readonly string[] | null;
  readonly wantErr: boolean;
}

interface ConsistencyVector {
  readonly size1: number;
  readonly size2: number;
  readonly root1: string;
  readonly root2: string;
  readonly proof: readonly string[] | null;
  readonly wantErr: boolean;
}

interface BasicVectors {
  readonly emptyRoot: string;
  readonly emptyLeafHash: string;
  readonly leaf: { readonly data: string; readonly hash: string };
  readonly node: { readonly left: string; readonly right: string; readonly hash: string };
  readonly leafInputsHex: readonly string[];
  readonly rootsBySize0: readonly string[];
}

if (folder === undefined) {
  console.warn('MERKLE VECTORS DID NOT RUN: ../shared/vectors is missing beside the repository');
} else {
  describe('vectors of transparency-dev/merkle', () => {
    it('hashes and roots', () => {
      const vectors = readVector(`${folder}rfc6962-basic.json`) as BasicVectors;
      expect(emptyRoot.toString('hex')).toBe(vectors.emptyRoot);
      expect(leafHash(Buffer.alloc(0)).toString('hex')).toBe(vectors.emptyLeafHash);
      expect(leafHash(Buffer.from(vectors.leaf.data)).toString('hex')).toBe(vectors.leaf.hash);
      const { left, right, hash: joined } = vectors.node;
      expect(nodeHash(Buffer.from(left), Buffer.from(right)).toString('hex')).toBe(joined);
      const frontier = new Frontier();
      const roots = vectors.leafInputsHex.map((input) => {
        frontier.push(leafHash(Buffer.from(input, 'hex')));
        return frontier.root().toString('hex');
      });
      expect([emptyRoot.toString('hex'), ...roots]).toEqual(vectors.rootsBySize0);
    });

    it('inclusion proofs', () => {
      const vectors = vectorsBelow(`${folder}testdata/inclusion`);
      expect(vectors.length).toBeGreaterThan(90);
      for (const { name, value } of vectors) {
        const { leafIdx: index, treeSize: size, root, leafHash: leaf, proof, wantErr } = value as InclusionVector;
        const inclusion = { index, size, root: hash(root), leaf: hash(leaf), proof: bytes(proof) };
        expect([name, verifyInclusion(inclusion)]).toEqual([name, !wantErr]);
      }
    });

    it('consistency proofs', () => {
      const vectors = vectorsBelow(`${folder}testdata/consistency`);
      expect(vectors.length).toBeGreaterThan(90);
      for (const { name, value } of vectors) {
        const { size1, size2, root1, root2, proof, wantErr } = value as ConsistencyVector;
        const consistency = { size1, size2, root1: hash(root1), root2: hash(root2), proof: bytes(proof) };
        expect([name, verifyConsistency(consistency)]).toEqual([name, !wantErr]);
      }
    });
  });
}
