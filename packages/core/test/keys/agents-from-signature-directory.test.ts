import { createPrivateKey, sign } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { ConfigError } from '@countersign/common';
import {
  agentsFromSignatureDirectory,
  type SignatureDirectoryOptions,
} from '../../src/keys/agents-from-signature-directory.js';
import type { AgentDirectory } from '../../src/keys/directory.js';
import { readPublicKey } from '../../src/keys/ed25519-key.js';
import type { AgentsRefresh } from '../../src/keys/remote-directory.js';
import { local, startServer, type TestServer } from '../remote/json-server.js';
import { newEd25519Key, type TestKey } from './test-keys.js';

const one = newEd25519Key();
const two = newEd25519Key();
const now = 1_800_000_000;
const mediaType = 'application/http-message-signatures-directory+json';

function thumbprintOf(key: TestKey): string {
  const read = readPublicKey(key.jwk);
  return read.ok ? read.thumbprint : 'none';
}

interface Signed {
  readonly label?: string;
  /** As the response says which authority it was asked at. Default: the one it was asked at. */
  readonly authority?: string;
  readonly components?: string;
  readonly parameters?: string;
  readonly tag?: string;
}

/** Signed by hand, after RFC 9421 §2.5: independent of the package that verifies. */
function signature(
  key: TestKey,
  { host, url }: { readonly host: string; readonly url: string },
  signed: Signed = {},
): { input: string; value: string } {
  const { label = 'sig1', authority = host, components = '("@authority";req)' } = signed;
  const { parameters = `created=${now - 10};expires=${now + 300}`, tag = 'http-message-signatures-directory' } = signed;
  const covered = `${components};${parameters};keyid="${thumbprintOf(key)}";alg="ed25519";tag="${tag}"`;
  const { pathname, search } = new URL(url, `http://${host}`);
  const values: Readonly<Record<string, string>> = {
    '@authority': authority,
    '@path': pathname,
    '@query': search,
    '@target-uri': `http://${host}${url}`,
  };
  const lines = [...components.matchAll(/"([^"]+)";req/g)].map(([line, name = '']) => `${line}: ${values[name]}`);
  const base = [...lines, `"@signature-params": ${covered}`].join('\n');
  const bytes = sign(null, Buffer.from(base), createPrivateKey({ key: key.privateJwk, format: 'jwk' }));
  return { input: `${label}=${covered}`, value: `${label}=:${bytes.toString('base64')}:` };
}

type Signer = readonly [key: TestKey, signed?: Signed];

function answer(keys: readonly unknown[], signers: readonly Signer[], type = mediaType): TestServer['answer'] {
  return ({ headers: { host = '' }, url = '' }, response) => {
    const made = signers.map(([key, signed]) => signature(key, { host, url }, signed));
    response.setHeader('content-type', type);
    if (made.length > 0) {
      response.setHeader('signature-input', made.map(({ input }) => input).join(', '));
      response.setHeader('signature', made.map(({ value }) => value).join(', '));
    }
    response.end(JSON.stringify({ keys }));
  };
}

async function start(
  served: TestServer['answer'],
  options: Partial<SignatureDirectoryOptions> = {},
): Promise<{ server: TestServer; agents: AgentDirectory; refreshes: AgentsRefresh[]; at: (seconds: number) => void }> {
  const server = await startServer(served);
  const refreshes: AgentsRefresh[] = [];
  let seconds = 0;
  const agents = agentsFromSignatureDirectory(server.url, {
    id: 'crawler',
    capabilities: ['page:read'],
    ...local,
    clock: () => (now + seconds) * 1000,
    onRefresh: (result) => refreshes.push(result),
    ...options,
  });
  return {
    server,
    agents,
    refreshes,
    at: (value) => {
      seconds = value;
    },
  };
}

/** The answer for a key that no other source knows. */
async function kindOf(agents: AgentDirectory, key: TestKey): Promise<string> {
  const lookup = await agents.findByThumbprint(thumbprintOf(key));
  return lookup.kind === 'unavailable' && lookup.final !== undefined ? (await lookup.final()).kind : lookup.kind;
}

