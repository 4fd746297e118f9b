import { describe, expect, it } from 'vitest';
import { carriesOurMark } from '../src/traffic.js';

const token = (claims: object) =>
  `eyJhbGciOiJFZERTQSJ9.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.c2ln`;
const delegated = token({ sub: 'user_123', act: { sub: 'agent-1' } });

describe('carriesOurMark', () => {
  it.each<[string, string, readonly string[]]>([
    ['our tag', '/', ['Signature-Input', 'sig=();tag="countersign"']],
    ['our tag beside others', '/', ['signature-input', 'a=();tag="x", b=();tag="countersign"']],
    ['an Agent-* field', '/', ['AGENT-Approval', '']],
    ['a DPoP proof', '/', ['DPoP', 'x']],
    ['a token that names an actor', '/', ['Authorization', `Bearer ${delegated}`]],
    ['one that is bound to a key', '/', ['Authorization', `Bearer ${token({ cnf: { jkt: 'x' } })}`]],
    ['one without signature', '/', ['Authorization', `Bearer ${delegated.replace(/[^.]*$/, '')}`]],
    ['one with padding', '/', ['Authorization', `Bearer ${delegated.replace(/\.([^.]*)$/, '==.$1')}`]],
    ['one among other words', '/', ['Cookie', `a=b.c.d; session="${delegated}"; e=f`]],
    ['one in the query', `/?a=b&access_token=${delegated}#`, []],
    ['one behind the path', `/callback/${delegated}`, []],
    ['A17 one whose dots are escaped', `/?access_token=${delegated.replaceAll('.', '%2E')}`, []],
    ['A17 one all escaped', `/?t=${delegated.replaceAll(/./g, (char) => `%${char.charCodeAt(0).toString(16)}`)}`, []],
    [
      'A17 one in a password',
      '/',
      ['Authorization', `Basic ${Buffer.from(`x-access-token:${delegated}`).toString('base64')}`],
    ],
    ['A17 one whose signature is in another cookie', '/', ['Cookie', `hp=${delegated.replace(/\.[^.]*$/, '')}; s=x`]],
    ['A17 one that white space begins', '/', ['Authorization', `x.${Buffer.from(' {"act":1}').toString('base64')}.y`]],
  ])('A17 %s is a mark', (_title, target, rawHeaders) => {
    expect(carriesOurMark(target, rawHeaders)).toBe(true);
  });

  it.each<[string, string, readonly string[]]>([
    ['nothing', '/', []],
    ["a user's own token", '/', ['Authorization', `Bearer ${token({ sub: 'user_123', may_act: { sub: 'a' } })}`]],
    ['a tag of others', '/', ['Signature-Input', 'sig=();tag="web-bot-auth"']],
    ['act inside another claim', '/', ['Authorization', `Bearer ${token({ data: { act: 1 } })}`]],
    ['JSON that is no part of a token', '/', ['Cookie', `state=${Buffer.from('{"act":1}').toString('base64')}`]],
    ['broken escapes and broken JSON', '/%zz%', ['X', `a.${Buffer.from('{"act"').toString('base64')}.b`]],
    ['a User-Agent', '/v1.2.3/x', ['User-Agent', 'curl/8.5.0']],
  ])('%s is none', (_title, target, rawHeaders) => {
    expect(carriesOurMark(target, rawHeaders)).toBe(false);
  });

  it.each<[string, readonly string[]]>([
    ['a signature of Web Bot Auth', ['Signature-Input', 'sig=();tag="web-bot-auth"']],
    ['an opaque token of scheme DPoP', ['authorization', 'dpop opaque']],
  ])('A17 %s is a mark where it is accepted', (_title, rawHeaders) => {
    const dpop = { maxAgeSeconds: 60, nonces: undefined };
    const webBotAuth = { maxAgeSeconds: 300, unsafeMethods: false };
    expect(carriesOurMark('/', rawHeaders, { dpop, webBotAuth })).toBe(true);
    expect(carriesOurMark('/', rawHeaders)).toBe(false);
  });

  it('A16 takes linear time, whatever strangers send', () => {
    const began = performance.now();
    for (const text of ['a'.repeat(256_000), 'a.'.repeat(128_000), '%'.repeat(256_000), `.${'{'.repeat(256_000)}.`]) {
      expect(carriesOurMark(text, ['x', text])).toBe(false);
    }
    // Quadratic, the first alone would take minutes.
    expect(performance.now() - began).toBeLessThan(5000);
  });
});
