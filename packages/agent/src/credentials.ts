import { credentialFields, crossesInClear } from '@countersign/common';
import { AgentError } from './agent-error.js';

/** The credentials with which an agent acts for others: a token of an issuer, links of other agents, or both. */
export interface Credentials {
  readonly token?: string;
  /** In order, from the first delegator. */
  readonly links: readonly string[];
}

/**
 * Adds the token as RFC 6750 §2.1 says, and the links as a List of Tokens (RFC 9651 §3.1). Two tokens or two chains in
 * one request would be ambiguous.
 */
export function addCredentials(headers: Headers, { token, links }: Credentials): void {
  if (token !== undefined) addOnce(headers, 'authorization', `Bearer ${token}`);
  if (links.length > 0) addOnce(headers, 'agent-delegation', links.join(', '));
}

function addOnce(headers: Headers, name: string, value: string): void {
  if (headers.has(name)) {
    throw new AgentError(
      'credential_conflict',
      `A token or bundle was given, and the header ${name} was given too. Use one.`,
    );
  }
  headers.set(name, value);
}

/** RFC 6750 §5.3: a bearer token is sent over TLS only. Loopback never leaves the machine. */
export function refuseInsecureCredential(url: URL, headers: Headers): void {
  if (!crossesInClear(url)) return;
  const carried = credentialFields.find((name) => headers.has(name));
  if (carried === undefined) return;
  throw new AgentError(
    'insecure_credential',
    `The ${carried} header would cross the network in clear: ${url.origin} is not https. (dangerouslyAllowHttp sends it.)`,
  );
}
