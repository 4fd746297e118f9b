import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createAgent, generateAgentKey } from '@countersign/agent';
import { agentsFromObjects, bufferedBody, cedarFromText, createGuard, memoryAudit } from '@countersign/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type CliResult, nowSeconds, runCli } from '../run-cli.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-token-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const clock = (): number => nowSeconds * 1000;
const file = (name: string): string => join(folder, name);
const token = async (...more: string[]): Promise<CliResult> => {
  const files = ['--key', file('issuer.pem'), '--jwks', file('issuer-jwks.json')];
  const rights = ['--audience', 'https://api.acme.dev', '--user', '5f1c9a', '--agent', 'agent-a'];
  return await runCli(['token', ...files, ...rights, '--scope', 'order:read', ...more]);
};

describe('token', () => {
  it('makes the key of an issuer once, and a guard with the printed issuer accepts its tokens', async () => {
    const first = await token();
    expect(first.code).toBe(0);
    if (process.platform !== 'win32') expect(statSync(file('issuer.pem')).mode & 0o777).toBe(0o600);
    expect(first.err).toContain(`{ issuer: 'https://id.localhost', jwks: JSON.parse(await readFile('`);
    expect(first.err).toContain("issuers: process.env.NODE_ENV === 'development' ? [\n");
    const second = await token('--ttl', '60');
    expect(second.err).toBe('agent-a may act for 5f1c9a at https://api.acme.dev for 60 s.\n');

    const key = generateAgentKey();
    const guard = await createGuard({
      origin: 'https://api.acme.dev',
      agents: agentsFromObjects([key.registration('agent-a', ['order:read'])]),
      issuers: [{ issuer: 'https://id.localhost', jwks: JSON.parse(readFileSync(file('issuer-jwks.json'), 'utf8')) }],
      policy: await cedarFromText({ policies: 'permit(principal, action, resource);' }),
      audit: memoryAudit(),
      clock,
    });
    const agent = await createAgent({ id: 'agent-a', key, clock });
    for (const { out } of [first, second]) {
      const signer = agent.withToken(out.trim());
      const { method, headers } = await signer.signRequest({ method: 'GET', url: 'https://api.acme.dev/orders' });
      const rawHeaders = Object.entries({ host: 'api.acme.dev', ...headers }).flat();
      const body = bufferedBody(Buffer.alloc(0));
      expect(await guard.authenticate({ method, target: '/orders', rawHeaders, body })).toMatchObject({
        ok: true,
        caller: { subject: { id: '5f1c9a' }, actor: { id: 'agent-a' }, scope: ['order:read'] },
      });
    }
    await guard.close();
  });

  it('never replaces a key, and does not mint with one that the API does not know', async () => {
    writeFileSync(file('issuer-jwks.json'), '{"keys":[{"kty":"OKP"},{}]}');
    expect(await token()).toMatchObject({ code: 1, out: '', err: expect.stringContaining('but not its private key') });
    rmSync(file('issuer-jwks.json'));
    await token();
    writeFileSync(file('issuer-jwks.json'), '[');
    expect(await token()).toMatchObject({ code: 2, out: '', err: expect.stringContaining('the public key of') });
    writeFileSync(file('issuer.pem'), 'x');
    expect(await token()).toMatchObject({ code: 2, err: expect.stringContaining('is no private key in PEM') });
  });

  it.each([
    [['--ttl', '0'], '--ttl must be a whole number'],
    [['--ttl', '99999'], 'lifetimeSeconds must be whole, 1 to 86400'],
    [['--issuer', ''], "option 'issuer'"],
    [['--scope', ''], 'scope'],
  ])('refuses %j', async (args, problem) => {
    expect(await token(...args)).toMatchObject({ code: 2, out: '', err: expect.stringContaining(problem) });
  });
});
