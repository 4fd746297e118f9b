import { type ChildProcess, spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { auditRecords } from '../support/audit-log.js';
import { run } from '../support/run.js';
import { type Block, blocksOf, readPage } from './blocks.js';
import { compile, compiled } from './program.js';

const [api, agent] = blocksOf(readPage('README.md')).filter(({ language }) => language === 'ts');
const issuer = blocksOf(readPage('docs/guides/delegation.md')).find(({ code }) =>
  code.includes('await mintDelegation('),
);

/** The first block of a guide in a language. */
function firstOf(path: string, language: string): string {
  return blocksOf(readPage(path)).find((block) => block.language === language)?.code ?? `no ${language} block`;
}

// The private key of the public key that the guide of keys registers; docs/reference/wire-profile.md prints it too.
const agentKey = /-----BEGIN.*?KEY-----\n.*?-----END PRIVATE KEY-----/s.exec(
  readPage('docs/reference/wire-profile.md').text,
)?.[0];

/** Replaces text of a page, and throws if the page no longer has it. */
function replaced(text: string, from: string, to: string): string {
  expect(text).toContain(from);
  return text.replace(from, to);
}

describe('the ten lines of the README, with the files of the guides', () => {
  let folder: string;
  let server: ChildProcess | undefined;
  let port: number;

  async function write(name: string, ...parts: string[]): Promise<string> {
    await writeFile(join(folder, name), parts.join('\n'));
    return name;
  }

  async function play(name: string, ...parts: string[]): Promise<string> {
    const { stdout, stderr, exitCode } = await run(process.execPath, [await write(name, ...parts)], { cwd: folder });
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    return stdout.trim();
  }

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'countersign-ten-lines-'));
    await compile(
      folder,
      [api, agent, issuer].filter((block): block is Block => block !== undefined),
    );
    await write('agents.json', firstOf('docs/guides/keys.md', 'json'));
    await write('agent.pem', agentKey ?? 'no key');
    await mkdir(join(folder, 'policies'));
    await write('policies/schema.cedarschema', firstOf('docs/guides/policy.md', 'cedarschema'));
    await write('policies/pull-requests.cedar', firstOf('docs/guides/policy.md', 'cedar'));
  }, 60_000);
  afterAll(async () => {
    server?.kill();
    await rm(folder, { recursive: true, force: true });
  });

  const keys = generateKeyPairSync('ed25519');
  const issuerKey = JSON.stringify(keys.privateKey.export({ format: 'jwk' }));
  const issuerKeys = JSON.stringify({ keys: [keys.publicKey.export({ format: 'jwk' })] });
  let token: string;

  it('the issuer of the guide mints a token', async () => {
    const minting = await compiled(folder, issuer!);
    token = await play('issuer.js', `globalThis.issuerPrivateKey = ${issuerKey};`, minting, 'console.log(token);');
    expect(token.split('.')).toHaveLength(3);
  });

  it('the API starts', async () => {
    // The issuer's keys are given instead of fetched; the rest of the page is unchanged.
    const uri = "jwksUri: 'https://id.acme.dev/jwks.json'";
    const program = replaced(await compiled(folder, api!), uri, `jwks: ${issuerKeys}`);
    const listen = "const server = app.listen(0, '127.0.0.1', () => console.log(server.address().port));";
    server = spawn(process.execPath, [await write('api.js', program, listen)], {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = (await once(createInterface({ input: server.stdout! }), 'line')) as [string];
    port = Number(line);
    expect(port).toBeGreaterThan(0);
  });

  it('the agent makes its call, for its user', async () => {
    // Requests to api.acme.dev arrive unchanged at the API on this machine.
    const network = `
      import { request as send } from 'node:http';
      import { json } from 'node:stream/consumers';
      globalThis.tokenFromYourIssuer = ${JSON.stringify(token)};
      globalThis.fetch = (url, { method, headers, body }) => new Promise((resolve, reject) => {
        const { host, pathname, search } = new URL(url);
        const sent = send({ port: ${port}, host: '127.0.0.1', method, path: pathname + search,
          headers: { ...Object.fromEntries(new Headers(headers)), host } });
        sent.on('error', reject);
        sent.on('response', async (answer) => {
          console.log(JSON.stringify({ status: answer.statusCode, body: await json(answer) }));
          resolve(new Response(null, { status: answer.statusCode }));
        });
        sent.end(body);
      });`;
    const answer = await play('agent.js', network, await compiled(folder, agent!));
    expect(JSON.parse(answer)).toEqual({ status: 201, body: { by: 'agent-code-reviewer-01', for: 'user_123' } });
  });

  it('an unsigned request is refused', async () => {
    const headers = { host: 'api.acme.dev' };
    const asked = request({ port, host: '127.0.0.1', method: 'POST', path: '/repos/acme/api/pulls', headers }).end();
    const [answer] = (await once(asked, 'response')) as [{ statusCode: number; resume(): void }];
    answer.resume();
    expect(answer.statusCode).toBe(401);
  });

  it('the log names actor, subject, action and policy', async () => {
    const records = auditRecords(join(folder, 'audit'));
    expect(records).toMatchObject([
      {
        phase: 'decision',
        decision: 'allow',
        actor: { id: 'agent-code-reviewer-01' },
        subject: { id: 'user_123' },
        action: 'pr.create',
        policies: ['pull-requests.cedar#drafts-by-the-reviewer'],
      },
      { phase: 'outcome', outcome: { result: 'finished', status: 201 } },
      { phase: 'authentication', decision: 'deny', code: 'signature_required' },
    ]);
  });
});
