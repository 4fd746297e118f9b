import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readClaims } from '../src/claims.js';
import { claimsWith, NOW, OTHER_THUMBPRINT, PAYLOAD, RFC8037_THUMBPRINT, verdict } from './support.js';

/** A nest of `depth` actors. */
function nest(actors: number): unknown {
  let act: unknown;
  for (let depth = 0; depth < actors; depth++) act = { sub: `agent-${depth}`, ...(depth > 0 && { act }) };
  return act;
}

describe('readClaims', () => {
  it('reads every claim', () => {
    expect(claimsWith({ nbf: NOW - 1, aud: ['https://api.example', 'b'], cnf: { jkt: RFC8037_THUMBPRINT } })).toEqual({
      issuer: 'https://id.example',
      subject: 'user_123',
      audience: ['https://api.example', 'b'],
      expiresAt: NOW + 300,
      issuedAt: NOW,
      notBefore: NOW - 1,
      id: 'delegation-1',
      clientId: 'agent-1',
      scope: ['repo:read', 'pr:write'],
      actor: { subject: 'agent-1' },
      priorActors: [],
      confirmation: { jkt: RFC8037_THUMBPRINT },
    });
  });

  it('omits absent claims', () => {
    const { iss, sub, aud, exp } = PAYLOAD;
    expect(readClaims({ iss, sub, aud, exp })).toEqual({
      ok: true,
      claims: { issuer: iss, subject: sub, audience: [aud], expiresAt: exp, scope: [], priorActors: [] },
    });
  });

  it.each([['a string'], [7], [null], [undefined], [[]], [[PAYLOAD]], [true]])('refuses %j as claims', (payload) => {
    expect(readClaims(payload)).toMatchObject({ ok: false, code: 'claims_malformed' });
  });

  it('takes no claim from a prototype', () => {
    expect(readClaims(Object.create(PAYLOAD))).toMatchObject({ code: 'issuer_malformed' });
    const inherited: unknown = JSON.parse('{"__proto__": {"act": {"sub": "agent-1"}}}');
    expect(claimsWith({ act: undefined, ...(inherited as object) }).actor).toBeUndefined();
  });

  it('returns a constant detail that never echoes the refused value', () => {
    const refusals = [{ sub: '\r\n\u001b[31mroot' }, { sub: 'x'.repeat(1e5) }, { sub: 7 }].map((replaced) =>
      readClaims({ ...PAYLOAD, ...replaced }),
    );
    expect(new Set(refusals.map((refusal) => JSON.stringify(refusal))).size).toBe(1);
  });
});

describe('identifiers', () => {
  const CLAIMS = { sub: 'subject_malformed', jti: 'token_id_malformed', client_id: 'client_id_malformed' };

  it.each([
    'user_7',
    'agent:A',
    'spiffe://example.org/agent/1',
    'did:key:z6Mk',
    'Ada Lovelace',
    '\u5c71\u7530',
    '\u{1f916}',
    '\u00e9',
    '__proto__',
    'x'.repeat(256),
  ])('accepts %j', (id) => {
    for (const claim of Object.keys(CLAIMS)) expect(verdict({ [claim]: id })).toBe('ok');
    expect(verdict({ act: { sub: id } })).toBe('ok');
  });

  it.each([
    ['empty', ''],
    ['257 characters', 'x'.repeat(257)],
    ['a number', 7],
    ['null', null],
    ['an array', ['user_123']],
    ['an object', { id: 'user_123' }],
    ['NUL', 'a\0'],
    ['line feed', 'a\nb'],
    ['escape', 'a\u001b[0m'],
    ['control [C1]', 'a\u0085b'],
    ['soft hyphen', 'a\u00adb'],
    ['zero width joiner', 'a\u200db'],
    ['byte order mark', '\ufeffa'],
    ['right-to-left override', 'a\u202eb'],
    ['tag characters', 'a\u{e0041}'],
    ['variation selector', 'a\ufe0f'],
    ['Hangul filler', 'a\u3164b'],
    ['combining grapheme joiner', 'a\u034fb'],
    ['line separator', 'a\u2028b'],
    ['paragraph separator', 'a\u2029b'],
    ['no-break space', 'a\u00a0b'],
    ['ideographic space', 'a\u3000b'],
    ['lone surrogate', 'a\ud800'],
    ['only spaces', '  '],
  ])('refuses %s [B7]', (_, id) => {
    for (const [claim, code] of Object.entries(CLAIMS)) expect(verdict({ [claim]: id })).toBe(code);
    expect(verdict({ act: { sub: id } })).toBe('actor_malformed');
  });

  it.each([
    ['trailing space', 'agent-1 '],
    ['leading space', ' agent-1'],
    ['not NFC', 'e\u0301'],
    ['a compatibility character', '\u212b'],
  ])('refuses %s [C5]', (_, id) => {
    expect(verdict({ sub: id })).toBe('subject_malformed');
    expect(verdict({ act: { sub: id } })).toBe('actor_malformed');
  });

  it('are not folded when they look alike [C5]', () => {
    expect(claimsWith({ act: { sub: 'Agent-1' } }).actor?.subject).toBe('Agent-1');
    expect(claimsWith({ act: { sub: '\u0430gent-1' } }).actor?.subject).not.toBe('agent-1');
  });
});

