import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createAgent, loadAgentKey } from '@countersign/agent';
import { agentsFromObjects, bufferedBody, createGuard, memoryAudit } from '@countersign/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run } from '../support/run.js';
import { root } from '../support/workspace.js';
import { type Block, blocksOf, readPage } from './blocks.js';
import { compile, compiled } from './program.js';

const blocks = blocksOf(readPage('docs/guides/tokens.md')).filter(({ language }) => language === 'ts');
const blockWith = (text: string): Block => {
  const found = blocks.find(({ code }) => code.includes(text));
  if (found === undefined) throw new Error(`docs/guides/tokens.md has no block with ${text}`);
  return found;
};
const printedKey = /-----BEGIN.*?KEY-----\n.*?-----END PRIVATE KEY-----/s.exec(
  readPage('docs/reference/wire-profile.md').text,
);

describe('docs/guides/tokens.md', () => {
  const keys = blockWith('generateKeyPairSync');
  const minting = blockWith('await mintDelegation(');
  const trust = blockWith('IssuerOptions');
  let folder: string;
  let token: string;

  async function play(block: Block, name: string): Promise<string> {
    await writeFile(join(folder, name), await compiled(folder, block));
    const { stdout, stderr, exitCode } = await run(process.execPath, [name], { cwd: folder });
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    return stdout.trim();
  }

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'countersign-tokens-'));
    await compile(folder, [keys, minting, trust]);
    await play(keys, 'keys.js');
    token = await play(minting, 'mint.js');
  }, 60_000);
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('makes a private key that only its owner may read, and does not overwrite it', async () => {
    expect((await stat(join(folder, 'issuer.pem'))).mode & 0o077).toBe(0);
    const { exitCode, stderr } = await run(process.execPath, ['keys.js'], { cwd: folder });
    expect(exitCode).not.toBe(0);
    expect(stderr).toContain('EEXIST');
  });

  it('mints a token that a guard with the printed issuers accepts from the agent that it names', async () => {
    await writeFile(join(folder, 'issuers.js'), await compiled(folder, trust));
    const print = "import { issuers } from './issuers.js'; console.log(JSON.stringify(issuers));";
    const args = ['--input-type=module', '--eval', print];
    const { stdout } = await run(process.execPath, args, { cwd: folder });
    const key = loadAgentKey(printedKey?.[0] ?? 'no key');
    const guard = await createGuard({
      origin: 'https://api.acme.dev',
      agents: agentsFromObjects([key.registration('agent-code-reviewer-01', ['pr:write'])]),
      issuers: JSON.parse(stdout) as [],
      policy: {
        scopeVocabulary: [],
        decide: () => ({ decision: 'deny', cause: 'policy', policies: [], policySet: '', errors: [] }),
      },
      audit: memoryAudit(),
    });
    const agent = await createAgent({ id: 'agent-code-reviewer-01', key });
    const url = 'https://api.acme.dev/repos/acme/api';
    const { method, headers } = await agent.withToken(token).signRequest({ method: 'GET', url });
    const rawHeaders = Object.entries({ host: 'api.acme.dev', ...headers }).flat();
    const body = bufferedBody(Buffer.alloc(0));
    expect(await guard.authenticate({ method, target: '/repos/acme/api', rawHeaders, body })).toMatchObject({
      ok: true,
      caller: { subject: { id: 'user_123' }, actor: { id: 'agent-code-reviewer-01' }, scope: ['pr:write:draft'] },
    });
  });

  it('mints a token that `countersign inspect` verifies as printed', async () => {
    const cli = join(root, 'packages/cli/bin/countersign.js');
    const args = [cli, 'inspect', token, '--json', '--issuer-jwks', 'issuer-jwks.json'];
    const shown = await run(process.execPath, args, { cwd: folder });
    expect(shown.exitCode, shown.stderr).toBe(0);
    expect(JSON.parse(shown.stdout)).toMatchObject({ verified: true });
  });
});
