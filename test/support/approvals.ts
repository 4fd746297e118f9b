import { createHash } from 'node:crypto';
import { SignJWT } from 'jose';
import type { Claims, TestIssuer } from './tokens.js';

/** Approvals, written from docs/reference/approvals.md alone, so that a mistake in our own cannot hide the same mistake here. */
export interface Ask {
  readonly binding: string;
  readonly request: Readonly<Record<string, unknown>>;
  readonly issuers: readonly string[];
  readonly url?: string;
  readonly reason?: string;
}

/** What a refusal asks people. */
export function askIn(body: string): Ask {
  return (JSON.parse(body) as { readonly approval: Ask }).approval;
}

/** base64url SHA-256 of RFC 8785, of values without numbers that RFC 8785 would write in another way. */
export function bindingOf(request: unknown): string {
  return createHash('sha256').update(sorted(request)).digest('base64url');
}

function sorted(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(sorted).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.entries(value).toSorted(([one], [other]) => (one < other ? -1 : 1));
  return `{${members.map(([name, each]) => `${JSON.stringify(name)}:${sorted(each)}`).join(',')}}`;
}

/** Someone who approves. */
export function person(id: string, change: Claims = {}): Claims {
  return { id, groups: ['release-managers'], decided_at: seconds(), ...change };
}

/** An approval of what was asked, by one release manager; undefined removes a claim. */
export async function approvalOf(
  { binding, request }: Pick<Ask, 'binding' | 'request'>,
  by: TestIssuer,
  change: Claims = {},
  header: Claims = {},
): Promise<string> {
  const now = seconds();
  const claims = {
    iss: by.issuer,
    aud: request['audience'],
    jti: crypto.randomUUID(),
    binding,
    asked_at: now - 30,
    iat: now,
    exp: now + 120,
    approvers: [person('user_42')],
    ...change,
  };
  const given = Object.fromEntries(Object.entries(claims).filter(([, value]) => value !== undefined));
  return await new SignJWT(given)
    .setProtectedHeader({ typ: 'approval+jwt', alg: by.algorithm, kid: by.kid, ...header })
    .sign(by.privateKey);
}

export function seconds(): number {
  return Math.floor(Date.now() / 1000);
}