describe('issuer and audience', () => {
  it.each([[''], [7], [null], [undefined], [['https://id.example']], ['https://id.example\n'], ['x'.repeat(1025)]])(
    'refuses %j as iss [B4]',
    (iss) => {
      expect(verdict({ iss })).toBe('issuer_malformed');
    },
  );

  it.each([
    [undefined],
    [null],
    [''],
    [7],
    [[]],
    [['']],
    [['https://api.example', '']],
    [['https://api.example', 7]],
    [[['https://api.example']]],
    [{ 0: 'https://api.example' }],
    ['x'.repeat(1025)],
    [Array.from({ length: 17 }, (_, i) => `https://${i}.example`)],
  ])('refuses %j as aud [B5]', (aud) => {
    expect(verdict({ aud })).toBe('audience_malformed');
  });

  it('reads an aud of up to 16 values', () => {
    const aud = Array.from({ length: 16 }, (_, i) => `https://${i}.example`);
    expect(claimsWith({ aud }).audience).toEqual(aud);
    expect(claimsWith({ aud: 'urn:example:x' }).audience).toEqual(['urn:example:x']);
  });
});

describe('times', () => {
  const WRONG = ['1800000300', '', null, true, [NOW], {}, NaN, Infinity, -1, 1.5, 1e308, 2 ** 53, 1e-7];

  it.each([...WRONG, 0, undefined])('refuses %j as exp [B6]', (exp) => {
    expect(verdict({ exp })).toBe('expiry_malformed');
  });

  it.each(WRONG)('refuses %j as iat and as nbf [B6]', (seconds) => {
    expect(verdict({ iat: seconds })).toBe('issued_at_malformed');
    expect(verdict({ nbf: seconds })).toBe('not_before_malformed');
  });

  it('reads an nbf of 0, which some issuers send for "always"', () => {
    expect(claimsWith({ nbf: 0 }).notBefore).toBe(0);
  });
});

describe('scope', () => {
  it.each([[['repo:read']], [''], [null], ['repo:read  pr:write'], ['repo:read\u00a0pr:write'], ['repo:read:']])(
    'refuses %j as scope [B7]',
    (scope) => {
      expect(verdict({ scope })).toBe('scope_malformed');
    },
  );

  it('counts a duplicate once [B7]', () => {
    expect(claimsWith({ scope: 'repo:read repo:read' }).scope).toEqual(['repo:read']);
  });
});

