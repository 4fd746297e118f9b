import { deflateSync } from 'node:zlib';
import { describe, expect, it, vi } from 'vitest';
import { maxInflatedBytes } from '../../../src/stages/revocation/status-list-token.js';
import { createStatusLists } from '../../../src/stages/revocation/status-lists.js';
import { readIssuers, type IssuerOptions } from '../../../src/stages/token/issuers.js';
import type { VerifiedToken } from '../../../src/stages/token/token-verifier.js';
import { local, startServer, type TestServer } from '../../remote/json-server.js';
import { claims as tokenClaims, issuer, newIssuerKey, now } from '../token/tokens.js';
import { packed, statusListToken } from './status-list-tokens.js';

const key = newIssuerKey('Ed25519');

function trusted(options: Partial<IssuerOptions> = local, name = issuer) {
  return readIssuers([{ issuer: name, jwks: { keys: [key.jwk] }, ...options }]).get(name)!;
}

/** A verified token that refers to an entry of a list. */
function token(uri: string, index: number, options?: Partial<IssuerOptions>): VerifiedToken {
  const claims = {
    issuer,
    subject: tokenClaims.sub,
    audience: [tokenClaims.aud],
    expiresAt: now + 300,
    scope: [],
    priorActors: [],
    statusReference: { uri, index },
  };
  return { claims, namespace: '', client: undefined, issuer: trusted(options), hash: '' };
}

type Answer = Extract<TestServer['answer'], (...parameters: never) => unknown>;

/** A server of one list, whose `sub` is always the requested address. */
function lists(claims: object = {}, type = 'application/statuslist+jwt'): Answer {
  return (request, response) => {
    const sub = `http://${request.headers.host}${request.url}`;
    const list = { bits: 2, lst: packed(2, [0, 1, 2, 3]) };
    const text = statusListToken(key, { sub, iat: now, ttl: 300, status_list: list, ...claims });
    response.setHeader('content-type', type);
    response.end(text);
  };
}

/** So many bytes that are no list. */
function noList(bytes: number): Answer {
  return (_request, response) => {
    response.setHeader('content-type', 'application/statuslist+jwt');
    response.end(Buffer.alloc(bytes, 'e'));
  };
}

function zeros(bytes: number): string {
  return deflateSync(Buffer.alloc(bytes)).toString('base64url');
}

/** A token of another issuer, with the same key. */
function tenantsToken(uri: string): VerifiedToken {
  return { ...token(uri, 0), issuer: trusted(local, 'https://id.tenant.example') };
}

async function codeOf(
  verified: VerifiedToken,
  at: number = now,
  statusLists = createStatusLists({ clockSkewSeconds: 5 }),
) {
  return (await statusLists.problem(verified, at))?.code ?? 'ok';
}

