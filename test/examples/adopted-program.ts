import { type ChildProcess, spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { type Agent, createAgent, generateAgentKey, type Signer } from '@countersign/agent';
import { mintDelegation } from '@countersign/delegation';
import { expect } from 'vitest';
import { root } from '../support/workspace.js';

const example = join(root, 'examples/adopt');
const origin = 'https://api.acme.dev';
const agentKey = generateAgentKey();
const issuer = generateKeyPairSync('ed25519');

/** The user of the tests. */
export const user = 'user_123';

export function sourceOf(path: string): string {
  return readFileSync(join(example, 'src', path), 'utf8');
}

/** The only agent registered with the programs. */
export function supportAgent(): Promise<Agent> {
  return createAgent({ id: 'agent-support-01', key: agentKey });
}

/** A token that delegates this scope from a user to the agent. */
export function delegationOf(scope: string, from = user): Promise<string> {
  return mintDelegation({
    issuer: 'https://id.acme.dev',
    key: issuer.privateKey,
    user: from,
    agent: 'agent-support-01',
    scope,
    audience: origin,
    lifetimeSeconds: 300,
    now: Math.floor(Date.now() / 1000),
  });
}

export interface Call {
  readonly method?: string;
  readonly path: string;
  /** Sent as JSON. */
  readonly body?: object;
  readonly as?: Signer;
  readonly authorization?: string;
  readonly cookie?: string;
}

export interface Answer {
  readonly status: number | undefined;
  readonly body: string;
  /** The cookies that it sets, as a client sends them back; empty if there are none. */
  readonly cookie: string;
}

/** Runs a program of examples/adopt unchanged, in its own folder with its files. */
export class AdoptedProgram {
  readonly folder: string;
  readonly #child: ChildProcess;
  readonly #port: number;

  private constructor(folder: string, child: ChildProcess, port: number) {
    this.folder = folder;
    this.#child = child;
    this.#port = port;
  }

  static async start(path: string): Promise<AdoptedProgram> {
    const folder = await mkdtemp(join(tmpdir(), 'countersign-adopt-'));
    await cp(join(example, 'policies'), join(folder, 'policies'), { recursive: true });
    const agents = [agentKey.registration('agent-support-01', ['orders:read', 'orders:write', 'basket'])];
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
    return new AdoptedProgram(folder, child, Number(port));
  }

  /** Over a socket. Requests to api.acme.dev arrive unchanged at the program. */
  async call({ method = 'GET', path, body: content, as, authorization, cookie }: Call): Promise<Answer> {
    const body = content === undefined ? undefined : JSON.stringify(content);
    const json = body === undefined ? {} : { 'content-type': 'application/json' };
    const unsigned = {
      method,
      url: origin + path,
      headers: { ...json, ...(authorization !== undefined && { authorization }) },
    };
    const { headers } = (await as?.signRequest(body === undefined ? unsigned : { ...unsigned, body })) ?? unsigned;
    const sent = request({
      port: this.#port,
      host: '127.0.0.1',
      method,
      path,
      agent: false,
      headers: { ...headers, host: new URL(origin).host, ...(cookie !== undefined && { cookie }) },
    }).end(body);
    const [answer] = await once(sent, 'response');
    const cookies: readonly string[] = answer.headers['set-cookie'] ?? [];
    const pairs = cookies.map((each) => each.split(';')[0]);
    return { status: answer.statusCode, body: await text(answer), cookie: pairs.join('; ') };
  }

  async stop(): Promise<void> {
    const ended = once(this.#child, 'exit');
    this.#child.kill();
    await ended;
    await rm(this.folder, { recursive: true, force: true });
  }
}
