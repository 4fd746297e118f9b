import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, type Readable, type Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { agentsFromObjects, cedarFromText, createGuard, memoryAudit } from '@countersign/core';
import { guardMcpStdio, type McpStdioStreams } from '@countersign/mcp';
import { expect, it, onTestFinished, vi } from 'vitest';
import { auditRecords } from '../support/audit-log.js';
import { patiently } from '../support/patiently.js';
import { policies, schema } from './support/guarded-mcp.js';

const program = fileURLToPath(new URL('../../packages/cli/bin/countersign.js', import.meta.url));
const script = join(import.meta.dirname, 'support/stdio-server.mjs');

interface Unread {
  /** Nobody reads its output. */
  readonly client: { readonly input: PassThrough; readonly output: PassThrough };
  readonly done: Promise<void>;
  send(message: unknown): void;
  /** Result of each outcome, and 'allow' for each permitted call. */
  recorded(): readonly string[];
}

async function unread(server: McpStdioStreams['server']): Promise<Unread> {
  const audit = memoryAudit();
  const policy = await cedarFromText({ policies, schema });
  const guard = await createGuard({ origin: 'https://mcp.acme.dev', agents: agentsFromObjects([]), policy, audit });
  onTestFinished(() => guard.close());
  const client = { input: new PassThrough(), output: new PassThrough() };
  const done = guardMcpStdio(guard, guard.local({ agent: 'alice' }), { client, server });
  return {
    client,
    done,
    send: (message) => void client.input.write(`${JSON.stringify(message)}\n`),
    recorded: () =>
      audit.records.flatMap(({ decision, outcome }) =>
        decision === 'deny' ? [] : (decision ?? outcome?.result ?? []),
      ),
  };
}

type Child = ChildProcessByStdio<Writable, Readable, null>;

function node(...args: readonly string[]): Child {
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await exited;
  });
  return child;
}

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-stdio-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

function stdioServer(): Child {
  return node(script, join(temporaryFolder(), 'reached'));
}

function call(id: number, given: object): object {
  return { jsonrpc: '2.0', id, method: 'tools/call', params: { name: 'echo', arguments: given } };
}

const large = 'x'.repeat(100_000);

async function isFull(stream: Writable): Promise<void> {
  await vi.waitFor(() => expect(stream.writableNeedDrain).toBe(true), patiently);
}

it('A stdio guard records a call as cut off when its server ends and its client leaves refusals unread [F5]', async () => {
  const child = stdioServer();
  const { client, done, send, recorded } = await unread({ input: child.stdin, output: child.stdout });
  send(call(1, { hang: true }));
  for (let id = 2; id < 50; id += 1) send({ jsonrpc: '2.0', id: `${id}${large}`, method: 'acme/rebuild' });
  await isFull(client.output);
  child.kill();
  await done;
  expect(recorded()).toEqual(['allow', 'aborted']);
});

it('A stdio guard records calls as they ended when its server ends and its client leaves answers unread [F5]', async () => {
  const child = stdioServer();
  const { client, done, send, recorded } = await unread({ input: child.stdin, output: child.stdout });
  send(call(1, { hang: true }));
  send(call(2, { result: { content: [{ type: 'text', text: large }] } }));
  await isFull(client.output);
  child.kill();
  await done;
  expect(recorded()).toEqual(['allow', 'allow', 'finished', 'aborted']);
});

it('A stdio guard rejects when a client that leaves answers unread sends a message that is too long [F5]', async () => {
  const child = stdioServer();
  const { client, done, send, recorded } = await unread({ input: child.stdin, output: child.stdout });
  send(call(1, { hang: true }));
  send(call(2, { result: { content: [{ type: 'text', text: large }] } }));
  await isFull(client.output);
  client.input.write('x'.repeat(16 * 1024 * 1024 + 1));
  await expect(done).rejects.toThrow('too long');
  expect(recorded()).toEqual(['allow', 'allow', 'finished', 'aborted']);
});

it('A stdio guard records calls as cut off when its server closes its output and reads no more [F5]', async () => {
  const server = { input: new PassThrough({ highWaterMark: 1 }), output: new PassThrough() };
  const { done, send, recorded } = await unread(server);
  send({ jsonrpc: '2.0', id: 1, method: 'resources/read', params: { uri: 'test://t/1' } });
  await isFull(server.input);
  server.output.end();
  await done;
  expect(recorded()).toEqual(['allow', 'aborted']);
});

/** `countersign mcp` before the stub server, whose tool `echo` is permitted. `outcomes` has the result of each outcome. */
async function guardedServer(): Promise<{ readonly child: Child; outcomes(): readonly string[] }> {
  const home = temporaryFolder();
  const guard = join(home, 'guard');
  const command = ['--', process.execPath, script, join(home, 'reached')];
  await once(node(program, 'mcp', 'init', guard, ...command), 'exit');
  writeFileSync(join(guard, 'policies/own.cedar'), 'permit (principal, action, resource == Tool::"echo");');
  const child = node(program, 'mcp', '--guard', guard, '--as', 'desktop', ...command);
  return { child, outcomes: () => auditRecords(join(guard, 'audit')).flatMap(({ outcome }) => outcome?.result ?? []) };
}

async function endsBySignal(child: Child): Promise<void> {
  await vi.waitFor(() => {
    child.kill('SIGTERM');
    expect(child.signalCode).toBe('SIGTERM');
  }, patiently);
}

it('countersign mcp records calls, and ends at a signal, when its server exits and its client reads nothing [F5]', async () => {
  const { child, outcomes } = await guardedServer();
  const answer = { content: [{ type: 'text', text: 'x'.repeat(1_000_000) }] };
  const send = (id: number, given: object) => void child.stdin.write(`${JSON.stringify(call(id, given))}\n`);
  const recorded = async (...results: readonly string[]) => {
    await vi.waitFor(() => expect(outcomes()).toEqual(results), patiently);
  };
  send(1, { hang: true });
  send(2, { result: answer });
  await recorded('finished');
  send(3, { exit: 7 });
  await recorded('finished', 'aborted', 'aborted');
  await endsBySignal(child);
});

it('countersign mcp ends when its server exits and its client leaves more than 16 MiB unread [F5]', async () => {
  const { child, outcomes } = await guardedServer();
  const answer = { content: [{ type: 'text', text: 'x'.repeat(1_000_000) }] };
  const ids = Array.from({ length: 30 }, (_, id) => id);
  child.stdin.end(ids.map((id) => `${JSON.stringify(call(id, { result: answer }))}\n`).join(''));
  await vi.waitFor(() => expect(outcomes().length).toBeGreaterThan(16), patiently);
  child.kill('SIGTERM');
  await vi.waitFor(() => expect(outcomes()).toHaveLength(ids.length), patiently);
  expect(outcomes()).toContain('aborted');
  await endsBySignal(child);
});
