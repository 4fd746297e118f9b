// The tables of the page.
import { best } from './statistics.mjs';
import { CONNECTIONS, HOSTS, times } from './cells.mjs';

export const CHAINS = [0, 1, 3];

export function table(head, rows) {
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

/** Two digits that mean something. */
export function digits(value) {
  if (value === undefined) return 'aborted';
  return value >= 10 ? Math.round(value).toLocaleString('en-US') : value.toFixed(value >= 1 ? 1 : 2);
}

const count = (value) => (Number.isFinite(value) ? Math.round(value).toLocaleString('en-US') : 'aborted');

export function hostsTable(run) {
  const rows = HOSTS.flatMap((host) =>
    CONNECTIONS.map((connections) => {
      const bare = run.bare(host, connections);
      const guarded = run.guarded(host, connections);
      const pair = (name) => `${count(best(bare, name))} → ${count(best(guarded, name))}`;
      return [
        host,
        connections,
        pair('main'),
        digits(run.share(host, connections, 'main')),
        pair('total'),
        digits(run.share(host, connections, 'total')),
        digits(run.verifications(host, connections)),
        pair('perSecond'),
      ];
    }),
  );
  const head = ['host', 'connections', 'main thread, µs', 'bare ÷ guarded', 'all threads, µs', 'bare ÷ guarded'];
  return table([...head, 'check, in verifications', 'requests/s'], rows);
}

export function peersTable(run) {
  const rows = run.sizes.map((size) => {
    const ours = run.ours(size, 'group');
    const [parsing, preparsed] = [run.peers(size, false), run.peers(size, true)];
    return [
      size.toLocaleString('en-US'),
      ...[ours, run.ours(size, 'memory'), parsing, preparsed].map((cell) => count(best(cell, 'total'))),
      digits(times(parsing, ours)),
      digits(times(preparsed, ours)),
    ];
  });
  const head = ['policies', 'Countersign, log on disk', 'log in memory', 'libraries', 'libraries, preparsed'];
  return table([...head, 'libraries ÷ Countersign', 'preparsed ÷ Countersign'], rows);
}

export function chainsTable(run) {
  const rows = CHAINS.map((links) => {
    const [warm, cold] = ['warm', 'cold'].map((token) => run.chain(links, token));
    const micros = [warm, cold].flatMap((cell) => [best(cell, 'main'), best(cell, 'total')].map(count));
    return [links, ...micros, digits(times(cold, warm))];
  });
  return table(['links', 'warm, main µs', 'warm, all µs', 'cold, main µs', 'cold, all µs', 'cold ÷ warm'], rows);
}

/** The aims, each with what was measured; `atLeast` or `atMost`. */
export function aimsTable(run, others) {
  const rows = [...hostAims(run), ...peersAims(run), ...others].map(({ aim, atLeast, atMost, value }) => {
    const met = value === undefined ? 'aborted' : value >= (atLeast ?? -Infinity) && value <= (atMost ?? Infinity);
    const bound = atMost === undefined ? `at least ${atLeast}` : `at most ${atMost}`;
    return [aim, bound, digits(value), met === 'aborted' ? met : met ? 'met' : '**missed**'];
  });
  return table(['aim', 'bound', 'measured', ''], rows);
}

function hostAims(run) {
  const share = (connections, thread) => run.share('express', connections, thread);
  const main = 'Express, bare ÷ guarded, main thread';
  const check = 'check on `node:http`, in verifications';
  return [
    { aim: `${main}, 16 connections`, atLeast: 0.5, value: share(16, 'main') },
    { aim: `${main}, 64 connections`, atLeast: 0.6, value: share(64, 'main') },
    { aim: 'Express, bare ÷ guarded, all threads, 16 connections', atLeast: 0.37, value: share(16, 'total') },
    { aim: `${check}, 16 connections`, atMost: 2.6, value: run.verifications('node:http', 16) },
    { aim: `${check}, 64 connections`, atMost: 2.1, value: run.verifications('node:http', 64) },
  ];
}

const PEERS_AIMS = new Map([
  [10, 3.5],
  [1000, 45],
  [10000, 600],
]);

function peersAims(run) {
  return run.sizes.map((size) => ({
    aim: `libraries ÷ Countersign, CPU at ${size.toLocaleString('en-US')} policies`,
    atLeast: PEERS_AIMS.get(size),
    value: times(run.peers(size, false), run.ours(size, 'group')),
  }));
}
