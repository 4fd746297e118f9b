import { linkVector } from './links.js';
import { api, tokenOf } from './principals.js';

/** A request that a client must not sign. */
export interface RefusedCase {
  readonly name: string;
  /** A client has a list of origins. The agent in TypeScript has none. */
  readonly code:
    | 'url_unsupported'
    | 'origin_not_allowed'
    | 'insecure_credential'
    | 'credential_conflict'
    | 'already_signed'
    | 'host_mismatch'
    | 'body_too_large'
    | 'request_malformed';
  readonly origins: readonly string[];
  readonly method: string;
  readonly url: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body?: string;
  readonly token?: string;
  readonly links?: readonly string[];
  readonly maxBodyBytes?: number;
  readonly cover?: readonly string[];
}

type Given = Partial<RefusedCase> & Pick<RefusedCase, 'code'>;

const bearer = ['Authorization', `Bearer ${tokenOf()}`] as const;
const { link } = linkVector('its own right');

const given: Readonly<Record<string, Given>> = {
  'a relative URL': { code: 'url_unsupported', url: '/repos' },
  'a URL of another scheme': { code: 'url_unsupported', url: 'ftp://api.acme.dev/' },
  'a URL of WebSocket': { code: 'url_unsupported', url: 'wss://api.acme.dev/' },
  'a URL with user name and password': { code: 'url_unsupported', url: 'https://user:secret@api.acme.dev/' },
  'a URL with a user name that looks like the host': {
    code: 'url_unsupported',
    url: 'https://api.acme.dev@evil.example/',
  },
  'another host': { code: 'origin_not_allowed', url: 'https://evil.example/' },
  'a host below': { code: 'origin_not_allowed', url: 'https://x.api.acme.dev/' },
  'a host that begins alike': { code: 'origin_not_allowed', url: 'https://api.acme.dev.evil.example/' },
  'another port': { code: 'origin_not_allowed', url: 'https://api.acme.dev:8443/' },
  'another scheme': { code: 'origin_not_allowed', url: 'http://api.acme.dev/' },
  'a token over plain http': http('http://api.acme.dev', { token: tokenOf() }),
  'a token of the caller over plain http': http('http://api.acme.dev', { headers: [bearer] }),
  'a link over plain http': http('http://api.acme.dev', { links: [link] }),
  'an approval over plain http': http('http://api.acme.dev', { headers: [['Agent-Approval', 'a.b.c']] }),
  'a token to a name that begins like loopback': http('http://127.0.0.1.evil.example', { token: tokenOf() }),
  'a token to a name below localhost': http('http://api.localhost', { token: tokenOf() }),
  'a token to all addresses of this machine': http('http://0.0.0.0:3000', { token: tokenOf() }),
  'two tokens': { code: 'credential_conflict', token: tokenOf(), headers: [bearer] },
  'a token, and a password': {
    code: 'credential_conflict',
    token: tokenOf(),
    headers: [['authorization', 'Basic dTpw']],
  },
  'two chains': { code: 'credential_conflict', links: [link], headers: [['agent-delegation', link]] },
  'a signature of another': { code: 'already_signed', headers: [['signature', 'sig=:AA==:']] },
  'half a signature of another': { code: 'already_signed', headers: [['Signature-Input', 'sig=()']] },
  'another Host': { code: 'host_mismatch', headers: [['Host', 'evil.example']] },
  'a Host with another port': { code: 'host_mismatch', headers: [['Host', 'api.acme.dev:8443']] },
  'a body over the limit': { code: 'body_too_large', method: 'POST', body: 'MTIzNDU=', maxBodyBytes: 4 },
  'a header with a line end': { code: 'request_malformed', headers: [['X-Note', 'a\r\nX-Evil: 1']] },
  'a header with a line feed': { code: 'request_malformed', headers: [['X-Note', 'a\nb']] },
  'a header with a zero byte': { code: 'request_malformed', headers: [['X-Note', 'a\u0000b']] },
  'a header beyond one byte': { code: 'request_malformed', headers: [['X-Note', 'a\u0394']] },
  'a covered field that is not ASCII': {
    code: 'request_malformed',
    cover: ['x-note'],
    headers: [['X-Note', 'Gr\u00fc\u00dfe']],
  },
  'a name that is no field name': { code: 'request_malformed', headers: [['X Note', 'a']] },
  'no name': { code: 'request_malformed', headers: [['', 'a']] },
  'a method that is no token': { code: 'request_malformed', method: 'GET / HTTP/1.1' },
  'no method': { code: 'request_malformed', method: '' },
};

function http(origin: string, more: Partial<RefusedCase>): Given {
  return { code: 'insecure_credential', origins: [origin], url: `${origin}/`, ...more };
}

export const refusedCases: readonly RefusedCase[] = Object.entries(given).map(([name, one]) => ({
  name,
  origins: [api],
  method: 'GET',
  url: `${api}/`,
  headers: [],
  ...one,
}));

/** A guard refuses these targets: a client resolves them before it signs, or refuses them. */
export const unsafeTargets = [
  '/a/../b',
  '/a/./b',
  '/a/%2e%2e/b',
  '/a/.%2E/b',
  '/a/%2e/b',
  '/..',
  '/a\\b',
  '/a/..\\b',
  '/a/..%2fb',
  '/a%2F%2e/b',
  '/a/.%2e%5Cb',
  '/a%5c..',
  '/a/..;x/b',
  '/a/%2e%2e%3Bx',
];

export const tokens = {
  accepted: [tokenOf(), 'a', 'opaque-token_1.~+/==', 'A='],
  refused: ['', 'a b', ' a', 'a\r\nX-Evil: 1', 'Bearer a', '\u00e4', '=a', 'a=b', 'a,b', '"a"'],
};

/** refused-requests.json: what a client must not sign or send. */
export function refusedVectors(): object {
  return { requests: refusedCases, targets: unsafeTargets, tokens };
}
