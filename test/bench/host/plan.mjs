// Which servers there are, and which measurements make a round.
const HOSTS = ['express', 'fastify', 'koa', 'node:http'];
const CONNECTIONS = [16, 64];
const CHAINS = [0, 1, 3];
const FEW = 10;

/** `requests` and `milliseconds`: what ends a measurement, whichever comes first. `warmUp`: requests before round 1. */
export const plans = {
  full: { rounds: 5, requests: 2500, milliseconds: 3000, warmUp: 6000, peersWarmUp: 2500, sizes: [FEW, 1000, 10000] },
  quick: { rounds: 2, requests: 700, milliseconds: 1500, warmUp: 1500, peersWarmUp: 700, sizes: [FEW, 1000] },
};

const bare = (host) => ({ host, stack: 'bare' });
const ours = (host, policies, audit = 'group') => ({ host, stack: 'ours', audit, policies });
const peers = (policies, preparsed) => ({ host: 'express', stack: 'peers', policies, preparsed });
const warm = { links: 0, token: 'warm' };

/** A measurement: a server, and the load on it. Measurements of one server share it, if they name it alike. */
export function measurements({ sizes }) {
  const onHosts = HOSTS.flatMap((host) =>
    CONNECTIONS.flatMap((connections) =>
      [bare(host), ours(host, FEW)].map((server) => ({ ...server, connections, ...warm })),
    ),
  );
  const bySize = sizes.flatMap((size) => [
    ...(size === FEW ? [] : [ours('express', size)]),
    ours('express', size, 'memory'),
    peers(size, false),
    peers(size, true),
  ]);
  // A server of its own: tokens that are never seen again would push warm ones out of the caches of the others.
  const byChain = CHAINS.flatMap((links) =>
    ['warm', 'cold'].map((token) => ({ ...ours('express', FEW), series: 'chains', connections: 16, links, token })),
  );
  return [...onHosts, ...bySize.map((server) => ({ ...server, connections: 16, ...warm })), ...byChain];
}

export function serverName({ host, stack, audit, policies, preparsed, series }) {
  const parts = [host, stack, audit, policies && `${policies} policies`, preparsed && 'preparsed', series];
  return parts.filter(Boolean).join(', ');
}
