import { createHash, createPublicKey, verify } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import {
  type AgentRegistration,
  agentsFromObjects,
  bufferedBody,
  createGuard,
  memoryReplayStore,
  type Guard,
  memoryAudit,
  refusalCodes,
  type RefusalResponse,
} from '@countersign/core';
import { describe, expect, it } from 'vitest';
import { keyFromSeed, keyNamed } from './support/keys.js';
import { type Field, sha256Digest, signatureBase, signedRequest } from './support/signed-request.js';

const page = readFileSync(new URL('../docs/reference/wire-profile.md', import.meta.url), 'utf8');

/** The fenced block of this language; the page has exactly one of each of ours. */
function fenced(language: string): string {
  const blocks = [...page.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)\\n\`\`\`$`, 'gms'))];
  expect(blocks, language).toHaveLength(1);
  return blocks[0]?.[1] ?? '';
}

function tableRow(name: string): string {
  return new RegExp(`^\\| ${name} \\| \`(.*)\` \\|$`, 'm').exec(page)?.[1] ?? `no row ${name}`;
}

const base = fenced('signature-base');
const [head = '', body = ''] = fenced('http-message').split('\n\n');
const [requestLine = '', ...fieldLines] = head.split('\n');
const fields = fieldLines.map((line) => /^([^:]+): (.*)$/.exec(line)?.slice(1, 3) ?? []) as [string, string][];
const field = (name: string) => fields.find(([known]) => known === name)?.[1] ?? `no field ${name}`;
const key = keyFromSeed(Uint8Array.from({ length: 32 }, (_, index) => index));

function guardAt(
  seconds: number,
  agents: readonly AgentRegistration[] = [{ id: 'agent-of-the-page', publicKey: key.publicBase64 }],
): Promise<Guard> {
  return createGuard({
    origin: 'https://api.acme.dev',
    agents: agentsFromObjects(agents),
    policy: {
      scopeVocabulary: [],
      decide: () => ({ decision: 'deny', cause: 'policy', policies: [], policySet: '', errors: [] }),
    },
    audit: memoryAudit(),
    clock: () => seconds * 1000,
    // It began before the page was signed.
    replay: memoryReplayStore({ clock: () => 1_763_999_999_000 }),
  });
}

