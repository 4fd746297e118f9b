import { AgentError } from './agent-error.js';

/** Fields that carry a credential: the signature must cover them, and they must not cross the network in clear. */
export const credentialFields: readonly string[] = ['authorization', 'agent-delegation', 'agent-approval'];

/** Adds the token as RFC 6750 §2.1 says. Two tokens in one request would leave open which one counts. */
export function addBearer(headers: Headers, token: string): void {
  if (headers.has('authorization')) {
    throw new AgentError(
      'credential_conflict',
      'withToken() was used and an Authorization header was given too. Use one.',
    );
  }
  headers.set('authorization', `Bearer ${token}`);
}

/** RFC 6750 §5.3: a bearer token is sent over TLS only. Loopback never leaves the machine. */
export function refuseInsecureCredential(url: URL, headers: Headers): void {
  if (url.protocol === 'https:' || isLoopback(url.hostname)) return;
  const carried = credentialFields.find((name) => headers.has(name));
  if (carried === undefined) return;
  throw new AgentError(
    'insecure_credential',
    `The ${carried} header would cross the network in clear: ${url.origin} is not https. (dangerouslyAllowHttp sends it.)`,
  );
}

function isLoopback(hostname: string): boolean {
  return /^(?:(?:.+\.)?localhost|127(?:\.\d{1,3}){3}|\[::1\])$/.test(hostname);
}
