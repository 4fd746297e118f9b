import type { RequestMessage } from './message.js';

/** The parts of a target URI for derived components. Path and query are verbatim. */
export interface Target {
  readonly scheme: string;
  /** Normalised; `undefined` if it is empty or is no authority. */
  readonly authority: string | undefined;
  readonly path: string;
  /** With its question mark; empty if the target has none. */
  readonly query: string;
}

const HOST_AND_PORT = /^(\[[0-9a-f:.]+\]|[a-z0-9._~-]+)(?::([0-9]*))?$/;
const VISIBLE = /^[\x21\x22\x24-\x7e]+$/;
const ABSOLUTE = /^(https?):\/\/([^/?]*)([^?]*)(.*)/is;

/**
 * Lower case, without the default port of the scheme (RFC 9421 §2.2.3), and otherwise as given: a trailing dot or a
 * leading zero names another authority. `undefined` for anything but host and port, such as user information.
 *
 * @example normalizeAuthority('API.Acme.dev:443', 'https') // 'api.acme.dev'
 */
export function normalizeAuthority(authority: string, scheme: string): string | undefined {
  const found = HOST_AND_PORT.exec(authority.toLowerCase());
  if (found === null) return undefined;
  const [, host, port = ''] = found;
  const isDefault = port === '' || port === (scheme === 'https' ? '443' : '80');
  return isDefault ? host : `${host}:${port}`;
}

/**
 * Reconstructs the target URI (RFC 9112 §3.3). An absolute-form or authority-form target overrides Host. Dot segments,
 * doubled slashes and percent-encoding stay unchanged: the application may distinguish them, so the signature must.
 */
export function parseTarget(request: RequestMessage): Target | undefined {
  const { target, scheme } = request;
  // A fragment, a space or a control character is never part of a request-target (RFC 9112 §3.2).
  if (!VISIBLE.test(target)) return undefined;
  if (target.startsWith('/'))
    return { scheme, authority: normalizeAuthority(request.authority, scheme), ...split(target) };
  if (target === '*') return { scheme, authority: normalizeAuthority(request.authority, scheme), path: '', query: '' };
  const absolute = ABSOLUTE.exec(target);
  if (absolute !== null) {
    const [, written = '', authority = '', path = '', query = ''] = absolute;
    const own = written.toLowerCase();
    return { scheme: own, authority: normalizeAuthority(authority, own), path: path === '' ? '/' : path, query };
  }
  if (request.method !== 'CONNECT') return undefined;
  return { scheme, authority: normalizeAuthority(target, scheme), path: '', query: '' };
}

function split(target: string): { path: string; query: string } {
  const mark = target.indexOf('?');
  return mark === -1 ? { path: target, query: '' } : { path: target.slice(0, mark), query: target.slice(mark) };
}
