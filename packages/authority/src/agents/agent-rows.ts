import { optionalNumber, optionalText, numberOf, type Row, textOf } from '../storage/store.js';
import type { AgentRole, AgentStatus, RegisteredAgent, RegisteredKey } from './agent.js';
import type { ReadFacts } from './read-agent.js';

/** How facts are written in the columns of `countersign_agents`. */
export function columnsOf({ owner, capabilities, roles, tags, expiresAt, name, redirectUris }: ReadFacts): {
  readonly owner: string | null;
  readonly capabilities: string;
  readonly roles: string;
  readonly tags: string;
  readonly name: string | null;
  readonly redirect_uris: string;
  readonly expires_at: number | null;
} {
  return {
    owner: owner ?? null,
    capabilities: JSON.stringify(capabilities),
    roles: JSON.stringify(roles),
    // With space around each, so that LIKE finds whole tags.
    tags: ` ${tags.join(' ')} `,
    name: name ?? null,
    redirect_uris: JSON.stringify(redirectUris),
    expires_at: expiresAt ?? null,
  };
}

/** The agents of a join with their keys: one row for each key, those of an agent in a row. */
export function agentsOf(rows: readonly Row[]): readonly RegisteredAgent[] {
  const agents = new Map<string, RegisteredAgent & { readonly keys: RegisteredKey[] }>();
  for (const row of rows) {
    const id = textOf(row, 'id');
    const agent = agents.get(id) ?? agentOf(row, id);
    agents.set(id, agent);
    if (row['thumbprint'] !== null) agent.keys.push(keyOf(row));
  }
  return [...agents.values()];
}

function agentOf(row: Row, id: string): RegisteredAgent & { readonly keys: RegisteredKey[] } {
  const owner = optionalText(row, 'owner');
  const status = textOf(row, 'status') as AgentStatus;
  const expiresAt = optionalNumber(row, 'expires_at');
  const name = optionalText(row, 'name');
  const seenAt = optionalNumber(row, 'seen_at');
  return {
    id,
    ...(owner !== undefined && { owner }),
    capabilities: JSON.parse(textOf(row, 'capabilities')) as string[],
    roles: JSON.parse(textOf(row, 'roles')) as AgentRole[],
    tags: textOf(row, 'tags')
      .split(' ')
      .filter((tag) => tag !== ''),
    status,
    ...(status === 'suspended' && {
      suspendedBy: textOf(row, 'stopped_by')
        .split(',')
        .filter((name) => name !== ''),
    }),
    ...(expiresAt !== undefined && { expiresAt }),
    ...(name !== undefined && { name }),
    redirectUris: JSON.parse(textOf(row, 'redirect_uris')) as string[],
    keys: [],
    ...(numberOf(row, 'workload') === 1 && { workload: true as const }),
    ...(seenAt !== undefined && { seenAt }),
    createdAt: numberOf(row, 'created_at'),
  };
}

function keyOf(row: Row): RegisteredKey {
  const notBefore = optionalNumber(row, 'not_before');
  const expiresAt = optionalNumber(row, 'key_expires_at');
  return {
    thumbprint: textOf(row, 'thumbprint'),
    jwk: { kty: 'OKP', crv: 'Ed25519', x: textOf(row, 'x') },
    ...(notBefore !== undefined && { notBefore }),
    ...(expiresAt !== undefined && { expiresAt }),
  };
}
