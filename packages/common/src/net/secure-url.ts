import { isLoopback } from './loopback.js';

/** Where plain http is accepted besides https. */
export type PlainHttp = 'nowhere' | 'loopback' | 'anywhere';

export type SecureUrl =
  | { readonly ok: true; readonly url: URL }
  | { readonly ok: false; readonly problem: 'not_http' | 'has_credentials' | 'plain_http' };

/**
 * Reads an absolute URL to which something is sent, or from which something is believed: https, or plain http where the
 * caller accepts it, and no credentials, which would end up in logs. Never throws; the caller words the problem.
 */
export function secureUrl(text: unknown, plainHttp: PlainHttp): SecureUrl {
  const url = typeof text === 'string' && URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) return { ok: false, problem: 'not_http' };
  if (url.username !== '' || url.password !== '') return { ok: false, problem: 'has_credentials' };
  const accepted = plainHttp === 'anywhere' || (plainHttp === 'loopback' ? !crossesInClear(url) : !isPlain(url));
  return accepted ? { ok: true, url } : { ok: false, problem: 'plain_http' };
}

/** Whether what is sent to this http or https URL can be read on the way. Loopback never leaves the machine. */
export function crossesInClear(url: URL): boolean {
  return isPlain(url) && !isLoopback(url.hostname);
}

function isPlain(url: URL): boolean {
  return url.protocol !== 'https:';
}
