import { type ChildProcess, spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { type Agent, createAgent, generateAgentKey, type Signer } from '@countersign/agent';
import { mintDelegation } from '@countersign/delegation';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { blocksOf, readPage } from '../docs/blocks.js';
import { auditRecords } from '../support/audit-log.js';
import { patiently } from '../support/patiently.js';
import { root } from '../support/workspace.js';
import { applied, changedLines } from './patch.js';

const example = join(root, 'examples/adopt');
const page = readPage('docs/adopt.md');
const diffs = blocksOf(page).filter(({ language }) => language === 'diff');
const frameworks = ['express5', 'express4', 'fastify', 'koa', 'node-http'].map((name, index) => ({ name, index }));

const origin = 'https://api.acme.dev';
const user = 'user_123';
const agentKey = generateAgentKey();
const issuer = generateKeyPairSync('ed25519');

function sourceOf(path: string): string {
  return readFileSync(join(example, 'src', path), 'utf8');
}

interface Call {
  readonly method?: string;
  readonly path: string;
  readonly note?: string;
  readonly as?: Signer;
}

interface Answer {
  readonly status: number | undefined;
  readonly body: string;
}

/** One of the programs, run as it is, in a folder of its own that holds what it reads. */
class Program {
  readonly folder: string;
  readonly #child: ChildProcess;
  readonly #port: number;

  private constructor(folder: string, child: ChildProcess, port: number) {
    this.folder = folder;
    this.#child = child;
    this.#port = port;
  }

  static async start(path: string): Promise<Program> {
    const folder = await mkdtemp(join(tmpdir(), 'countersign-adopt-'));
    await cp(join(example, 'policies'), join(folder, 'policies'), { recursive: true });
    const agents = [agentKey.registration('agent-support-01', ['orders:read', 'orders:write'])];
    await writeFile(join(folder, 'agents.json'), JSON.stringify(agents));
    const keys = [issuer.publicKey.export({ format: 'jwk' })];
    await writeFile(join(folder, 'issuer-jwks.json'), JSON.stringify({ keys }));
    const child = spawn(process.execPath, [join(example, 'dist', path)], {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = (await Promise.race([
      once(createInterface({ input: child.stdout }), 'line'),
      once(child, 'exit').then(([code]) => [`ended with ${String(code)}`]),
    ])) as [string];
    const [, port = ''] = /^listening on port (\d+)$/.exec(line) ?? [];
    expect(port, `${path}: ${line}`).not.toBe('');
    return new Program(folder, child, Number(port));
  }

  /** Over a socket. What goes to api.acme.dev arrives at the program, unchanged. */
  async call({ method = 'GET', path, note, as }: Call): Promise<Answer> {
    const body = note === undefined ? undefined : JSON.stringify({ text: note });
    const unsigned = { method, url: origin + path, headers: { 'content-type': 'application/json' } };
    const toSign = body === undefined ? { method, url: origin + path } : { ...unsigned, body };
    const { headers } = (await as?.signRequest(toSign)) ?? unsigned;
    const sent = request({
      port: this.#port,
      host: '127.0.0.1',
      method,
      path,
      agent: false,
      headers: { ...headers, host: new URL(origin).host },
    }).end(body);
    const [answer] = await once(sent, 'response');
    return { status: answer.statusCode, body: await text(answer) };
  }

  async stop(): Promise<void> {
    const ended = once(this.#child, 'exit');
    this.#child.kill();
    await ended;
    await rm(this.folder, { recursive: true, force: true });
  }
}

describe.each(frameworks)('docs/adopt.md on $name', ({ name, index }) => {
  const diff = diffs[index]?.code ?? 'no diff';

  it('shows the very difference between the application before and after', () => {
    expect(applied(diff, sourceOf(`${name}/before.ts`))).toBe(sourceOf(`${name}/after.ts`));
  });

  it('needs 8 changed lines at most, imports included', () => {
    expect(changedLines(diff)).toBeGreaterThan(0);
    expect(changedLines(diff)).toBeLessThanOrEqual(8);
  });
});

it('docs/adopt.md shows one diff for each framework, and the one new file as it is', () => {
  expect(diffs).toHaveLength(frameworks.length);
  expect(blocksOf(page).map(({ code }) => code)).toContain(sourceOf('guard.ts'));
});

describe('a diff that does not fit is seen', () => {
  it.each([
    ['a removed line that is not there', '@@ -1,1 +1,1 @@\n-x\n+b'],
    ['context that is elsewhere', '@@ -2,1 +2,2 @@\n a\n+b'],
  ])('%s', (_, diff) => {
    expect(() => applied(diff, 'a\nc\n')).toThrow('the diff says');
  });
});

describe.each(frameworks)('the orders API on $name', ({ name }) => {
  const path = '/orders/1001';
  let before: Program;
  let after: Program;
  let agent: Agent;
  beforeAll(async () => {
    agent = await createAgent({ id: 'agent-support-01', key: agentKey });
    before = await Program.start(`${name}/before.js`);
    after = await Program.start(`${name}/after.js`);
  });
  afterAll(async () => {
    await before?.stop();
    await after?.stop();
  });

  /** The agent, to which the user has handed this scope. */
  async function forUser(scope: string): Promise<Signer> {
    const token = await mintDelegation({
      issuer: 'https://id.acme.dev',
      key: issuer.privateKey,
      user,
      agent: agent.id,
      scope,
      audience: origin,
      lifetimeSeconds: 300,
      now: Math.floor(Date.now() / 1000),
    });
    return agent.withToken(token);
  }

  it('before: answers whoever asks, and writes nothing down', async () => {
    expect(await before.call({ path })).toMatchObject({ status: 200 });
    const answer = await before.call({ method: 'POST', path: `${path}/notes`, note: 'call back' });
    expect(answer).toMatchObject({ status: 201, body: expect.stringContaining('"notes":["call back"]') });
    expect(await before.call({ path: '/orders/9' })).toEqual({ status: 404, body: '{"error":"no such order"}' });
    expect(existsSync(join(before.folder, 'audit'))).toBe(false);
  });

  it('after: refuses an unsigned request, and its health check answers as before', async () => {
    for (const call of [{ path }, { method: 'POST', path: `${path}/notes`, note: 'x' }]) {
      const { status, body } = await after.call(call);
      expect(status).toBe(401);
      expect(JSON.parse(body)).toMatchObject({ code: 'signature_required' });
    }
    for (const program of [before, after]) {
      expect(await program.call({ path: '/health' })).toEqual({ status: 200, body: 'well' });
    }
  });

  it('after: serves an agent for its user; the body parser reads what was verified, the error handler answers', async () => {
    const as = await forUser('orders:read orders:write');
    const answer = await after.call({ method: 'POST', path: `${path}/notes`, note: 'call back', as });
    expect(answer).toMatchObject({ status: 201, body: expect.stringContaining('"notes":["call back"]') });
    expect(await after.call({ path, as })).toMatchObject({ status: 200, body: answer.body });
    expect(await after.call({ path: '/orders/9', as })).toEqual({ status: 404, body: '{"error":"no such order"}' });
  });

  it('after: denies what policy does not permit', async () => {
    const as = await forUser('orders:read');
    const { status, body } = await after.call({ method: 'POST', path: `${path}/notes`, note: 'not allowed', as });
    expect(status).toBe(403);
    expect(JSON.parse(body)).toMatchObject({ code: 'policy_denied' });
    expect((await after.call({ path, as })).body).not.toContain('not allowed');
  });

  it('after: the log says who did what for whom', async () => {
    const log = join(after.folder, 'audit');
    const records = await vi.waitFor(() => {
      const found = auditRecords(log);
      expect(found.filter(({ phase }) => phase === 'outcome')).toHaveLength(4);
      return found;
    }, patiently);
    const known = { actor: { id: 'agent-support-01' }, subject: { id: user } };
    const permitted = { ...known, phase: 'decision', decision: 'allow' };
    const resource = { type: 'Order', id: '1001' };
    expect(records.filter(({ phase }) => phase !== 'outcome')).toMatchObject([
      { phase: 'authentication', code: 'signature_required' },
      { phase: 'authentication', code: 'signature_required' },
      { ...permitted, action: 'order.annotate', resource, policies: ['orders.cedar#agents-annotate-for-people'] },
      { ...permitted, action: 'order.read', resource },
      { ...permitted, action: 'order.read', resource: { type: 'Order', id: '9' } },
      { ...known, phase: 'decision', decision: 'deny', code: 'policy_denied', action: 'order.annotate', resource },
      { ...permitted, action: 'order.read', resource },
    ]);
  });
});
