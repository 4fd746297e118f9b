import { createHash, generateKeyPairSync, sign, verify } from 'node:crypto';
import * as fc from 'fast-check';
import { compactVerify, decodeProtectedHeader } from 'jose';
import { describe, expect, it } from 'vitest';
import { DelegationError, type DelegationErrorCode } from '../src/error.js';
import { type LinkClaims, readLink } from '../src/link.js';
import { draftLink, type LinkSigner, mintLink, type MintLinkOptions } from '../src/mint-link.js';
import { NOW, OTHER_THUMBPRINT, RFC8037_THUMBPRINT } from './support.js';

const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const signer: LinkSigner = { keyId: RFC8037_THUMBPRINT, sign: (bytes) => sign(null, bytes, privateKey) };

const OPTIONS: MintLinkOptions = {
  delegator: 'agent-1',
  signer,
  delegate: 'agent-2',
  scope: 'repo:read',
  audience: 'https://api.example',
  lifetimeSeconds: 60,
  now: NOW,
};

/** Mints with some options replaced; as `Record` so that wrong types can be tried. */
const mint = (replaced: Record<string, unknown> = {}): Promise<string> => mintLink({ ...OPTIONS, ...replaced });

const hash = (text: string): string => createHash('sha256').update(text, 'ascii').digest('base64url');

async function payloadOf(link: string): Promise<unknown> {
  return JSON.parse(Buffer.from((await compactVerify(link, publicKey)).payload).toString('utf8'));
}

async function claimsOf(replaced: Record<string, unknown> = {}): Promise<LinkClaims> {
  const read = readLink(await payloadOf(await mint(replaced)));
  if (!read.ok) throw new Error(read.code);
  return read.link;
}

async function errorOf(minting: Promise<string>): Promise<DelegationError> {
  const error: unknown = await minting.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(DelegationError);
  return error as DelegationError;
}

describe('draftLink', () => {
  it('returns the claims to be minted, and refuses claims that cannot be minted', async () => {
    const { signer: _, ...draft } = { ...OPTIONS, id: 'link-1', maxHops: 1, delegateKeyThumbprint: OTHER_THUMBPRINT };
    expect(draftLink(draft)).toEqual(await claimsOf(draft));
    expect(() => draftLink({ ...draft, scope: [] })).toThrow(DelegationError);
    expect(() => draftLink({ ...draft, delegate: 'agent-1' })).toThrow(DelegationError);
  });
});

describe('mintLink', () => {
  it('mints a JWT of its own type under the key of the delegator', async () => {
    const link = await mint({ id: 'link-1' });
    expect(decodeProtectedHeader(link)).toEqual({ typ: 'delegation+jwt', alg: 'EdDSA', kid: RFC8037_THUMBPRINT });
    expect(await payloadOf(link)).toEqual({
      iss: 'agent-1',
      sub: 'agent-2',
      aud: 'https://api.example',
      scope: 'repo:read',
      iat: NOW,
      exp: NOW + 60,
      jti: 'link-1',
    });
  });

  it('signs what node:crypto verifies', async () => {
    const [header, payload, signature] = (await mint()).split('.') as [string, string, string];
    const signed = Buffer.from(`${header}.${payload}`);
    expect(verify(null, signed, publicKey, Buffer.from(signature, 'base64url'))).toBe(true);
  });

  it('delegates a token, then that link: pth is the hash of the parent', async () => {
    const token = 'eyJhbGciOiJFZERTQSJ9.e30.c2ln';
    const first = await mint({ parent: token });
    expect(await payloadOf(first)).toMatchObject({ pth: hash(token) });
    expect(await payloadOf(await mint({ parent: first }))).toMatchObject({ pth: hash(first) });
  });

  it('gives each link its own id', async () => {
    expect((await claimsOf()).id).not.toBe((await claimsOf()).id);
  });

  it('awaits an asynchronous signer', async () => {
    const remote = { ...signer, sign: async (bytes: Uint8Array) => signer.sign(bytes) };
    expect((await claimsOf({ signer: remote })).subject).toBe('agent-2');
  });

  it('calls the signer as a method of its object', async () => {
    class Held implements LinkSigner {
      readonly keyId = RFC8037_THUMBPRINT;
      readonly #key = privateKey;
      sign(bytes: Uint8Array): Uint8Array {
        return sign(null, bytes, this.#key);
      }
    }
    expect((await claimsOf({ signer: new Held() })).subject).toBe('agent-2');
  });

  it('mints a link that readLink accepts', async () => {
    const id = fc.stringMatching(/^[a-z0-9_:@/.-]{1,20}$/);
    const text = fc.stringMatching(/^[a-z:/.]{1,20}$/);
    const scope = fc.uniqueArray(fc.stringMatching(/^[a-z]{1,5}(:[a-z]{1,5}){0,2}$/), { minLength: 1, maxLength: 5 });
    const detail = fc.record({ type: id, actions: fc.array(text, { minLength: 1, maxLength: 3 }), identifier: id });
    const options = fc.record(
      {
        scope,
        audience: fc.uniqueArray(text, { minLength: 1, maxLength: 3 }),
        lifetimeSeconds: fc.integer({ min: 1, max: 86_400 }),
        authorizationDetails: fc.array(detail, { minLength: 1, maxLength: 3 }),
        maxHops: fc.nat(5),
        delegateKeyThumbprint: fc.constant(OTHER_THUMBPRINT),
        id,
      },
      { requiredKeys: ['scope', 'audience', 'lifetimeSeconds', 'id'] },
    );
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(id, { minLength: 2, maxLength: 2 }), options, async ([from, to], chosen) => {
        const { lifetimeSeconds, delegateKeyThumbprint, ...same } = chosen;
        expect(await claimsOf({ delegator: from, delegate: to, ...chosen })).toEqual({
          issuer: from,
          subject: to,
          issuedAt: NOW,
          expiresAt: NOW + lifetimeSeconds,
          ...same,
          ...(delegateKeyThumbprint !== undefined && { confirmation: { jkt: delegateKeyThumbprint } }),
        });
      }),
      { numRuns: 50 },
    );
  });
});

