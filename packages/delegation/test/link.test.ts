import { createHash } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parentHash, readLink } from '../src/link.js';
import { checkAudience, checkTimes } from '../src/validity.js';
import { LINK_PAYLOAD, linkVerdict, linkWith, NOW, OTHER_THUMBPRINT, RFC8037_JWK } from './support.js';

describe('readLink', () => {
  it('reads every claim', () => {
    const details = [{ type: 'Repo', identifier: 'acme/api' }];
    expect(
      linkWith({
        aud: ['https://api.example', 'b'],
        scope: 'repo:read pr',
        authorization_details: details,
        pth: OTHER_THUMBPRINT,
        max_hops: 2,
        cnf: { jkt: OTHER_THUMBPRINT },
      }),
    ).toEqual({
      issuer: 'agent-1',
      subject: 'agent-2',
      audience: ['https://api.example', 'b'],
      scope: ['repo:read', 'pr'],
      authorizationDetails: details,
      issuedAt: NOW,
      expiresAt: NOW + 60,
      id: 'link-1',
      parentHash: OTHER_THUMBPRINT,
      maxHops: 2,
      confirmation: { jkt: OTHER_THUMBPRINT },
    });
  });

  it('omits absent claims', () => {
    expect(linkWith()).toEqual({
      issuer: 'agent-1',
      subject: 'agent-2',
      audience: ['https://api.example'],
      scope: ['repo:read'],
      issuedAt: NOW,
      expiresAt: NOW + 60,
      id: 'link-1',
    });
  });

  it.each([['a string'], [7], [null], [undefined], [[]], [[LINK_PAYLOAD]], [true]])(
    'refuses %j as claims',
    (payload) => {
      expect(readLink(payload)).toMatchObject({ ok: false, code: 'claims_malformed' });
    },
  );

  it('takes no claim from a prototype', () => {
    expect(readLink(Object.create(LINK_PAYLOAD))).toMatchObject({ code: 'issuer_malformed' });
  });

  it.each([['nbf'], ['act'], ['may_act'], ['status'], ['client_id'], ['ISS'], ['maxHops'], ['constructor']])(
    'refuses a claim that could be meant as a limit, and would be dropped: %s [C6]',
    (name) => {
      expect(linkVerdict({ [name]: 1 })).toBe('link_claim_unknown');
    },
  );

  const ids = [undefined, '', null, 7, ['a'], { id: 'a' }, 'a\nb', 'a\u200b', ' a', 'a ', 'e\u0301', 'x'.repeat(257)];

  it.each(ids.map((id) => [id]))('refuses %j as iss, sub and jti [C5]', (id) => {
    expect(linkVerdict({ iss: id })).toBe('issuer_malformed');
    expect(linkVerdict({ sub: id })).toBe('subject_malformed');
    expect(linkVerdict({ jti: id })).toBe('token_id_malformed');
  });

  it('refuses a link from an agent to itself [C2]', () => {
    expect(linkVerdict({ sub: 'agent-1' })).toBe('delegate_is_delegator');
    expect(linkVerdict({ sub: 'Agent-1' })).toBe('ok');
  });

  it.each([[undefined], [null], [''], [7], [[]], [['']], [{ 0: 'https://api.example' }]])(
    'refuses %j as aud [B5]',
    (aud) => {
      expect(linkVerdict({ aud })).toBe('audience_malformed');
    },
  );

  it.each([[undefined], ['1800000000'], [null], [NaN], [Infinity], [-1], [1.5], [1e308], [2 ** 53]])(
    'refuses %j as iat and exp [B6]',
    (seconds) => {
      expect(linkVerdict({ iat: seconds })).toBe('issued_at_malformed');
      expect(linkVerdict({ exp: seconds })).toBe('expiry_malformed');
    },
  );

  it('refuses a link whose exp is not after its iat [B6]', () => {
    expect(linkVerdict({ exp: NOW })).toBe('expiry_malformed');
    expect(linkVerdict({ exp: NOW - 1 })).toBe('expiry_malformed');
    expect(linkVerdict({ exp: NOW + 1 })).toBe('ok');
  });

  it.each([[undefined], [''], [null], [['repo']], ['repo  pr'], ['repo:'], ['*\u00a0*']])(
    'refuses %j as scope [B7]',
    (scope) => {
      expect(linkVerdict({ scope })).toBe('scope_malformed');
    },
  );

  it.each([
    [''],
    [null],
    [7],
    ['short'],
    [`${OTHER_THUMBPRINT}=`],
    [OTHER_THUMBPRINT.replace(/A$/, 'B')],
    [[OTHER_THUMBPRINT]],
  ])('refuses %j as pth [C2]', (pth) => {
    expect(linkVerdict({ pth })).toBe('parent_hash_malformed');
  });

  it.each([[null], ['1'], [-1], [1.5], [NaN], [Infinity], [2 ** 53], [[1]]])(
    'refuses %j as max_hops [C6]',
    (maxHops) => {
      expect(linkVerdict({ max_hops: maxHops })).toBe('max_hops_malformed');
    },
  );

  it.each<[unknown, string]>([
    [null, 'confirmation_malformed'],
    [{}, 'confirmation_unsupported'],
    [{ jkt: 'short' }, 'confirmation_malformed'],
    [{ 'x5t#S256': OTHER_THUMBPRINT }, 'confirmation_unsupported'],
    [{ jwk: { kty: 'EC' } }, 'confirmation_unsupported'],
    [{ jwk: RFC8037_JWK }, 'confirmation_unsupported'],
  ])('refuses %j as cnf, because only an issuer vouches for a key [B8]', (cnf, code) => {
    expect(linkVerdict({ cnf })).toBe(code);
  });

  it('returns a constant detail that never echoes the refused value', () => {
    const refusals = ['\r\nroot', 'x'.repeat(1e5), 7].map((sub) => JSON.stringify(readLink({ ...LINK_PAYLOAD, sub })));
    expect(new Set(refusals).size).toBe(1);
  });

  it('never throws', () => {
    const name = fc.constantFrom(...Object.keys(LINK_PAYLOAD), 'pth', 'max_hops', 'cnf', 'authorization_details');
    const replaced = fc.dictionary(name, fc.oneof(fc.jsonValue({ maxDepth: 3 }), fc.anything()), { maxKeys: 3 });
    fc.assert(
      fc.property(fc.oneof(fc.anything(), replaced), (payload) => {
        expect(typeof readLink(payload).ok).toBe('boolean');
        if (typeof payload === 'object') expect(typeof readLink({ ...LINK_PAYLOAD, ...payload }).ok).toBe('boolean');
      }),
      { numRuns: 500 },
    );
  });
});

describe('times and audience of a link', () => {
  it('are checked like those of a token, against the claims of the link [B6]', () => {
    const options = { now: NOW, clockSkewSeconds: 5, maxLifetimeSeconds: 60 };
    expect(checkTimes(linkWith(), options)).toBeUndefined();
    expect(checkTimes(linkWith({ exp: NOW + 61 }), options)?.code).toBe('token_lifetime_too_long');
    expect(checkTimes(linkWith(), { ...options, now: NOW + 65 })?.code).toBe('token_expired');
    expect(checkTimes(linkWith(), { ...options, now: NOW - 6 })?.code).toBe('token_issued_in_future');
    expect(checkAudience(linkWith(), ['https://api.example'])).toBeUndefined();
    expect(checkAudience(linkWith(), ['https://b.example'])?.code).toBe('audience_mismatch');
  });
});

describe('parentHash', () => {
  it('is the SHA-256 of the text as sent', () => {
    // FIPS 180-4, the example of one block.
    expect(parentHash('abc')).toBe(
      Buffer.from('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad', 'hex').toString('base64url'),
    );
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(parentHash(text)).toBe(createHash('sha256').update(Buffer.from(text)).digest('base64url'));
      }),
      { numRuns: 50 },
    );
  });
});