describe('a token that refers to a status list', () => {
  it('is accepted only at status 0, and the list is fetched once [B11]', async () => {
    const server = await startServer(lists());
    const statusLists = createStatusLists({ clockSkewSeconds: 5 });
    const verdicts = await Promise.all(
      [0, 1, 2, 3, 0].map((index) => codeOf(token(`${server.url}1`, index), now, statusLists)),
    );
    expect(verdicts).toEqual(['ok', 'token_revoked', 'token_revoked', 'token_revoked', 'ok']);
    expect(server.requests).toBe(1);
  });

  it('is refused beyond the end of the list, until a later fetch finds the list longer [B11]', async () => {
    const server = await startServer(lists());
    const statusLists = createStatusLists({ clockSkewSeconds: 5 });
    for (const index of [4, 5, Number.MAX_SAFE_INTEGER])
      expect(await codeOf(token(`${server.url}1`, index), now, statusLists)).toBe('token_invalid');
    expect(server.requests).toBe(1);
    server.answer = lists({ status_list: { bits: 2, lst: packed(2, [0, 1, 2, 3, 0, 0, 0, 0]) } });
    expect(await codeOf(token(`${server.url}1`, 4), now + 31, statusLists)).toBe('ok');
  });

  it('is accepted without a reference', async () => {
    const { claims, ...rest } = token('https://id.example/1', 0);
    const { statusReference: _, ...plain } = claims;
    expect(await codeOf({ ...rest, claims: plain })).toBe('ok');
  });

  it('requests the media type, without compression', async () => {
    const seen: Record<string, unknown>[] = [];
    const answer = lists();
    const server = await startServer((request, response) => {
      seen.push(request.headers);
      answer(request, response);
    });
    await codeOf(token(`${server.url}1`, 0));
    expect(seen).toMatchObject([{ accept: 'application/statuslist+jwt', 'accept-encoding': 'identity' }]);
  });

  it('is verified with the keys of its own issuer when two issuers share an address', async () => {
    const server = await startServer(lists());
    const statusLists = createStatusLists({ clockSkewSeconds: 5 });
    const theirs = readIssuers([
      { issuer: 'https://id.evil.example', jwks: { keys: [newIssuerKey('Ed25519').jwk] }, ...local },
    ]).get('https://id.evil.example')!;
    expect(await codeOf(token(`${server.url}1`, 0), now, statusLists)).toBe('ok');
    expect(await codeOf({ ...token(`${server.url}1`, 0), issuer: theirs }, now, statusLists)).toBe(
      'revocations_unavailable',
    );
  });
});

describe('createStatusLists reports an outage [B11]', () => {
  it.each<[string, Answer]>([
    ['for a list about another address', lists({ sub: 'https://id.example/statuslists/2' })],
    ['for an expired list', lists({ exp: now - 6 })],
    ['for a zip bomb', lists({ status_list: { bits: 1, lst: zeros(maxInflatedBytes + 1) } })],
    ['for another media type', lists({}, 'application/jwt')],
    ['for a server error', (_request, response) => response.writeHead(500).end()],
    ['for a redirect', (_request, response) => response.writeHead(302, { location: 'https://id.example/' }).end()],
    ['for a closed connection', (request) => request.socket.destroy()],
    ['for a switch of protocols', ({ socket }) => void socket.end('HTTP/1.1 101 Switching Protocols\r\n\r\n')],
    ['for an endless answer', noList(4 * 1024 ** 2 + 1)],
  ])('%s', async (_title, answer) => {
    const server = await startServer(answer);
    expect(await codeOf(token(`${server.url}1`, 0))).toBe('revocations_unavailable');
  });
});

describe('the address of a list [A14]', () => {
  it.each<[string, Partial<IssuerOptions>]>([
    ['http://id.example/1', {}],
    ['https://127.0.0.1/1', {}],
    ['https://169.254.169.254/latest', {}],
    ['https://[::ffff:7f00:1]/1', {}],
    ['https://user:secret@id.example/1', {}],
    ['ftp://id.example/1', local],
    ['urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6', local],
    ['/statuslists/1', local],
    ['http://127.0.0.1:1/1', { dangerouslyAllowHttp: true }],
  ])('is refused without a request when it is %s', async (uri, options) => {
    expect(await codeOf(token(uri, 0, options))).toBe('token_invalid');
  });
});

