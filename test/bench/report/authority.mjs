// The part of the page about the authority.
import { table } from './tables.mjs';

const STORES = { sqlite: 'SQLite', postgres: 'Postgres' };
const WAYS = {
  client_credentials: '`client_credentials`',
  challenge: 'the signed challenge, two requests',
  exchange: 'token exchange for a user',
};

/** The best round of each: tokens per second, CPU for one, and milliseconds until it listens. */
export function bestOfAuthority({ rounds }) {
  return Object.fromEntries(
    storesIn(rounds).map((store) => {
      const of = (way, name) => rounds.map((round) => round[store][way][name]);
      const ways = Object.keys(WAYS).flatMap((way) => [
        [`${way} per second`, Math.round(Math.max(...of(way, 'perSecond')))],
        [`${way} cpu`, Math.round(Math.min(...of(way, 'cpu')))],
      ]);
      return [
        store,
        Object.fromEntries([...ways, ['start', Math.round(Math.min(...rounds.map((round) => round[store].start)))]]),
      ];
    }),
  );
}

export function authorityTable(authority) {
  const best = bestOfAuthority(authority);
  const stores = storesIn(authority.rounds);
  const rows = Object.entries(WAYS).map(([way, name]) => [
    name,
    ...stores.flatMap((store) => [best[store][`${way} per second`], best[store][`${way} cpu`]]),
  ]);
  const head = stores.flatMap((store) => [`${STORES[store]}, tokens/s`, 'CPU, µs']);
  return table(['token by', ...head], rows);
}

export function startSentence(authority) {
  const best = bestOfAuthority(authority);
  const times = storesIn(authority.rounds).map((store) => `${best[store].start} ms on ${STORES[store]}`);
  return `\`countersign authority\` listens ${times.join(', and ')} after its process was started.`;
}

function storesIn(rounds) {
  return Object.keys(STORES).filter((store) => rounds.every((round) => store in round));
}
