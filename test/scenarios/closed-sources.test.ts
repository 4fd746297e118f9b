import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  agentsFromFile,
  auditFile,
  cedarFromDirectory,
  createGuard,
  type Guard,
  type GuardOptions,
  memoryAudit,
  memoryReplayStore,
  revocationsFromFile,
} from '@countersign/core';
import { agentAuth, permit } from '@countersign/express';
import express, { type RequestHandler } from 'express';
import { expect, it, onTestFinished, vi } from 'vitest';
import { Connection } from '../support/connection.js';
import { host, send, serve } from '../support/guarded.js';
import { keyNamed } from '../support/keys.js';
import { patiently } from '../support/patiently.js';
import { type RawRequest, serialized, signedRequest } from '../support/signed-request.js';

const ids = ['bot-1', 'bot-2', 'bot-3'] as const;
const permitAll = '@id("all") permit (principal, action, resource);';
const schema = 'entity R; action "ok" appliesTo { principal: [Agent], resource: [R], context: AgentContext };';

/** The three files by which an agent is stopped, and the sources that follow them. */
class Files {
  readonly folder = mkdtempSync(join(tmpdir(), 'countersign-closed-'));

  constructor() {
    onTestFinished(() => rmSync(this.folder, { recursive: true, force: true }));
    writeFileSync(this.at('agents.json'), this.#agents('active'));
    writeFileSync(this.at('revocations.json'), '{}');
  }

  at(name: string): string {
    return join(this.folder, name);
  }

  #agents(status: string): string {
    return JSON.stringify(
      ids.map((id) => ({ id, publicKey: keyNamed(id).publicBase64, ...(id === 'bot-1' && { status }) })),
    );
  }

  async open() {
    await mkdir(this.at('policies'), { recursive: true });
    await writeFile(this.at('policies/p.cedar'), permitAll);
    await writeFile(this.at('policies/s.cedarschema'), schema);
    const following = { pollSeconds: 0.1 };
    return {
      origin: `https://${host}`,
      agents: await agentsFromFile(this.at('agents.json'), following),
      policy: await cedarFromDirectory(this.at('policies'), following),
      revocations: await revocationsFromFile(this.at('revocations.json'), following),
      onTrouble: () => {},
    } satisfies Partial<GuardOptions>;
  }

