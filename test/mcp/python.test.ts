import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { freePort } from '../support/free-port.js';
import { patiently } from '../support/patiently.js';
import { type GuardedMcp, guardedMcp } from './support/guarded-mcp.js';

/** A Python with the package fastmcp: `pip install fastmcp`. */
const python = process.env['COUNTERSIGN_PYTHON'] ?? 'python3';
const isThere = spawnSync(python, ['-c', 'import fastmcp']).status === 0;
if (!isThere) console.warn(`skipped: ${python} has no fastmcp. pip install fastmcp, or name one in COUNTERSIGN_PYTHON`);

describe.skipIf(!isThere)('A server in Python behind guardMcpHttp', () => {
  let child: ChildProcess;
  let guarded: GuardedMcp;
  let headers: Record<string, string>;
  let id = 0;

  async function ask(agent: 'alice' | 'bob', method: string, params: object = {}): Promise<string> {
    id += 1;
    return await (await guarded.send(agent, { headers, body: { jsonrpc: '2.0', id, method, params } })).text();
  }

  beforeAll(async () => {
    const port = await freePort();
    child = spawn(python, [join(import.meta.dirname, 'support/python-server.py'), String(port)], { stdio: 'ignore' });
    const url = `http://127.0.0.1:${port}/mcp`;
    await vi.waitFor(async () => await fetch(url), { ...patiently, timeout: 50_000 });
    guarded = await guardedMcp(url);
    headers = {};
    const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'test', version: '1' } };
    const opened = await guarded.send('alice', { body: { jsonrpc: '2.0', id: 0, method: 'initialize', params } });
    headers = { 'mcp-session-id': opened.headers.get('mcp-session-id') ?? '', 'mcp-protocol-version': '2025-11-25' };
    await guarded.send('alice', { headers, body: { jsonrpc: '2.0', method: 'notifications/initialized' } });
  });

  afterAll(async () => {
    await guarded[Symbol.asyncDispose]();
    child.kill('SIGKILL');
  });

  it('shows what the caller may use, and runs it [E5]', async () => {
    const list = await ask('alice', 'tools/list');
    expect([list.includes('"echo"'), list.includes('secret')]).toEqual([true, false]);
    expect(await ask('alice', 'tools/call', { name: 'echo', arguments: { text: 'ähm' } })).toContain('ähm');
    expect(await ask('alice', 'tools/call', { name: 'secret' })).toContain('Tool secret not found');
  });

  it('reads resources in their plain form alone', async () => {
    expect(await ask('alice', 'resources/read', { uri: 'test://t/open' })).toContain('resource open');
    for (const uri of [
      'test://t/secret',
      'test://t/%73ecret',
      'test://t/a/../secret',
      'TEST://t/secret',
      'test://T/secret',
    ]) {
      expect(await ask('alice', 'resources/read', { uri })).toContain('-32602');
    }
  });

  it('serves a session to its opener alone', async () => {
    expect(await ask('bob', 'tools/list')).toContain('Session not found');
  });
});