describe('mistakes of the program', () => {
  it.each<[Record<string, unknown>, DelegationErrorCode]>([
    [{ delegate: 'agent-1' }, 'delegate_is_delegator'],
    [{ delegator: '' }, 'issuer_malformed'],
    [{ delegate: undefined }, 'subject_malformed'],
    [{ scope: '' }, 'scope_malformed'],
    [{ scope: [] }, 'scope_malformed'],
    [{ scope: ['repo admin'] }, 'scope_malformed'],
    [{ audience: undefined }, 'audience_malformed'],
    [{ lifetimeSeconds: 0 }, 'lifetime_invalid'],
    [{ lifetimeSeconds: 86_401 }, 'lifetime_invalid'],
    [{ lifetimeSeconds: NaN }, 'lifetime_invalid'],
    [{ now: NOW * 1000 }, 'times_invalid'],
    [{ now: undefined }, 'times_invalid'],
    [{ id: '' }, 'token_id_malformed'],
    [{ maxHops: -1 }, 'max_hops_malformed'],
    [{ authorizationDetails: [] }, 'authorization_details_malformed'],
    [{ delegateKeyThumbprint: 'short' }, 'confirmation_malformed'],
    [{ parent: '' }, 'parent_unusable'],
    [{ parent: 'Bearer eyJh.e30.c2ln' }, 'parent_unusable'],
    [{ parent: 'eyJh.e30.c2ln\n' }, 'parent_unusable'],
    [{ parent: 'eyJh.e30' }, 'parent_unusable'],
    [{ parent: 7 }, 'parent_unusable'],
    [{ parent: null }, 'parent_unusable'],
    [{ maxHop: 0 }, 'option_unknown'],
    [{ maxHops: undefined }, 'option_undefined'],
    [{ authorizationDetails: [{ type: 'Repo', actions: undefined }] }, 'option_undefined'],
    [{ authorizationDetails: [{ type: 'Repo', identifiers: ['1'] }] }, 'option_unknown'],
    [{ signer: undefined }, 'key_unusable'],
    [{ signer: null }, 'key_unusable'],
    [{ signer: { ...signer, keyId: 'agent-1' } }, 'key_unusable'],
    [{ signer: { keyId: RFC8037_THUMBPRINT } }, 'key_unusable'],
    [{ signer: { ...signer, sign: () => new Uint8Array(63) } }, 'key_unusable'],
    [{ signer: { ...signer, sign: () => new Uint8Array(65) } }, 'key_unusable'],
    [{ signer: { ...signer, sign: () => 'x'.repeat(64) } }, 'key_unusable'],
    [{ signer: { ...signer, sign: () => undefined } }, 'key_unusable'],
    [{ signer: { ...signer, sign: () => Promise.reject(new Error('no connection')) } }, 'key_unusable'],
  ])('%j is refused as %s', async (replaced, code) => {
    expect((await errorOf(mint(replaced))).code).toBe(code);
  });

  it('keep the underlying error as their cause', async () => {
    const cause = new Error('no connection');
    const failing = { ...signer, sign: () => Promise.reject(cause) };
    expect((await errorOf(mint({ signer: failing }))).cause).toBe(cause);
  });
});