describe('actor', () => {
  it.each([
    ['agent-1'],
    [['agent-1']],
    [[{ sub: 'agent-1' }]],
    [null],
    [7],
    [true],
    [{}],
    [{ iss: 'https://id.example' }],
    [{ sub: '' }],
    [{ sub: 7 }],
    [{ sub: null }],
    [{ sub: ['agent-1'] }],
    [{ sub: { sub: 'agent-1' } }],
    [{ SUB: 'agent-1' }],
  ])('refuses %j as act [C1]', (act) => {
    expect(verdict({ act })).toBe('actor_malformed');
  });

  it('reads earlier actors, most recent first', () => {
    const act = { sub: 'agent-3', act: { sub: 'agent-2', iss: 'https://id.example', act: { sub: 'agent-1' } } };
    expect(claimsWith({ act })).toMatchObject({
      actor: { subject: 'agent-3' },
      priorActors: [{ subject: 'agent-2', issuer: 'https://id.example' }, { subject: 'agent-1' }],
    });
  });

  it.each([[{}], [null], ['agent-0'], [7], [[]], [[{ sub: 'agent-0' }]], [{ sub: '' }], [{ act: { sub: 'x' } }]])(
    'refuses %j within act, however deep: never silently ignored [C1]',
    (nested) => {
      expect(verdict({ act: { sub: 'agent-1', act: nested } })).toBe('actor_malformed');
      expect(verdict({ act: { sub: 'agent-2', act: { sub: 'agent-1', act: nested } } })).toBe('actor_malformed');
    },
  );

  it.each([
    ['the actor', { sub: 'agent-1', act: { sub: 'agent-1' } }],
    ['the actor, further in', { sub: 'agent-1', act: { sub: 'agent-2', act: { sub: 'agent-1' } } }],
    ['one that acted before', { sub: 'agent-1', act: { sub: 'agent-2', act: { sub: 'agent-2' } } }],
  ])('refuses %s as an earlier actor [C1]', (_, act) => {
    expect(verdict({ act })).toBe('actor_repeated');
  });

  it('refuses the subject as an earlier actor [C2]', () => {
    expect(verdict({ act: { sub: 'agent-1', act: { sub: 'user_123' } } })).toBe('actor_is_subject');
  });

  it('reads 16 actors, and no more [C1]', () => {
    expect(verdict({ act: nest(16) })).toBe('ok');
    expect(claimsWith({ act: nest(16) }).priorActors).toHaveLength(15);
    expect(verdict({ act: nest(17) })).toBe('delegation_too_deep');
  });

  it('does not descend into a deep nest, nor into a ring [C1]', () => {
    expect(verdict({ act: nest(100_000) })).toBe('delegation_too_deep');
    const ring: Record<string, unknown> = { sub: 'agent-1' };
    ring['act'] = ring;
    expect(verdict({ act: ring })).toBe('actor_repeated');
  });

  it('refuses an earlier actor of another issuer [C5]', () => {
    const nested = { sub: 'agent-0', iss: 'https://other.example' };
    expect(verdict({ act: { sub: 'agent-1', act: nested } })).toBe('actor_issuer_mismatch');
  });

  it('refuses a subject that acts for itself [C2]', () => {
    expect(verdict({ sub: 'agent-1', client_id: 'other', act: { sub: 'agent-1' } })).toBe('actor_is_subject');
  });

  it('refuses a client as the subject of a delegation (RFC 9700 §4.15) [B7]', () => {
    expect(verdict({ sub: 'client-7', client_id: 'client-7' })).toBe('subject_is_client');
    expect(verdict({ sub: 'client-7', client_id: 'client-7', act: undefined })).toBe('ok');
  });

  it('never takes may_act for a delegation [C3]', () => {
    expect(claimsWith({ act: undefined, may_act: { sub: 'agent-1' } }).actor).toBeUndefined();
    expect(verdict({ may_act: 'anything' })).toBe('ok');
  });

  it.each([['https://other.example'], ['https://id.example/'], ['HTTPS://id.example'], [''], [null], [7]])(
    'refuses the actor of issuer %j [C5]',
    (iss) => {
      expect(verdict({ act: { sub: 'agent-1', iss } })).toBe('actor_issuer_mismatch');
    },
  );

  it('keeps the issuer of the actor when it is the issuer of the token [C5]', () => {
    expect(claimsWith({ act: { sub: 'agent-1', iss: 'https://id.example' } }).actor).toEqual({
      subject: 'agent-1',
      issuer: 'https://id.example',
    });
  });

  it('ignores members of act that do not identify an actor (RFC 8693 §4.1) [C6]', () => {
    const claims = claimsWith({ act: { sub: 'agent-1', scope: 'admin', exp: 9e9, aud: 'x', may_act: {}, cnf: 1 } });
    expect(claims).toEqual(claimsWith());
  });
});

describe('status', () => {
  it('reads a reference to a Token Status List', () => {
    const status = { status_list: { idx: 0, uri: 'https://id.example/status/1' }, other: {} };
    expect(claimsWith({ status }).statusReference).toEqual({ uri: 'https://id.example/status/1', index: 0 });
    expect(claimsWith()).not.toHaveProperty('statusReference');
  });

  it.each([
    [null],
    ['https://id.example/status/1'],
    [[]],
    [{}],
    [{ other_mechanism: {} }],
    [{ status_list: null }],
    [{ status_list: [0, 'https://id.example/status/1'] }],
    [{ status_list: { idx: 0 } }],
    [{ status_list: { uri: 'https://id.example/status/1' } }],
    [{ status_list: { idx: '0', uri: 'https://id.example/status/1' } }],
    [{ status_list: { idx: -1, uri: 'https://id.example/status/1' } }],
    [{ status_list: { idx: 0.5, uri: 'https://id.example/status/1' } }],
    [{ status_list: { idx: 2 ** 53, uri: 'https://id.example/status/1' } }],
    [{ status_list: { idx: 0, uri: '' } }],
    [{ status_list: { idx: 0, uri: ['https://id.example/status/1'] } }],
  ])('refuses an unsupported status, such as %j [B11]', (status) => {
    expect(verdict({ status })).toBe('status_malformed');
  });
});

