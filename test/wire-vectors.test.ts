import { createHash } from 'node:crypto';
import { agentsFromObjects, bufferedBody, createGuard, memoryAudit, memoryReplayStore } from '@countersign/core';
import { describe, expect, it } from 'vitest';
import { blocksOf, readPage } from './docs/blocks.js';
import { keyFromSeed, type TestKey } from './support/keys.js';
import { fieldsNamed, signatureBase } from './support/signed-request.js';

const page = readPage('docs/reference/wire-vectors.md');
const seedFrom = (first: number): Uint8Array => Uint8Array.from({ length: 32 }, (_, index) => first + index);
const issuer = keyFromSeed(seedFrom(0x20));
const orchestrator = keyFromSeed(seedFrom(0));
const runner = keyFromSeed(seedFrom(0x40));

/** The one block of this language. */
function printed(language: string): string {
  const blocks = blocksOf(page).filter((block) => block.language === language);
  expect(blocks, language).toHaveLength(1);
  return (blocks[0]?.code ?? '').replace(/\n$/, '');
}

function jws(header: string, payload: string, key: TestKey): string {
  const signed = [header, payload].map((part) => Buffer.from(part).toString('base64url')).join('.');
  return `${signed}.${key.sign(Buffer.from(signed)).toString('base64url')}`;
}

const token = printed('token');
const link = printed('link');
const [requestLine = '', ...fieldLines] = printed('http-message').split('\n');
const [method = '', target = ''] = requestLine.split(' ');
const fields = fieldLines.map((line): [string, string] => {
  const [, name = '', value = ''] = /^([^:]+): (.*)$/.exec(line) ?? [];
  return [name, value];
});

describe('docs/reference/wire-vectors.md', () => {
  it.each([
    ['issuer', '202122…3f', issuer],
    ['orchestrator', '000102…1f', orchestrator],
    ['test runner', '404142…5f', runner],
  ])('prints the key of the %s', (_who, seed, key) => {
    expect(page.text).toContain(`| \`${seed}\` | \`${key.publicBase64}\` | \`${key.thumbprint}\` |`);
  });

  it('prints a token that is made of its header and payload', () => {
    expect(token).toBe(jws(printed('token-header'), printed('token-payload'), issuer));
  });

  it('prints a link that is made of its header and payload, with pth over the token', () => {
    expect(link).toBe(jws(printed('link-header'), printed('link-payload'), orchestrator));
    const pth = createHash('sha256').update(token).digest('base64url');
    expect(page.text).toContain(`| \`pth\` of a link that follows it | \`${pth}\` |`);
    expect(JSON.parse(printed('link-payload'))).toMatchObject({ pth });
    expect(JSON.parse(printed('link-header'))).toMatchObject({ kid: orchestrator.thumbprint });
  });

  it('prints a signature base that is made of the request, and its signature', () => {
    const [input = ''] = fieldsNamed({ fields }, 'signature-input');
    const [, covered = '', parameters = ''] = /^sig=\((.*?)\)(.*)$/.exec(input) ?? [];
    const base = signatureBase({ method, target, fields, body: Buffer.alloc(0) }, covered.split(' '), parameters);
    expect(base).toBe(printed('signature-base'));
    const signature = runner.sign(Buffer.from(base)).toString('base64');
    expect(fieldsNamed({ fields }, 'signature')).toEqual([`sig=:${signature}:`]);
  });

  it('prints a request that carries the token and the link, and that a guard accepts once', async () => {
    const capabilities = ['repo', 'pr'];
    const guard = await createGuard({
      origin: 'https://api.acme.dev',
      agents: agentsFromObjects([
        { id: 'agent-orchestrator', publicKey: orchestrator.publicBase64, capabilities },
        { id: 'agent-test-runner', publicKey: runner.publicBase64, capabilities },
      ]),
      issuers: [{ issuer: 'https://id.acme.dev', jwks: { keys: [{ ...issuer.publicJwk, kid: 'issuer-1' }] } }],
      policy: {
        scopeVocabulary: [],
        decide: () => ({ decision: 'deny', cause: 'policy', policies: [], policySet: '', errors: [] }),
      },
      audit: memoryAudit(),
      clock: () => 1_764_000_030_000,
      // It began before the page was signed.
      replay: memoryReplayStore({ clock: () => 1_763_999_999_000 }),
    });
    const send = () =>
      guard.authenticate({ method, target, rawHeaders: fields.flat(), body: bufferedBody(Buffer.alloc(0)) });
    expect(fieldsNamed({ fields }, 'authorization')).toEqual([`Bearer ${token}`]);
    expect(fieldsNamed({ fields }, 'agent-delegation')).toEqual([link]);
    expect(await send()).toMatchObject({
      ok: true,
      caller: { subject: { id: 'user_123' }, actor: { id: 'agent-test-runner' }, scope: ['repo:read'] },
    });
    expect(await send()).toMatchObject({ ok: false, refusal: { code: 'signature_replayed' } });
  });
});
