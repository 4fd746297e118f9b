import { expect, it } from 'vitest';
import { onEveryHost, refuseEach } from '../support/api.js';
import { keyFromSeed, keyNamed } from '../support/keys.js';
import { agents, expiredKey, futureKey, reviewer, reviewerId, runner, stranger, suspended } from '../support/world.js';

onEveryHost('Keys', (api) => {
  const keyid = (text: string) => api.signed({ parameters: { keyid: `"${text}"` } });
  refuseEach(api, [
    ['a key that is not registered [A11]', () => api.signed({ key: stranger }), 401, 'key_unknown'],
    ['the key of a suspended agent [A11, C7]', () => api.signed({ key: suspended }), 401, 'agent_suspended'],
    ['an expired key [A11, C7]', () => api.signed({ key: expiredKey }), 401, 'key_not_valid'],
    ['a key that is not valid yet [A11]', () => api.signed({ key: futureKey }), 401, 'key_not_valid'],
    ["another agent's keyid [A11]", () => keyid(runner.thumbprint), 401, 'signature_invalid'],
    ['the id of the agent as keyid [A11]', () => keyid(reviewerId), 401, 'key_unknown'],
    ['a path as keyid [A11]', () => keyid('../../etc/passwd'), 401, 'key_unknown'],
    ['__proto__ as keyid [A11]', () => keyid('__proto__'), 401, 'key_unknown'],
    ['constructor as keyid [A11]', () => keyid('constructor'), 401, 'key_unknown'],
    ['an empty keyid [A11]', () => keyid(''), 401, 'key_unknown'],
    ['a thumbprint with padding [A11]', () => keyid(`${reviewer.thumbprint}=`), 401, 'key_unknown'],
    ['a thumbprint in another case [A11]', () => keyid(reviewer.thumbprint.toLowerCase()), 401, 'key_unknown'],
    ['no keyid [A11]', () => api.signed({ parameters: { keyid: undefined } }), 401, 'signature_incomplete'],
  ]);

  it('are recorded as claimed, without an actor [F7]', async () => {
    const { records } = await api.refuses(api.signed({ sign: () => Buffer.alloc(64) }), 401, 'signature_invalid');
    expect(records[0]?.claimed).toEqual({ keyId: reviewer.thumbprint });
    expect(JSON.stringify(records)).not.toContain(reviewerId);
  });

  it('name their agent in the record as claimed after the signature has verified, not as actor [F7]', async () => {
    const { records } = await api.refuses(
      await api.pull({ aud: 'https://other.example' }),
      401,
      'token_audience_mismatch',
    );
    expect(records[0]?.claimed).toEqual({ keyId: reviewer.thumbprint, agent: reviewerId });
  });
});

onEveryHost('Keys that cannot be registered', (api) => {
  const refused: [title: string, agent: object, says: RegExp][] = [
    ['one key for two agents [A11]', { id: 'agent-twin', publicKey: reviewer.publicBase64 }, /same key/],
    [
      'the test key of RFC 9421 [A11]',
      { id: 'x', publicKey: 'JrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=' },
      /RFC 9421/,
    ],
    ['an all-zero key [A15]', { id: 'x', publicKey: Buffer.alloc(32).toString('base64') }, /weak/],
    ['a key of small order [A15]', { id: 'x', publicKey: `AQ${'A'.repeat(41)}=` }, /weak/],
    ['a non-canonical point [A15]', { id: 'x', publicKey: Buffer.alloc(32, 0xff).toString('base64') }, /weak/],
    ['a private key [A8]', { id: 'x', jwk: { ...stranger.publicJwk, d: 'AAAA' } }, /private/],
    ['a key for encryption [A8]', { id: 'x', jwk: { ...stranger.publicJwk, use: 'enc' } }, /use/],
    ['key_ops without verify [A8]', { id: 'x', jwk: { ...stranger.publicJwk, key_ops: ['sign'] } }, /key_ops/],
    ['a key of another curve [A8]', { id: 'x', jwk: { ...stranger.publicJwk, crv: 'X25519' } }, /Ed25519/],
    ['a duplicate id [A11]', { id: reviewerId, publicKey: keyFromSeed(Buffer.alloc(32, 7)).publicBase64 }, /twice/],
  ];
  it.each(refused)('%s', async (_title, agent, says) => {
    await expect(api.variant({ config: { agents: [...agents, agent as never] } })).rejects.toThrow(says);
  });

  it('an old key is accepted during the overlap of a rotation [C7]', async () => {
    const old = keyNamed('old');
    const rotated = {
      id: 'agent-both',
      keys: [{ publicKey: old.publicBase64, expires: 9_000_000_000 }, { jwk: stranger.publicJwk }],
    };
    const both = await api.variant({ config: { agents: [rotated] } });
    await both.accepts(both.signed({ key: old }), 200);
    await both.accepts(both.signed({ key: stranger }), 200);
  });
});
