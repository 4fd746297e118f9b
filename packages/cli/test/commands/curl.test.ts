import { createPublicKey } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AgentPrivateKey, generateAgentKey } from '@countersign/agent';
import { refusal, refusalResponse } from '@countersign/core';
import { computeContentDigest, requireComponents, verificationKey, verifyMessage } from '@countersign/signature';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { nowSeconds, runCli } from '../run-cli.js';

const key: AgentPrivateKey = generateAgentKey();
let folder: string;
let keyFile: string;
let server: Server;
let url: string;
let seen: { method: string; rawHeaders: string[]; target: string; body: Buffer; verified: boolean }[];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-curl-'));
  keyFile = join(folder, 'agent.pem');
  writeFileSync(keyFile, key.exportPem(), { mode: 0o600 });
  server = createServer((req, res) => {
    const chunks: Buffer[] = [];
    req.on('data', (chunk: Buffer) => chunks.push(chunk));
    req.on('end', () => {
      const { method = '', rawHeaders, url: target = '' } = req;
      const body = Buffer.concat(chunks);
      void verify(method, target, rawHeaders).then((verified) => {
        seen.push({ method, rawHeaders, target, body, verified });
        if (target === '/refused') {
          const { status, headers, body: problem } = refusalResponse(refusal('signature_replayed'), 'sig=()');
          res.writeHead(status, { ...headers }).end(problem);
        } else if (target === '/explained') {
          const explained = { ...refusal('policy_denied'), explanation: 'Denied: x.\n  pr.cedar#drafts\u001b[2J' };
          const { status, headers, body: problem } = refusalResponse(explained, 'sig=()');
          res.writeHead(status, { ...headers }).end(problem);
        } else if (target === '/login') res.writeHead(401).end('Unauthorized');
        else if (target === '/own-form') res.writeHead(401, { 'accept-signature': 'sig=()' }).end('{}');
        else if (target === '/line') res.end('a line\n');
        else if (target === '/hostile') {
          const problem = '{"title": "\u202e\u009b2J"}\n\u001b[2J';
          res.writeHead(403, { 'content-type': 'application/problem+json' }).end(problem);
        } else if (target === '/missing') res.writeHead(404).end('no such page');
        else if (target === '/moved') res.writeHead(302, { location: '/refused' }).end('over there');
        else res.writeHead(200, { 'x-answer': 'yes' }).end(Buffer.from([0x6f, 0x6b, 0xff]));
      });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
beforeEach(() => {
  seen = [];
});
afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  rmSync(folder, { recursive: true });
});

async function verify(method: string, target: string, rawFields: string[]): Promise<boolean> {
  const authority = rawFields[rawFields.findIndex((name) => name.toLowerCase() === 'host') + 1] ?? '';
  const result = await verifyMessage(
    { method, scheme: 'http', authority, target, rawFields },
    {
      select: { tag: 'countersign' },
      components: requireComponents({
        all: ['@method', '@authority', '@path', '@query'],
        ifPresent: ['authorization', 'content-type', 'content-digest'],
      }),
      parameters: ['created', 'nonce', 'keyid'],
      algorithms: ['ed25519'],
      now: nowSeconds,
      maxAgeSeconds: 60,
      clockSkewSeconds: 0,
      resolveKey: () => verificationKey(createPublicKey({ key: { ...key.publicJwk }, format: 'jwk' })),
    },
  );
  return result.ok;
}

function header(name: string): string | undefined {
  const { rawHeaders } = seen[0] ?? { rawHeaders: [] };
  const at = rawHeaders.findIndex((candidate, index) => index % 2 === 0 && candidate.toLowerCase() === name);
  return at === -1 ? undefined : rawHeaders[at + 1];
}

describe('curl', () => {
  it('signs, sends and prints the body of the answer', async () => {
    expect(await runCli(['curl', 'get', `${url}/a b?x=1`, '--key', keyFile])).toMatchObject({ code: 0, err: '' });
    expect(seen).toMatchObject([{ method: 'GET', target: '/a%20b?x=1', verified: true }]);
  });

  it('prints the received bytes unchanged', async () => {
    const chunks: Uint8Array[] = [];
    await runCli(['curl', 'GET', url, '-k', keyFile], {
      out: (chunk) => void chunks.push(Buffer.from(chunk as Uint8Array)),
    });
    expect(Buffer.concat(chunks)).toEqual(Buffer.from([0x6f, 0x6b, 0xff]));
  });

  const bytes = Buffer.from([0, 10, 13, 255]);
  it.each<[string, () => string[], Buffer, string]>([
    ['--data', () => ['-d', 'a=b'], Buffer.from('a=b'), 'application/x-www-form-urlencoded'],
    ['--data @file', () => ['-d', `@${join(folder, 'body')}`], bytes, 'application/x-www-form-urlencoded'],
    ['--data @-', () => ['-d', '@-'], Buffer.from('from stdin\n'), 'application/x-www-form-urlencoded'],
    ['--json', () => ['--json', '{"a":"ü"}'], Buffer.from('{"a":"ü"}'), 'application/json'],
    ['a type of its own', () => ['--json', '[]', '-H', 'Content-Type: text/x-a'], Buffer.from('[]'), 'text/x-a'],
  ])('sends %s byte for byte', async (_name, args, body, type) => {
    writeFileSync(join(folder, 'body'), bytes);
    const result = await runCli(['curl', 'POST', url, '-k', keyFile, ...args()], { input: 'from stdin\n' });
    expect(result).toMatchObject({ code: 0 });
    expect(seen).toMatchObject([{ method: 'POST', verified: true, body }]);
    expect(header('content-type')).toBe(type);
    expect(header('content-digest')).toBe(computeContentDigest(body));
  });

  it('sends header fields and a token from a file, and shows no secret when verbose', async () => {
    writeFileSync(join(folder, 'token'), 'aaa.bbb.ccc\n');
    const { code, err } = await runCli([
      'curl',
      'GET',
      url,
      '--token',
      `@${join(folder, 'token')}`,
      '-vk',
      keyFile,
      '--agent',
      'agent-a',
      '-H',
      'X-Trace: 1',
      '--header',
      'X-Empty:',
    ]);
    expect(code).toBe(0);
    expect(seen).toMatchObject([{ verified: true }]);
    expect([header('authorization'), header('x-trace'), header('x-empty')]).toEqual(['Bearer aaa.bbb.ccc', '1', '']);
    expect(err).toContain(`agent agent-a, key ${key.thumbprint}`);
    expect(err).toMatch(/^> signature-input: sig=\("@method"/m);
    expect(err).toMatch(/^> authorization: \[18 characters\]$/m);
    expect(err).toMatch(/^< 200 OK$/m);
    expect(err).toMatch(/^< x-answer: yes$/m);
    expect(err).not.toContain('aaa.bbb.ccc');
  });

  it('explains a refusal in words and exits with 22', async () => {
    const { code, out, err } = await runCli(['curl', 'GET', `${url}/refused`, '-k', keyFile]);
    expect(code).toBe(22);
    expect(JSON.parse(out)).toMatchObject({ code: 'signature_replayed' });
    expect(err).toMatch(
      /refused with 401 Unauthorized\n {2}signature_replayed: This signature was used before\.\n {2}This signature was used before; each counts once/,
    );
  });

  it("says that a 401 is not the guard's, in whatever form that answers", async () => {
    const login = await runCli(['curl', 'GET', `${url}/login`, '-k', keyFile]);
    expect(login).toMatchObject({ code: 22, out: 'Unauthorized' });
    expect(login.err).toMatch(/the application's own login may have refused the agent\.\n.*guides\/adopt-login\n$/);
    for (const target of ['/own-form', '/refused', '/missing']) {
      expect((await runCli(['curl', 'GET', `${url}${target}`, '-k', keyFile])).err).not.toContain('own login');
    }
  });

  it('prints the status of a success on a terminal', async () => {
    const asked = ['curl', 'GET', `${url}/line`, '-k', keyFile];
    expect((await runCli(asked, { columns: () => 80 })).err).toBe('200 OK\n');
    expect((await runCli(asked)).err).toBe('');
  });

  it('does not take the name of a file for a token', async () => {
    expect(await runCli(['curl', 'GET', url, '-k', keyFile, '--token', keyFile])).toMatchObject({
      code: 2,
      err: expect.stringContaining(`${keyFile} is a file. Write --token @${keyFile}`),
    });
    expect(seen).toEqual([]);
  });

  it('exits with 22 when the answer is not 2xx, and follows no redirect', async () => {
    expect(await runCli(['curl', 'GET', `${url}/missing`, '-k', keyFile])).toMatchObject({
      code: 22,
      out: 'no such page',
    });
    expect(await runCli(['curl', 'GET', `${url}/moved`, '-k', keyFile])).toMatchObject({ code: 22, out: 'over there' });
    expect(seen.map(({ target }) => target)).toEqual(['/missing', '/moved']);
  });

  it('prints an explanation as text on a terminal, and the unchanged body otherwise', async () => {
    const asked = ['curl', 'GET', `${url}/explained`, '-k', keyFile];
    const piped = await runCli(asked);
    expect(JSON.parse(piped.out)).toMatchObject({ explanation: 'Denied: x.\n  pr.cedar#drafts\u001b[2J' });
    const shown = await runCli(asked, { columns: () => 80 });
    const { explanation: _explanation, ...rest } = JSON.parse(piped.out) as Record<string, unknown>;
    expect(shown).toEqual({ code: 22, out: `${JSON.stringify(rest)}\n`, err: piped.err });
    expect(piped.err).toMatch(/^ {2}Denied: x\.\n {4}pr\.cedar#drafts\\u\{1b\}\[2J\n$/m);
  });

  it('prints no character of a refusal that a terminal obeys [F1]', async () => {
    const asked = ['curl', 'GET', `${url}/hostile`, '-k', keyFile];
    const { out } = await runCli(asked, { columns: () => 80 });
    expect(out).toBe('{"title": "\\u202e\\u009b2J"}\n\\u001b[2J\n');
    expect((await runCli(asked)).out).toContain('\u001b[2J');
  });

  it.each([
    ['/line', 'a line\n', 'a line\n'],
    ['/moved', 'over there', 'over there\n'],
  ])('ends its output with a line feed on a terminal: %s', async (target, bytes, shown) => {
    const asked = ['curl', 'GET', `${url}${target}`, '-k', keyFile];
    expect((await runCli(asked)).out).toBe(bytes);
    expect((await runCli(asked, { columns: () => 80 })).out).toBe(shown);
  });

  it.runIf(process.platform !== 'win32')('warns when others can read the key', async () => {
    const open = join(folder, 'open.pem');
    writeFileSync(open, key.exportPem());
    chmodSync(open, 0o644);
    expect((await runCli(['curl', 'GET', url, '-k', open])).err).toContain('chmod 600');
  });

  it.each<[string, string[], RegExp, number]>([
    ['no key', ['GET', 'http://localhost:1/'], /--key/, 2],
    ['a key file that is missing', ['GET', 'http://localhost:1/', '-k', '/no-such-file'], /no-such-file/, 1],
    ['a key file without a key', ['GET', 'http://localhost:1/', '-k', '@junk'], /not a private key/, 2],
    ['a URL that is none', ['GET', '/relative', '-k', '@key'], /URL/, 2],
    ['a URL with a password', ['GET', 'http://u:p@localhost/', '-k', '@key'], /credentials/, 2],
    ['a header that is none', ['GET', 'http://localhost:1/', '-k', '@key', '-H', 'no colon'], /Name: value/, 2],
    ['two bodies', ['POST', 'http://localhost:1/', '-k', '@key', '-d', 'a', '--json', 'b'], /not both/, 2],
    ['a body on GET', ['GET', 'http://localhost:1/', '-k', '@key', '-d', 'a'], /body/, 2],
    ['a token that is none', ['GET', 'http://localhost:1/', '-k', '@key', '--token', 'a b'], /@FILE/, 2],
    ['a token over plain http', ['GET', 'http://api.acme.dev/', '-k', '@key', '--token', 'a.b.c'], /not https/, 2],
    ['a server that is not there', ['GET', 'http://127.0.0.1:1/', '-k', '@key'], /ECONNREFUSED|bad port/, 1],
    ['an unknown option', ['GET', 'http://localhost:1/', '-k', '@key', '--insecure'], /unknown option/, 2],
  ])('refuses %s without a stack trace', async (_name, args, message, code) => {
    const junk = join(folder, 'junk');
    writeFileSync(junk, 'not a key', { mode: 0o600 });
    const filled = args.map((arg) => (arg === '@key' ? keyFile : arg === '@junk' ? junk : arg));
    const result = await runCli(['curl', ...filled]);
    expect(result).toMatchObject({ code, out: '' });
    expect(result.err).toMatch(message);
    expect(result.err).not.toMatch(/ {4}at /);
  });
});