describe('The complete example of docs/reference/wire-profile.md', () => {
  it('the printed key is the seed 000102…1f', () => {
    const pem = /-----BEGIN PRIVATE KEY-----[^`]*-----END PRIVATE KEY-----/.exec(page)?.[0] ?? '';
    expect(createPublicKey(pem).equals(key.publicKey)).toBe(true);
    expect(tableRow('public key, base64')).toBe(key.publicBase64);
    expect(tableRow('thumbprint')).toBe(key.thumbprint);
    expect(tableRow('body')).toBe(body);
  });

  it('the digest is that of the body', () => {
    expect(field('Content-Digest')).toBe(sha256Digest(body));
    expect(field('Content-Digest')).toBe(`sha-256=:${createHash('sha256').update(body).digest('base64')}:`);
  });

  it('the base of the request has seven lines and no line feed at the end', () => {
    const [, list = '', parameters = ''] = /^sig=\((.*?)\)(.*)$/.exec(field('Signature-Input')) ?? [];
    const [method = '', target = ''] = requestLine.split(' ');
    const made = signatureBase({ method, target, fields, body: Buffer.from(body) }, list.split(' '), parameters);
    expect(made).toBe(base);
    expect(base.split('\n')).toHaveLength(7);
  });

  it('the signature is Ed25519 over the base', () => {
    const signature = Buffer.from(/^sig=:(.*):$/.exec(field('Signature'))?.[1] ?? '', 'base64');
    expect(signature).toHaveLength(64);
    expect(verify(null, Buffer.from(base), key.publicKey, signature)).toBe(true);
    expect(key.sign(Buffer.from(base)).equals(signature)).toBe(true);
  });

  const [method = '', target = ''] = requestLine.split(' ');
  const request = (sent = body) => ({
    method,
    target,
    rawHeaders: fields.flat(),
    body: bufferedBody(Buffer.from(sent)),
  });

  it('a guard accepts it at its time, once', async () => {
    const guard = await guardAt(1_764_000_030);
    expect(await guard.authenticate(request())).toMatchObject({
      ok: true,
      caller: { actor: { id: 'agent-of-the-page' } },
    });
    expect(await guard.authenticate(request())).toMatchObject({ ok: false, refusal: { code: 'signature_replayed' } });
  });

  it('a guard accepts it with components and parameters in any other order', async () => {
    const unsigned = fields.filter(([name]) => !name.startsWith('Signature'));
    const [, list = '', parameters = ''] = /^sig=\((.*?)\)(.*)$/.exec(field('Signature-Input')) ?? [];
    const components = list.split(' ').toReversed();
    const turned = `;${parameters.slice(1).split(';').toReversed().join(';')}`;
    const message = { method, target, fields: unsigned, body: Buffer.from(body) };
    const signature = key.sign(Buffer.from(signatureBase(message, components, turned))).toString('base64');
    const guard = await guardAt(1_764_000_030);
    const answered = await guard.authenticate({
      ...request(),
      rawHeaders: [
        ...unsigned.flat(),
        'Signature',
        `sig=:${signature}:`,
        'Signature-Input',
        `sig=(${components.join(' ')})${turned}`,
      ],
    });
    expect(answered).toMatchObject({ ok: true });
  });

  it('a guard refuses it with another body, and a minute later', async () => {
    const guard = await guardAt(1_764_000_030);
    const other = request(body.replace('true', 'false'));
    expect(await guard.authenticate(other)).toMatchObject({ ok: false, refusal: { code: 'digest_mismatch' } });
    const later = await guardAt(1_764_000_065);
    expect(await later.authenticate(request())).toMatchObject({ ok: false, refusal: { code: 'signature_expired' } });
  });
});

const answer = async (code: 'signature_replayed'): Promise<RefusalResponse> => {
  const made = await guardAt(1_764_000_000);
  return made.respond({ code, status: 401, title: 'This signature was used before.', fault: 'client' });
};

describe('The link of docs/reference/wire-profile.md', () => {
  const link = fenced('link');

  it('encodes the printed header and payload, signed with the key of the page', () => {
    const parts = [fenced('link-header'), fenced('link-payload')];
    const signed = parts.map((part) => Buffer.from(part).toString('base64url')).join('.');
    expect(link).toBe(`${signed}.${key.sign(Buffer.from(signed)).toString('base64url')}`);
    expect(JSON.parse(fenced('link-header'))).toMatchObject({ kid: key.thumbprint });
    expect(tableRow('`pth` of a link that follows it')).toBe(createHash('sha256').update(link).digest('base64url'));
  });

  it('gives its delegate its rights, at its time', async () => {
    const runner = keyNamed('test runner of the page');
    const send = async (seconds: number) => {
      const guard = await guardAt(seconds, [
        { id: 'agent-orchestrator', publicKey: key.publicBase64, capabilities: ['repo'] },
        { id: 'agent-test-runner', publicKey: runner.publicBase64, capabilities: ['repo', 'pr'] },
      ]);
      const host = 'api.acme.dev';
      const fields: Field[] = [['Agent-Delegation', link]];
      const request = signedRequest({ key: runner, host, scheme: 'https', fields, now: seconds });
      return guard.authenticate({ ...request, rawHeaders: request.fields.flat(), body: bufferedBody(request.body) });
    };
    expect(await send(1_764_000_030)).toMatchObject({
      ok: true,
      caller: { subject: { id: 'agent-orchestrator' }, actor: { id: 'agent-test-runner' }, scope: ['repo:read'] },
    });
    expect(await send(1_764_000_306)).toMatchObject({ ok: false, refusal: { code: 'delegation_expired' } });
  });
});

describe('Other examples of docs/reference/wire-profile.md', () => {
  it('the problem details equal those of a guard', async () => {
    expect((await answer('signature_replayed')).body).toBe(fenced('json'));
  });

  it('the summary request covers the components of Accept-Signature', async () => {
    const overview = /Signature-Input: sig=\((.*?)\)/.exec(fenced('http'))?.[1];
    const asked = /^sig=\((.*?)\)/.exec((await answer('signature_replayed')).headers['accept-signature'] ?? '')?.[1];
    expect(overview).toBe(asked);
  });

  it('every code named on the page exists', () => {
    const named = [...page.matchAll(/\(`([a-z]+(?:_[a-z]+)+)`\)/g)].map(([, code]) => code);
    expect(named.length).toBeGreaterThan(2);
    for (const code of named) expect(refusalCodes).toContain(code);
  });

  it('every page and script that it links to exists', () => {
    const links = [...page.matchAll(/\]\((?!https?:)([^)#]+)\)/g)].map(([, link]) => link ?? '');
    expect(links).not.toEqual([]);
    for (const link of links)
      expect(() => readFileSync(new URL(`../docs/reference/${link}`, import.meta.url))).not.toThrow();
  });

  it('the client in shell is a script', () => {
    execFileSync('bash', ['-n', new URL('../docs/reference/sign-with-openssl.sh', import.meta.url).pathname]);
  });
});