/** Whether others who know the key need not wait for the directory. */
async function isOpen(agents: AgentDirectory, key: TestKey): Promise<boolean> {
  return 'final' in (await agents.findByThumbprint(thumbprintOf(key)));
}

describe('agentsFromSignatureDirectory', () => {
  it('finds the keys that signed the directory, all of one agent', async () => {
    const asked: (string | undefined)[] = [];
    const served = answer(
      [
        { ...one.jwk, kid: 'x', agent_id: 'admin', capabilities: ['admin'] },
        { ...two.jwk, nbf: now - 100, exp: now + 100 },
      ],
      [[one], [two, { label: 'sig2' }]],
    );
    const { agents, refreshes } = await start((request, response) => {
      asked.push(request.url, request.headers.accept);
      if (typeof served === 'function') served(request, response);
    });
    expect(await agents.findByThumbprint(thumbprintOf(one))).toMatchObject({
      kind: 'found',
      agent: { id: 'crawler', capabilities: ['page:read'], roles: [], status: 'active' },
    });
    expect(await agents.findByThumbprint(thumbprintOf(two))).toMatchObject({
      agent: { id: 'crawler' },
      key: { notBefore: now - 100, expires: now + 100 },
    });
    expect(await agents.statusOf('crawler')).toBe('active');
    expect(await agents.statusOf('admin')).toBe('unknown');
    const suspended = agentsFromSignatureDirectory('https://crawler.example', { id: 'crawler', status: 'suspended' });
    expect(await suspended.statusOf('crawler')).toBe('suspended');
    expect(refreshes).toEqual([{ ok: true, keyCount: 2, skipped: [] }]);
    expect(asked).toEqual(['/.well-known/http-message-signatures-directory', mediaType]);
  });

  it('keeps a given path', async () => {
    const server = await startServer((request, response) =>
      request.url === '/bots/keys' ? response.writeHead(503).end() : response.writeHead(404).end(),
    );
    const agents = agentsFromSignatureDirectory(`${server.url}bots/keys`, { id: 'crawler', ...local });
    expect(await agents.findByThumbprint(thumbprintOf(one))).toMatchObject({ cause: expect.stringMatching(/503/) });
  });

  const authority = '"@authority";req';
  it.each<[string, string, string, string]>([
    ['the path', 'bots/keys', `(${authority} "@path";req)`, 'found'],
    ['the target', 'bots/keys', '("@target-uri";req)', 'found'],
    ['path and query', 'keys?bot=1', `(${authority} "@path";req "@query";req)`, 'found'],
    ['the authority alone', 'bots/keys', `(${authority})`, 'unknown'],
    ['the path alone', 'bots/keys', '("@path";req)', 'unknown'],
    ['no query', 'keys?bot=1', `(${authority} "@path";req)`, 'unknown'],
    [
      'no query at the well-known path',
      '.well-known/http-message-signatures-directory?bot=1',
      `(${authority})`,
      'unknown',
    ],
  ])(
    'at another path, which others may share the authority of, %s is signed [A8]',
    async (_title, path, components, kind) => {
      const server = await startServer(answer([one.jwk], [[one, { components }]]));
      const options = { id: 'crawler', ...local, clock: () => now * 1000 };
      expect(await kindOf(agentsFromSignatureDirectory(`${server.url}${path}`, options), one)).toBe(kind);
    },
  );

  it('refuses a copy at another path of the authority [A8, A11]', async () => {
    const served = answer([one.jwk], [[one, { components: `(${authority} "@path";req)` }]]);
    const server = await startServer((request, response) => {
      request.url = '/victim/keys';
      if (typeof served === 'function') served(request, response);
    });
    const at = (path: string): AgentDirectory =>
      agentsFromSignatureDirectory(`${server.url}${path}`, { id: 'crawler', ...local, clock: () => now * 1000 });
    expect(await kindOf(at('attacker/keys'), one)).toBe('unknown');
    expect(await kindOf(at('victim/keys'), one)).toBe('found');
  });

  it.each<[string, readonly Signer[]]>([
    ['nobody signed', []],
    ['another key signed', [[two]]],
    ['another authority signed: the directory is a copy', [[one, { authority: 'crawler.example' }]]],
    ['the signature has another tag', [[one, { tag: 'web-bot-auth' }]]],
    ['the signature covers nothing', [[one, { components: '()' }]]],
    ['the signature is over', [[one, { parameters: `created=${now - 900};expires=${now - 600}` }]]],
    ['the signature never ends', [[one, { parameters: `created=${now - 10}` }]]],
    ['the signature has no beginning', [[one, { parameters: `expires=${now + 300}` }]]],
    ['the signature is older than a day', [[one, { parameters: `created=${now - 90_000};expires=${now + 9e6}` }]]],
    ['the signature is from the future', [[one, { parameters: `created=${now + 900};expires=${now + 1200}` }]]],
    ['the key signed twice', [[one], [one, { label: 'again' }]]],
  ])('a key does not count when %s [A8]', async (_title, signers) => {
    const { agents, refreshes } = await start(answer([one.jwk], signers));
    expect(await kindOf(agents, one)).toBe('unknown');
    expect(refreshes).toEqual([
      { ok: true, keyCount: 0, skipped: [{ index: 0, problem: expect.stringMatching(/signature/) }] },
    ]);
    // Its name stays taken.
    expect(await agents.statusOf('crawler')).toBe('active');
  });

  it('skips an unusable key and keeps the others', async () => {
    const unusable = [
      'no key',
      { kty: 'RSA', n: 'AQAB', e: 'AQAB' },
      { ...two.privateJwk },
      { ...two.jwk, exp: now * 1000 },
    ];
    const { agents, refreshes } = await start(answer([...unusable, one.jwk], [[one], [two, { label: 'sig2' }]]));
    expect(await kindOf(agents, one)).toBe('found');
    expect(await kindOf(agents, two)).toBe('unknown');
    expect(refreshes).toMatchObject([{ ok: true, keyCount: 1, skipped: { length: 4 } }]);
  });

  it('skips a key that is listed twice, because its validity would be ambiguous', async () => {
    const { agents, refreshes } = await start(answer([{ ...one.jwk, exp: now - 1 }, one.jwk], [[one]]));
    expect(await kindOf(agents, one)).toBe('unknown');
    expect(refreshes).toMatchObject([{ ok: true, keyCount: 0, skipped: { length: 2 } }]);
  });

  it('reserves only its own name, also during an outage [C5]', async () => {
    const { server, agents } = await start((_request, response) => response.writeHead(503).end());
    expect(await agents.statusOf('crawler')).toBe('active');
    expect(await agents.statusOf('agent-a')).toBe('unknown');
    expect(server.requests).toBe(0);
  });

  it('treats a protocol switch as an outage [A14]', async () => {
    const { agents } = await start(({ socket }) => void socket.end('HTTP/1.1 101 Switching Protocols\r\n\r\n'));
    expect(await kindOf(agents, one)).toBe('unavailable');
  });

  it('refuses a directory with more keys than a message can have signatures [A14]', async () => {
    const many = Array.from({ length: 33 }, () => ({ kty: 'OKP' }));
    const { agents } = await start(answer([one.jwk, ...many], [[one]]));
    expect(await kindOf(agents, one)).toBe('unavailable');
  });

  it('refuses a directory larger than its keys can make it [A14]', async () => {
    const padded = { ...one.jwk, padding: 'x'.repeat(65_536) };
    const { agents } = await start(answer([padded], [[one]]));
    expect(await kindOf(agents, one)).toBe('unavailable');
  });

  it('keeps its keys after a failed refresh, and drops a key that a successful one lacks [A14]', async () => {
    const { server, agents, at } = await start(answer([one.jwk], [[one]]));
    expect(await kindOf(agents, one)).toBe('found');
    const broken: TestServer['answer'][] = [
      answer([one.jwk], [[one]], 'application/json'),
      answer([one.jwk], [[one]], 'text/html'),
      (_request, response) => response.setHeader('content-type', mediaType).end('{"keys":7}'),
      (_request, response) =>
        response.writeHead(200, { 'content-type': mediaType, 'signature-input': 'sig1=(' }).end('{"keys":[]}'),
    ];
    for (const [index, served] of broken.entries()) {
      server.answer = served;
      at(301 + index * 40);
      expect(await kindOf(agents, one)).toBe('found');
    }
    expect(server.requests).toBe(5);
    server.answer = answer([two.jwk], [[two, { parameters: `created=${now + 590};expires=${now + 900}` }]]);
    at(601);
    expect(await kindOf(agents, two)).toBe('found');
    expect(await kindOf(agents, one)).toBe('unknown');
    server.answer = answer([], [], 'text/html');
    at(601 + 3601);
    expect(await kindOf(agents, two)).toBe('unavailable');
  });

  it('leaves a key that it did not hold to others, and asks meanwhile [A14]', async () => {
    const { server, agents, at } = await start(answer([one.jwk], [[one]]));
    expect(await isOpen(agents, one)).toBe(false);
    expect(await isOpen(agents, two)).toBe(true);
    at(31);
    const answers: (() => void)[] = [];
    const asked = new Promise<void>((resolve) => {
      server.answer = (request, response) => {
        const served = answer([two.jwk], [[two]]);
        answers.push(() => typeof served === 'function' && served(request, response));
        resolve();
      };
    });
    const lookup = await agents.findByThumbprint(thumbprintOf(two));
    expect(lookup).toMatchObject({ kind: 'unavailable', cause: "the directory of 'crawler' is being asked" });
    await asked;
    expect(await kindOf(agents, one)).toBe('found');
    answers[0]?.();
    expect(await kindOf(agents, two)).toBe('found');
    expect(await isOpen(agents, two)).toBe(false);
    expect(await isOpen(agents, one)).toBe(true);
    expect(server.requests).toBe(2);
  });

  it('leaves no key to others that it held when it was last read, however long ago [A14, C7]', async () => {
    const { server, agents, at } = await start(answer([one.jwk], [[one]]), { status: 'suspended' });
    expect(await kindOf(agents, one)).toBe('found');
    server.answer = answer([], [], 'text/html');
    at(4000);
    expect(await kindOf(agents, one)).toBe('unavailable');
    expect(await isOpen(agents, one)).toBe(false);
    expect(await isOpen(agents, two)).toBe(true);
  });

  it.each<['active' | 'suspended', boolean]>([
    ['active', true],
    ['suspended', false],
  ])('that was never read, of an agent that is %s: others need not wait: %s [A14, C7]', async (status, open) => {
    const { server, agents, at } = await start(answer([], [], 'text/html'), { status });
    expect(await isOpen(agents, one)).toBe(open);
    expect(await kindOf(agents, one)).toBe('unavailable');
    at(10);
    server.answer = answer([one.jwk], [[one]]);
    expect(await kindOf(agents, one)).toBe('found');
  });

  it.each<[string, string, object, RegExp]>([
    ['plain http [A14]', 'http://crawler.example', {}, /plain http/],
    ['a private address [A14]', 'https://[::ffff:7f00:1]/', {}, /public address/],
    ['credentials [A14]', 'https://u:p@crawler.example', {}, /credentials/],
    ['an id that is none', 'https://crawler.example', { id: '' }, /its id/],
    ['capabilities that are none', 'https://crawler.example', { capabilities: ['a b'] }, /capability/],
    ['a misspelt option', 'https://crawler.example', { capabilites: [] }, /'capabilities'/],
    ['an age of nothing', 'https://crawler.example', { maxAgeSeconds: 0 }, /maxAgeSeconds/],
  ])('refuses %s [G5]', (_title, url, options, message) => {
    const make = (): AgentDirectory => agentsFromSignatureDirectory(url, { id: 'crawler', ...options });
    expect(make).toThrow(ConfigError);
    expect(make).toThrow(message);
  });
});