describe('max_hops', () => {
  it.each([0, 1, 2 ** 53 - 1])('reads %d', (maxHops) => {
    expect(claimsWith({ max_hops: maxHops }).maxHops).toBe(maxHops);
  });

  it.each([[null], ['1'], [-1], [1.5], [NaN], [Infinity], [2 ** 53], [[1]], [true]])('refuses %j [C6]', (maxHops) => {
    expect(verdict({ max_hops: maxHops })).toBe('max_hops_malformed');
  });
});

describe('scope_match', () => {
  it.each(['hierarchical', 'exact'] as const)('reads %s', (scopeMatch) => {
    expect(claimsWith({ scope_match: scopeMatch }).scopeMatch).toBe(scopeMatch);
  });

  it.each([[null], [''], ['Exact'], [['exact']], [true]])('refuses %j [C6]', (scopeMatch) => {
    expect(verdict({ scope_match: scopeMatch })).toBe('scope_match_malformed');
  });
});

describe('readClaims with arbitrary input', () => {
  // Each claim, its field in the result, and the refusal codes that may name it.
  const CLAIMS = [
    ['iss', 'issuer', ['issuer_malformed']],
    ['sub', 'subject', ['subject_malformed', 'subject_is_client', 'actor_is_subject']],
    ['aud', 'audience', ['audience_malformed']],
    ['exp', 'expiresAt', ['expiry_malformed']],
    ['iat', 'issuedAt', ['issued_at_malformed']],
    ['nbf', 'notBefore', ['not_before_malformed']],
    ['jti', 'id', ['token_id_malformed']],
    ['client_id', 'clientId', ['client_id_malformed', 'subject_is_client']],
    ['scope', 'scope', ['scope_malformed']],
    [
      'act',
      'actor',
      ['actor_malformed', 'actor_issuer_mismatch', 'actor_is_subject', 'actor_repeated', 'delegation_too_deep'],
    ],
    ['ancestors', 'ancestors', ['ancestors_malformed']],
    ['cnf', 'confirmation', ['confirmation_malformed', 'confirmation_unsupported']],
    ['authorization_details', 'authorizationDetails', ['authorization_details_malformed']],
    ['max_hops', 'maxHops', ['max_hops_malformed']],
    ['scope_match', 'scopeMatch', ['scope_match_malformed']],
    ['status', 'statusReference', ['status_malformed']],
    ['may_act', 'nothing', []],
  ] as const;
  const member = fc.constantFrom(
    'type',
    'uri',
    'idx',
    'status_list',
    'sub',
    'iss',
    'act',
    'jkt',
    'jwk',
    'kty',
    'crv',
    'x',
    'd',
    'x5t#S256',
    '__proto__',
  );
  const leaf = fc.oneof(fc.constantFrom('agent-1', 'OKP', 'Ed25519', OTHER_THUMBPRINT), fc.jsonValue({ maxDepth: 1 }));
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof({ maxDepth: 3 }, leaf, fc.dictionary(member, tie('value'), { maxKeys: 4 })),
  }));

  it('never throws', () => {
    const names = fc.constantFrom(...CLAIMS.map(([claim]) => claim));
    fc.assert(
      fc.property(fc.oneof(fc.anything(), fc.dictionary(names, value)), (payload) => {
        expect(typeof readClaims(payload).ok).toBe('boolean');
      }),
      { numRuns: 500 },
    );
  });

  it('refuses with the code of the wrong claim, which changes no other field', () => {
    fc.assert(
      fc.property(fc.constantFrom(...CLAIMS), value, ([claim, field, codes], replaced) => {
        const read = readClaims({ ...PAYLOAD, [claim]: replaced });
        const without = { [field]: 0, ...(claim === 'act' && { priorActors: 0 }) };
        if (read.ok) expect({ ...read.claims, ...without }).toEqual({ ...claimsWith(), ...without });
        else expect(codes).toContain(read.code);
      }),
      { numRuns: 1000 },
    );
  });
});