describe('the cached lists', () => {
  it('are bounded in number by evicting the least recently used', async () => {
    const server = await startServer(lists());
    const statusLists = createStatusLists({ clockSkewSeconds: 5 });
    const ask = (number: number) => codeOf(token(`${server.url}${number}`, 0), now, statusLists);
    for (let number = 0; number < 257; number++) expect(await ask(number)).toBe('ok');
    expect(server.requests).toBe(257);
    await ask(1);
    await ask(256);
    expect(server.requests).toBe(257);
    await ask(0);
    expect(server.requests).toBe(258);
    // Only the list is evicted, not its time of issue: an older list is still refused.
    server.answer = lists({ iat: now - 1 });
    expect(await ask(2)).toBe('revocations_unavailable');
    expect(await ask(1000)).toBe('ok');
  });

  it('are bounded in bytes by evicting the least recently used', async () => {
    const server = await startServer(lists({ status_list: { bits: 1, lst: zeros(maxInflatedBytes) } }));
    const statusLists = createStatusLists({ clockSkewSeconds: 5 });
    for (let number = 1; number <= 9; number++) await codeOf(token(`${server.url}${number}`, 0), now, statusLists);
    expect(server.requests).toBe(9);
    await codeOf(token(`${server.url}9`, 0), now, statusLists);
    expect(server.requests).toBe(9);
    await codeOf(token(`${server.url}1`, 0), now, statusLists);
    expect(server.requests).toBe(10);
  });
});

describe('an issuer that names many lists', () => {
  const outage = 'revocations_unavailable';
  const large = noList(4_000_000);

  it('has at most 13 new ones under way at once, and the others get an outage, while another issuer is served [B11]', async () => {
    const held: (() => void)[] = [];
    const answer = lists();
    const server = await startServer((request, response) => {
      const send = (): void => answer(request, response);
      if (request.url?.startsWith('/slow')) held.push(send);
      else send();
    });
    const statusLists = createStatusLists({ clockSkewSeconds: 5 });
    const ask = (path: string) => codeOf(tenantsToken(`${server.url}${path}`), now, statusLists);
    const pending = Array.from({ length: 13 }, (_, number) => ask(`slow${number}`));
    expect(await ask('new')).toBe(outage);
    expect(await codeOf(token(`${server.url}other`, 0), now, statusLists)).toBe('ok');
    await vi.waitFor(() => expect(held).toHaveLength(13));
    for (const release of held) release();
    expect(await Promise.all(pending)).toEqual(pending.map(() => 'ok'));
    expect(await ask('new')).toBe('ok');
  });

  it('gets an outage for each new one after 48 MiB, until a MiB for each second has passed [B11]', async () => {
    const server = await startServer(large);
    const statusLists = createStatusLists({ clockSkewSeconds: 5 });
    const requestsAfter = async (number: number, at = now) => {
      expect(await codeOf(tenantsToken(`${server.url}${number}`), at, statusLists)).toBe(outage);
      return server.requests;
    };
    for (let number = 1; number <= 13; number++) expect(await requestsAfter(number)).toBe(number);
    expect([await requestsAfter(14), await requestsAfter(15)]).toEqual([13, 13]);
    expect([await requestsAfter(16, now + 1), await requestsAfter(17, now + 5)]).toEqual([13, 14]);
    expect(await requestsAfter(18, now + 5)).toBe(14);
    server.answer = lists();
    expect(await codeOf(token(`${server.url}other`, 0), now, statusLists)).toBe('ok');
  });

  it('keeps the lists that it has while new ones are refused [B11]', async () => {
    const server = await startServer(lists({ ttl: 100 }));
    const statusLists = createStatusLists({ clockSkewSeconds: 5 });
    const ask = (path: string, at = now) => codeOf(tenantsToken(`${server.url}${path}`), at, statusLists);
    await ask('own');
    server.answer = large;
    for (let number = 0; number < 100; number++) await ask(`${number}`, now + 100);
    expect(await ask('new', now + 100)).toBe(outage);
    server.answer = lists();
    expect(await ask('own', now + 100)).toBe('ok');
  });

  it('evicts no list of another issuer [B11]', async () => {
    const server = await startServer(lists());
    const statusLists = createStatusLists({ clockSkewSeconds: 5 });
    await codeOf(token(`${server.url}mine`, 0), now, statusLists);
    for (let number = 0; number < 257; number++) {
      await codeOf(tenantsToken(`${server.url}${number}`), now, statusLists);
    }
    expect(server.requests).toBe(258);
    await codeOf(token(`${server.url}mine`, 0), now, statusLists);
    expect(server.requests).toBe(258);
  });
});
