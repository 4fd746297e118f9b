import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { agentsFromObjects, cedarFromText, createGuard, memoryAudit } from '@countersign/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Ran, run } from '../support/run.js';
import { issuer, userId } from '../support/world.js';
import { type Started, toolsThatNote } from './frameworks/framework.js';
import { fastMcpBehindTheGuard, fetchedFolder } from './frameworks/programs.js';
import { policies, schema } from './support/guarded-mcp.js';
import { tokenForTheUser } from './support/user-token.js';

const folder = fetchedFolder('inspector');
if (folder === undefined)
  console.warn('skipped: the inspector. node scripts/test-mcp-frameworks.mjs inspector runs it');
const it = test.skipIf(folder === undefined);

const countersign = fileURLToPath(new URL('../../packages/cli/bin/countersign.js', import.meta.url));
const stdioServer = join(import.meta.dirname, 'frameworks/programs/stdio.mjs');

/** Runs the inspector without a browser. Like other clients it cannot sign. */
async function inspect(home: string, ...args: readonly string[]): Promise<Ran> {
  const launcher = join(folder ?? '', 'node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js');
  return await run(process.env['COUNTERSIGN_NODE22'] ?? process.execPath, [launcher, '--cli', ...args], {
    env: { ...process.env, HOME: home, RAN: join(home, 'ran') },
    deadlineSeconds: 60,
  });
}

function toolsIn({ stdout, stderr }: Ran): readonly string[] {
  expect(stdout, stderr).not.toBe('');
  return (JSON.parse(stdout) as { tools: { name: string }[] }).tools.map(({ name }) => name);
}

describe('The inspector at countersign mcp -- COMMAND', () => {
  let home: string;
  let target: readonly string[];
  beforeAll(async () => {
    if (folder === undefined) return;
    home = mkdtempSync(join(tmpdir(), 'countersign-inspector-'));
    const guard = join(home, 'guard');
    const command = [process.execPath, stdioServer];
    await run(process.execPath, [countersign, 'mcp', 'init', guard, '--', ...command], {});
    const permit = 'permit (principal == Agent::"desktop", action, resource == Tool::"whoami");';
    writeFileSync(join(guard, 'policies/own.cedar'), permit);
    const args = [countersign, 'mcp', '--guard', guard, '--as', 'desktop', '--for', userId, '--', ...command];
    const servers = { guarded: { command: process.execPath, args, env: { RAN: join(home, 'ran') } } };
    writeFileSync(join(home, 'servers.json'), JSON.stringify({ mcpServers: servers }));
    target = ['--config', join(home, 'servers.json'), '--server', 'guarded'];
  });
  afterAll(() => {
    if (folder !== undefined) rmSync(home, { recursive: true });
  });

  it('lists and calls what policy permits, and nothing else', async () => {
    expect(toolsIn(await inspect(home, ...target, '--method', 'tools/list'))).toEqual(['whoami']);
    const called = await inspect(home, ...target, '--method', 'tools/call', '--tool-name', 'whoami');
    expect(JSON.parse(called.stdout)).toMatchObject({ content: [{ text: 'ran' }] });
    const refused = await inspect(home, ...target, '--method', 'tools/call', '--tool-name', 'secret');
    expect([refused.exitCode === 0, `${refused.stdout}${refused.stderr}`]).toEqual([
      false,
      expect.stringMatching(/secret.*not found/i),
    ]);
    expect(readFileSync(join(home, 'ran'), 'utf8')).toBe('whoami\n');
  });
});

describe('The inspector at guardMcpHttp, with a bearer token', () => {
  const audit = memoryAudit();
  let home: string;
  let server: Started;
  beforeAll(async () => {
    if (folder === undefined) return;
    home = mkdtempSync(join(tmpdir(), 'countersign-inspector-'));
    server = await fastMcpBehindTheGuard.start(async (origin) => {
      return await createGuard({
        origin,
        bearer: true,
        agents: agentsFromObjects([]),
        issuers: [{ issuer: issuer.issuer, jwks: { keys: [issuer.jwk] } }],
        policy: await cedarFromText({
          policies: `${policies}permit(principal == Agent::"inspector", action, resource);`,
          schema,
        }),
        audit,
      });
    }, toolsThatNote());
  });
  afterAll(async () => {
    if (folder === undefined) return;
    await server.stop();
    rmSync(home, { recursive: true });
  });

  it('lists and calls what policy permits, and nothing else', async () => {
    const header = `Authorization: Bearer ${await tokenForTheUser(new URL(server.url).origin, { act: undefined, client_id: 'inspector' })}`;
    const target = [server.url, '--transport', 'http', '--header', header];
    expect(toolsIn(await inspect(home, ...target, '--method', 'tools/list'))).toEqual(['whoami', 'query']);
    const called = await inspect(home, ...target, '--method', 'tools/call', '--tool-name', 'whoami');
    expect(JSON.parse(called.stdout)).toMatchObject({ content: [{ text: 'ran' }] });
    const refused = await inspect(home, ...target, '--method', 'tools/call', '--tool-name', 'secret');
    expect(refused.exitCode).not.toBe(0);
    expect(server.ran?.()).toEqual(['whoami']);
    const calls = audit.records.filter(({ call, phase }) => call?.name === 'whoami' && phase === 'decision');
    expect(calls).toMatchObject([{ actor: { id: 'inspector' }, subject: { id: userId }, possession: 'bearer' }]);
  });

  it('is refused without a token', async () => {
    const { exitCode } = await inspect(home, server.url, '--transport', 'http', '--method', 'tools/list');
    expect(exitCode).not.toBe(0);
  });
});
