import { expect, it } from 'vitest';
import { onEveryHost, refuseEach } from '../support/api.js';
import { keyFromSeed, keyNamed } from '../support/keys.js';
import { agents, expiredKey, futureKey, reviewer, reviewerId, runner, stranger, suspended } from '../support/world.js';

onEveryHost('Keys', (api) => {
  const keyid = (text: string) => api.signed({ parameters: { keyid: `"${text}"` } });
  refuseEach(api, [
    ['A11 a key that nobody registered', () => api.signed({ key: stranger }), 401, 'key_unknown'],
    ['A11 C7 the key of a suspended agent', () => api.signed({ key: suspended }), 401, 'agent_suspended'],
    ['A11 C7 a key whose time is over', () => api.signed({ key: expiredKey }), 401, 'key_not_valid'],
    ['A11 a key whose time has not come', () => api.signed({ key: futureKey }), 401, 'key_not_valid'],
    ["A11 another agent's keyid", () => keyid(runner.thumbprint), 401, 'signature_invalid'],
    ['A11 the id of the agent as keyid', () => keyid(reviewerId), 401, 'key_unknown'],
    ['A11 a path as keyid', () => keyid('../../etc/passwd'), 401, 'key_unknown'],
    ['A11 __proto__ as keyid', () => keyid('__proto__'), 401, 'key_unknown'],
    ['A11 constructor as keyid', () => keyid('constructor'), 401, 'key_unknown'],
    ['A11 an empty keyid', () => keyid(''), 401, 'key_unknown'],
    ['A11 a thumbprint with padding', () => keyid(`${reviewer.thumbprint}=`), 401, 'key_unknown'],
    ['A11 a thumbprint in another case', () => keyid(reviewer.thumbprint.toLowerCase()), 401, 'key_unknown'],
    ['A11 no keyid', () => api.signed({ parameters: { keyid: undefined } }), 401, 'signature_incomplete'],
  ]);

  it('F7 the keyid is recorded as claimed, and nobody as actor', async () => {
    const { records } = await api.refuses(api.signed({ sign: () => Buffer.alloc(64) }), 401, 'signature_invalid');
    expect(records[0]?.claimed).toEqual({ keyId: reviewer.thumbprint });
    expect(JSON.stringify(records)).not.toContain(reviewerId);
  });

  it('F7 once the signature has verified the record names the agent that holds the key, still not as actor', async () => {
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
    ['A11 one key for two agents', { id: 'agent-twin', publicKey: reviewer.publicBase64 }, /same key/],
    [
      'A11 the test key of RFC 9421',
      { id: 'x', publicKey: 'JrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=' },
      /RFC 9421/,
    ],
    ['A15 an all-zero key', { id: 'x', publicKey: Buffer.alloc(32).toString('base64') }, /weak/],
    ['A15 a key of small order', { id: 'x', publicKey: `AQ${'A'.repeat(41)}=` }, /weak/],
    ['A15 a non-canonical point', { id: 'x', publicKey: Buffer.alloc(32, 0xff).toString('base64') }, /weak/],
    ['A8 a private key', { id: 'x', jwk: { ...stranger.publicJwk, d: 'AAAA' } }, /private/],
    ['A8 a key for encryption', { id: 'x', jwk: { ...stranger.publicJwk, use: 'enc' } }, /use/],
    ['A8 key_ops without verify', { id: 'x', jwk: { ...stranger.publicJwk, key_ops: ['sign'] } }, /key_ops/],
    ['A8 a key of another curve', { id: 'x', jwk: { ...stranger.publicJwk, crv: 'X25519' } }, /Ed25519/],
    ['A11 an id twice', { id: reviewerId, publicKey: keyFromSeed(Buffer.alloc(32, 7)).publicBase64 }, /twice/],
  ];
  it.each(refused)('%s', async (_title, agent, says) => {
    await expect(api.variant({ config: { agents: [...agents, agent as never] } })).rejects.toThrow(says);
  });

  it('C7 a rotated key: the old one counts while it overlaps', async () => {
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
