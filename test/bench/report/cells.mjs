// Finds measurements of a run by what they measure.
import { best, ratio, relativeSpread } from './statistics.mjs';

export const FEW = 10;
export const HOSTS = ['express', 'fastify', 'koa', 'node:http'];
export const CONNECTIONS = [16, 64];

export function reader({ cells, plan, verify }) {
  const usual = { links: 0, token: 'warm', connections: 16 };
  const find = (wanted) => {
    const all = { ...usual, ...wanted };
    const found = cells.find((cell) => Object.entries(all).every(([name, value]) => cell[name] === value));
    if (found === undefined) throw new Error(`not measured: ${JSON.stringify(all)}`);
    return found;
  };
  const bare = (host, connections = 16) => find({ host, stack: 'bare', connections });
  const guarded = (host, connections = 16) =>
    find({ host, stack: 'ours', audit: 'group', policies: FEW, connections, series: undefined });
  const rawVerify = Math.min(...verify);
  return {
    sizes: plan.sizes,
    rawVerify,
    bare,
    guarded,
    ours: (policies, audit) => find({ host: 'express', stack: 'ours', audit, policies, series: undefined }),
    peers: (policies, preparsed) => find({ stack: 'peers', policies, preparsed }),
    chain: (links, token) => find({ series: 'chains', links, token }),
    micros: (cell, thread) => Math.round(best(cell, thread)),
    /** What part of a guarded request a bare one costs; 1 would be a guard that costs nothing. */
    share: (host, connections, thread) => ratio(bare(host, connections), guarded(host, connections), thread),
    /** The largest difference between rounds of such a ratio, as a part of it. */
    spread: () =>
      Math.max(
        ...HOSTS.flatMap((host) => CONNECTIONS.map((at) => relativeSpread(bare(host, at), guarded(host, at), 'main'))),
      ),
    /** The CPU of the check, in raw Ed25519 verifications. */
    verifications: (host, connections) =>
      (best(guarded(host, connections), 'total') - best(bare(host, connections), 'total')) / rawVerify,
  };
}

/** `undefined` if every round of one of them was aborted. */
export function times(cell, other, thread = 'total') {
  const value = ratio(cell, other, thread);
  return Number.isNaN(value) ? undefined : value;
}