  /** Suspends the first agent, revokes the second and forbids the third. */
  async stopAll(): Promise<void> {
    const forbid = '@id("no") forbid (principal == Agent::"bot-3", action, resource);';
    for (const [name, content] of [
      ['agents.json', this.#agents('suspended')],
      ['revocations.json', '{"agents":["bot-2"]}'],
      ['policies/p.cedar', `${permitAll} ${forbid}`],
    ] as const) {
      await writeFile(this.at('new'), content);
      await rename(this.at('new'), this.at(name));
    }
  }
}

function requestOf(id: string): RawRequest {
  return signedRequest({ key: keyNamed(id), host, target: '/r' });
}

async function served(guard: Guard, before: () => Promise<void> = async () => {}) {
  const app = express();
  app.use(agentAuth(guard));
  const wait: RequestHandler = (_req, _res, next) => void before().then(() => next(), next);
  app.all('/r', wait, permit('ok', { type: 'R', id: '1' }), (_req, res) => void res.send('served'));
  const server = await serve(app);
  onTestFinished(() => server[Symbol.asyncDispose]());
  const ask = async (request: RawRequest): Promise<string> => {
    const { status, body } = await send(server.url, request);
    return status === 200 ? body : `${status} ${(JSON.parse(body) as { code: string }).code}`;
  };
  const askAll = async () => await Promise.all(ids.map((id) => ask(requestOf(id))));
  return { url: server.url, ask, askAll };
}

const all = ['served', 'served', 'served'];
const stopped = ['401 agent_suspended', '401 agent_suspended', '403 policy_denied'];

it('a guard follows its files after another with the same sources could not be created [G5]', async () => {
  const files = new Files();
  const sources = await files.open();
  const guard = await createGuard({ ...sources, audit: memoryAudit() });
  const { askAll } = await served(guard);
  const failing = createGuard({ ...sources, audit: auditFile(files.at('audit')), maxAgeSeconds: 1e9 });
  await expect(failing).rejects.toThrow('maxAgeSeconds');
  expect(await askAll()).toEqual(all);
  await files.stopAll();
  await vi.waitFor(async () => expect(await askAll()).toEqual(stopped), patiently);
  await guard.close();
});

it('a guard follows its files after an earlier one with the same sources was closed [G5]', async () => {
  const files = new Files();
  const sources = await files.open();
  const earlier = await createGuard({ ...sources, audit: memoryAudit() });
  const guard = await createGuard({ ...sources, audit: memoryAudit() });
  await earlier.close();
  const { askAll } = await served(guard);
  expect(await askAll()).toEqual(all);
  await files.stopAll();
  await vi.waitFor(async () => expect(await askAll()).toEqual(stopped), patiently);
  await guard.close();
});

it('a guard that is made anew needs sources that are open, and keeps its replay store [A10, G5]', async () => {
  const files = new Files();
  const replay = memoryReplayStore();
  const sources = await files.open();
  const first = await createGuard({ ...sources, replay, audit: auditFile(files.at('audit')) });
  const request = requestOf('bot-1');
  expect(await (await served(first)).ask(request)).toBe('served');
  await first.close();
  const again = createGuard({ ...sources, replay, audit: auditFile(files.at('audit')) });
  await expect(again).rejects.toThrow(/^createGuard: 'agents' was closed .* Open it again/);
  const guard = await createGuard({ ...(await files.open()), replay, audit: auditFile(files.at('audit')) });
  const { ask, askAll } = await served(guard);
  expect(await ask(request)).toBe('401 signature_replayed');
  expect(await askAll()).toEqual(all);
  await files.stopAll();
  await vi.waitFor(async () => expect(await askAll()).toEqual(stopped), patiently);
  await guard.close();
});

it('a request whose body is still on its way while guard and sources close is turned away, without a report [F5]', async () => {
  const troubles: string[] = [];
  const audit = memoryAudit();
  const onTrouble = (message: string) => troubles.push(message);
  const guard = await createGuard({ ...(await new Files().open()), audit, onTrouble });
  const { url } = await served(guard);
  const connection = await Connection.open(url);
  onTestFinished(() => connection.destroy());
  const bytes = serialized(signedRequest({ key: keyNamed('bot-1'), host, target: '/r', method: 'POST', body: '{}' }));
  connection.write(bytes.subarray(0, -1));
  // Another request passes, so this one has arrived.
  expect((await send(url, requestOf('bot-2'))).status).toBe(200);
  await guard.close();
  connection.write(bytes.subarray(-1));
  const { status, body } = await connection.read();
  expect([status, JSON.parse(body)]).toMatchObject([503, { code: 'shutting_down' }]);
  expect([troubles, audit.records.map(({ phase }) => phase)]).toEqual([[], ['decision', 'outcome']]);
});

it('a request that is being served while its sources close is refused with 503 at its next decision [A14]', async () => {
  const sources = await new Files().open();
  let ahead = 0;
  const guard = await createGuard({ ...sources, audit: memoryAudit(), clock: () => Date.now() + ahead });
  const { ask } = await served(guard, async () => {
    for (const name of ['agents', 'policy', 'revocations'] as const) await sources[name].close?.();
    // The last answers count for a second.
    ahead = 1500;
  });
  expect(await ask(requestOf('bot-1'))).toBe('503 keys_unavailable');
  await guard.close();
});

it.each([
  ['agents', '503 keys_unavailable'],
  ['revocations', '503 revocations_unavailable'],
  ['policy', '503 policy_unavailable'],
] as const)('a guard whose %s were closed beside it has an outage [A14, G5]', async (name, outage) => {
  const sources = await new Files().open();
  const guard = await createGuard({ ...sources, audit: memoryAudit() });
  const { askAll } = await served(guard);
  expect(await askAll()).toEqual(all);
  await sources[name].close?.();
  expect(await askAll()).toEqual([outage, outage, outage]);
  await guard.close();
});
