import { createHash, randomUUID } from 'node:crypto';
import type { TestKey } from './keys.js';
import type { Field } from './signed-request.js';
import { type Claims, rawToken } from './tokens.js';

/** An agent that can delegate. */
export interface TestAgent {
  readonly id: string;
  readonly key: TestKey;
}

export interface LinkOptions {
  readonly audience: string;
  /** The parent as sent; absent: the agent's own rights. */
  readonly parent?: string | undefined;
  /** Instead of the right claims; undefined leaves one out. */
  readonly claims?: Claims;
  /** The same for the header. */
  readonly header?: Claims;
  /** Signs instead of the delegator. */
  readonly sign?: (input: Buffer) => Uint8Array;
}

/** A link as docs/reference/wire-profile.md has it, made of strings and node:crypto: nothing of ours takes part. */
export function linkOf(from: TestAgent, to: string, options: LinkOptions): string {
  const { audience, parent, claims = {}, header = {}, sign = (input: Buffer) => from.key.sign(input) } = options;
  const now = Math.floor(Date.now() / 1000);
  const payload = {
    iss: from.id,
    sub: to,
    aud: audience,
    scope: 'repo:read invoice:read',
    iat: now,
    // A second may begin between two links of one chain: the later must not outlive the earlier for that.
    exp: Math.min(now + 60, expiryOf(parent)),
    jti: randomUUID(),
    pth: parent === undefined ? undefined : hashOf(parent),
    ...claims,
  };
  const head = { typ: 'delegation+jwt', alg: 'EdDSA', kid: from.key.thumbprint, ...header };
  return rawToken(JSON.stringify(head), JSON.stringify(payload), sign);
}

/** The exp of the parent, unverified. */
function expiryOf(parent = ''): number {
  try {
    const { exp } = JSON.parse(Buffer.from(parent.split('.')[1] ?? '', 'base64url').toString()) as { exp?: unknown };
    return typeof exp === 'number' ? exp : Infinity;
  } catch {
    return Infinity;
  }
}

/** Links from each agent to the next, beginning with `parent`. */
export function linksThrough(
  agents: readonly TestAgent[],
  audience: string,
  parent?: string,
  claims: Claims = {},
): string[] {
  const links: string[] = [];
  for (const [index, from] of agents.slice(0, -1).entries()) {
    links.push(linkOf(from, agents[index + 1]?.id ?? '', { audience, parent: links.at(-1) ?? parent, claims }));
  }
  return links;
}

/** The field that carries them. */
export function delegationField(links: readonly string[]): Field {
  return ['Agent-Delegation', links.join(', ')];
}

export function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('base64url');
}
