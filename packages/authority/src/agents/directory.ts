import { numberOf, sql, type Statement, type Store } from '../storage/store.js';
import { mayAct, type RegisteredAgent, type RegisteredKey } from './agent.js';

/** A JWK Set (RFC 7517 §5). */
export interface JwkSet {
  readonly keys: readonly Readonly<Record<string, unknown>>[];
}

/** As many as may count at once. */
const mostPublished = 16;

/**
 * The keys that count now or later. Those that count longest, because an agent may replace its keys so often that all that
 * ended in the period would fill the directory. Without a key the name stays taken.
 */
function publishedKeys({ keys }: RegisteredAgent, now: number): readonly RegisteredKey[] {
  const usable = keys.filter(({ expiresAt }) => expiresAt === undefined || now < expiresAt);
  if (usable.length <= mostPublished) return usable;
  return usable.toSorted((one, other) => endOf(other) - endOf(one) || 0).slice(0, mostPublished);
}

function endOf({ expiresAt = Infinity }: { readonly expiresAt?: number }): number {
  return expiresAt;
}

/** The keys of agents that may act now, for the HTTP Message Signatures Directory of Web Bot Auth, and until when that is so. */
export function signatureDirectory(
  agents: readonly RegisteredAgent[],
  now: number,
): JwkSet & { readonly until: number } {
  const acting = agents.filter((agent) => mayAct(agent, now));
  const keys = acting.flatMap((agent) => agent.keys.filter((key) => now < endOf(key)));
  const until = [...acting, ...keys].reduce((soonest, each) => Math.min(soonest, endOf(each)), Infinity);
  return { keys: keys.map(publishedKey), until };
}

/** An agent in the signed directory that guards follow: docs/reference/agent-directory.md. */
export interface PublishedAgent extends JwkSet {
  readonly [member: string]: unknown;
}

/**
 * The agents for the signed directory. What ends by itself is in it with the moment at which it ends, so that the
 * directory is the same until somebody changes an agent. A revoked agent is only a name, which stays taken. A workload is
 * not in it while it may act, because no issuer can vouch for a key of an agent that a directory knows.
 */
export function publishedAgents(agents: readonly RegisteredAgent[], now: number): readonly PublishedAgent[] {
  const listed = agents.filter(({ workload, status }) => workload !== true || status !== 'active');
  return listed.map((agent) => {
    const { id, status, owner, capabilities, roles, tags, expiresAt } = agent;
    if (status === 'revoked') return { agent_id: id, status, keys: [] };
    return {
      agent_id: id,
      status,
      ...(owner !== undefined && { owner }),
      capabilities,
      roles: roles.map(({ name, until }) => (until === undefined ? name : { name, until })),
      tags,
      ...(expiresAt !== undefined && { expires: expiresAt }),
      keys: publishedKeys(agent, now).map(publishedKey),
    };
  });
}

function publishedKey({ jwk, thumbprint, notBefore, expiresAt }: RegisteredKey): Readonly<Record<string, unknown>> {
  return {
    ...jwk,
    kid: thumbprint,
    use: 'sig',
    ...(notBefore !== undefined && { nbf: notBefore }),
    ...(expiresAt !== undefined && { exp: expiresAt }),
  };
}

/**
 * Makes the next version of the published directory: the last statement of every change of agents or keys, so that no
 * transaction waits for another while it holds the version. Never below the time: a database that was restored from a
 * backup goes on above every version that was published before. In milliseconds, so that many changes do not run ahead of it.
 */
export function directoryChange(): Statement {
  const least = Date.now();
  return sql`UPDATE countersign_directory SET version = CASE WHEN version < ${least} THEN ${least} ELSE version + 1 END`;
}

/** The version of the published directory. It grows with every change of agents and keys. */
export async function directoryVersion(store: Store): Promise<number> {
  const [row] = await store.run(sql`SELECT version FROM countersign_directory`);
  return row === undefined ? 0 : numberOf(row, 'version');
}
