import { type ExecFileException, execFile, execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AgentPrivateKey, loadAgentKey } from '../src/index.js';
import { digestMatches, field, type RecordingServer, recordingServer, verify } from './recording-server.js';

const script = fileURLToPath(new URL('../../../docs/reference/sign-with-openssl.sh', import.meta.url));

function works(command: string, args: readonly string[]): boolean {
  try {
    execFileSync(command, args, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

const openssl: string = 'openssl';
const runnable = works('curl', ['--version']) && works(openssl, ['version']) && works('sh', ['-c', ':']);
if (!runnable) {
  console.warn(
    'NOT RUN: docs/reference/sign-with-openssl.sh was not tested, because curl, openssl or sh is missing here.',
  );
}

describe.runIf(runnable)('docs/reference/sign-with-openssl.sh', () => {
  let folder: string;
  let pem: string;
  let key: AgentPrivateKey;
  let server: RecordingServer;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'countersign-openssl-'));
    pem = join(folder, 'key.pem');
    const text = execFileSync(openssl, ['genpkey', '-algorithm', 'ed25519'], { encoding: 'utf8' });
    writeFileSync(pem, text);
    chmodSync(pem, 0o600);
    key = loadAgentKey(text);
    server = await recordingServer((req, res) => {
      res.statusCode = req.url === '/refused' ? 403 : 200;
      res.end('the answer');
    });
  });
  afterAll(async () => {
    await server.close();
    rmSync(folder, { recursive: true });
  });

  interface Run {
    readonly code: number;
    readonly stdout: string;
    readonly stderr: string;
  }

  // A bare environment and no terminal: nothing may depend on them.
  function run(...args: string[]): Promise<Run> {
    return runWith({}, ...args);
  }

  function runWith(environment: Readonly<Record<string, string>>, ...args: string[]): Promise<Run> {
    const env = { PATH: process.env['PATH'] ?? '', TMPDIR: folder, ...environment };
    return new Promise((resolve) => {
      execFile('sh', [script, ...args], { env }, (error: ExecFileException | null, stdout, stderr) => {
        resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr });
      });
    });
  }

  it.each([
    ['GET', ''],
    ['GET', '/'],
    ['DELETE', '/records/17?force=1&x=%2F'],
    ['GET', '?only=query'],
    ['OPTIONS', '/a/../b//c/%2e%2e/;p=1?'],
    ['GET', '/[1-3]{a,b}?q=$HOME*#fragment'],
    ['HEAD', '/head'],
  ])('signs %s %s', async (method, path) => {
    expect(await run(method, server.url + path, pem)).toMatchObject({ code: 0, stderr: '' });
    expect(server.last().method).toBe(method);
    expect(await verify(server.last(), key)).toMatchObject({ ok: true });
  });

  it('covers the exact bytes of a body, and a token [A4]', async () => {
    const body = join(folder, 'body file');
    writeFileSync(body, Buffer.from([0x7b, 0x00, 0x0a, 0xff, 0x27, 0x22, 0x0a]));
    const result = await run('POST', `${server.url}/repos/acme/api/pulls`, pem, body, 'aa.bb-_.cc');
    expect(result).toEqual({ code: 0, stdout: 'the answer', stderr: '' });
    const seen = server.last();
    expect(seen.body.length).toBe(7);
    expect(digestMatches(seen)).toBe(true);
    expect(field(seen, 'authorization')).toBe('Bearer aa.bb-_.cc');
    expect(field(seen, 'content-type')).toBe('application/json');
    expect(await verify(seen, key)).toMatchObject({ ok: true });
  });

  it('lower-cases the authority and drops the default port from what is signed', async () => {
    const { port } = new URL(server.url);
    expect(await run('GET', `http://LOCALHOST:${port}/`, pem)).toMatchObject({ code: 0 });
    expect(await verify(server.last(), key)).toMatchObject({ ok: true });
  });

  it('exits with 22 when the API refuses, and still prints the answer', async () => {
    expect(await run('GET', `${server.url}/refused`, pem)).toMatchObject({ code: 22, stdout: 'the answer' });
  });

  describe('with a proxy in the environment', () => {
    let proxy: RecordingServer;
    let elsewhere: RecordingServer;

    beforeAll(async () => {
      proxy = await recordingServer(({ url = '', method, headers }, res) => {
        const forwarded = request(url, { method, headers, agent: false }, (answer) => {
          res.statusCode = answer.statusCode ?? 502;
          answer.pipe(res);
        });
        forwarded.end();
      });
      // An address that NO_PROXY can name and that the script does not take for loopback.
      elsewhere = await recordingServer((_, res) => res.end('elsewhere'), '127.0.0.2');
    });
    afterAll(async () => {
      await elsewhere.close();
      await proxy.close();
    });

    it.each([
      ['lets the proxy forward to a host that NO_PROXY does not name', '.internal', 1],
      ['calls a host that NO_PROXY names without the proxy', '.internal,127.0.0.2', 0],
      ['calls every host without the proxy if NO_PROXY is *', '*', 0],
    ])('%s', async (_, hosts, forwarded) => {
      const before = proxy.requests.length;
      const environment = { http_proxy: proxy.url, NO_PROXY: hosts };
      const result = await runWith(environment, 'GET', `${elsewhere.url}/records`, pem);
      expect(result).toEqual({ code: 0, stdout: 'elsewhere', stderr: '' });
      expect(proxy.requests.length - before).toBe(forwarded);
      expect(await verify(elsewhere.last(), key)).toMatchObject({ ok: true });
    });

    it('calls loopback without the proxy, whatever NO_PROXY names', async () => {
      const before = proxy.requests.length;
      const environment = { http_proxy: proxy.url, NO_PROXY: '.internal' };
      for (const host of ['127.0.0.1', 'localhost']) {
        const url = server.url.replace('127.0.0.1', host);
        expect(await runWith(environment, 'GET', url, pem, '', 'aa.bb.cc')).toMatchObject({ code: 0 });
      }
      expect(proxy.requests.length).toBe(before);
    });
  });

  it('refuses wrong use with 2 before anything is sent', async () => {
    const rsa = join(folder, 'rsa.pem');
    execFileSync(openssl, ['genpkey', '-algorithm', 'rsa', '-out', rsa], { stdio: 'ignore' });
    const before = server.requests.length;
    const wrong = [
      ['GET', server.url],
      ['GET', 'ftp://a.example/', pem],
      ['GET', `${server.url}/a b`, pem],
      ['GET', `${server.url}/ü`, pem],
      ['GET', server.url.replace('//', '//user:pw@'), pem],
      ['GET', server.url, join(folder, 'missing.pem')],
      ['GET', server.url, rsa],
      ['GET', server.url, pem, join(folder, 'missing-body')],
      ['GET', server.url, pem, '', 'two words'],
      ['GET\nX: y', server.url, pem],
      ['GET', 'http://api.acme.dev/', pem, '', 'aa.bb.cc'],
    ];
    for (const args of wrong) expect(await run(...args)).toMatchObject({ code: 2, stdout: '' });
    expect(server.requests.length).toBe(before);
  });
});
