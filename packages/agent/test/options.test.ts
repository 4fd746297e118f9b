import { describe, expect, it } from 'vitest';
import { type AgentOptions, ConfigError, createAgent, generateAgentKey } from '../src/index.js';

const key = generateAgentKey();

describe('createAgent', () => {
  it('needs an id and a key', async () => {
    const agent = await createAgent({ id: 'agent-a', key });
    expect(agent).toMatchObject({ id: 'agent-a', keyId: key.thumbprint });
    expect(Object.isFrozen(agent)).toBe(true);
  });

  it.each<[string, object | undefined, RegExp]>([
    ['no options', undefined, /options must be an object/],
    [
      'a misspelt option',
      { id: 'a', key, lifetimeSecond: 5 },
      /unknown option 'lifetimeSecond'. Did you mean 'lifetimeSeconds'/,
    ],
    ['no id', { key }, /'id'/],
    ['an id of no characters', { id: '', key }, /'id'/],
    ['an id that no API can know', { id: 'agent-a\n', key }, /'id'/],
    ['no key', { id: 'a' }, /'key'/],
    ['a raw key', { id: 'a', key: key.exportJwk() }, /loadAgentKey/],
    [
      'a key of another algorithm',
      { id: 'a', key: { algorithm: 'hmac-sha256', keyId: 'k', sign: key.sign } },
      /Ed25519/,
    ],
    ['a lifetime of zero', { id: 'a', key, lifetimeSeconds: 0 }, /'lifetimeSeconds'/],
    ['a lifetime of an hour', { id: 'a', key, lifetimeSeconds: 3600 }, /'lifetimeSeconds'/],
    ['a lifetime in text', { id: 'a', key, lifetimeSeconds: '60' }, /'lifetimeSeconds'/],
    ['a negative limit', { id: 'a', key, maxBodyBytes: -1 }, /'maxBodyBytes'/],
    ['a clock that is a time', { id: 'a', key, clock: Date.now() }, /'clock'/],
    ['no origins', { id: 'a', key, origins: [] }, /'origins'/],
    ['an origin in text', { id: 'a', key, origins: 'https://api.acme.dev' }, /'origins'/],
    ['an origin with a path', { id: 'a', key, origins: ['https://api.acme.dev/v1'] }, /'origins'/],
    ['an origin with a password', { id: 'a', key, origins: ['https://a:b@api.acme.dev'] }, /'origins'/],
    [
      'an origin of another scheme',
      { id: 'a', key, origins: ['https://api.acme.dev', 'ws://api.acme.dev'] },
      /'origins'/,
    ],
    ['a fetch that is none', { id: 'a', key, fetch: {} }, /'fetch'/],
    ['a derived component to cover', { id: 'a', key, cover: ['@path'] }, /'cover'/],
    ['a covered field in upper case', { id: 'a', key, cover: ['X-A'] }, /'cover'/],
    ['a flag in text', { id: 'a', key, dangerouslyAllowHttp: 'false' }, /'dangerouslyAllowHttp'/],
  ])('refuses %s [G5]', async (_name, options, text) => {
    const creation = createAgent(options as AgentOptions);
    await expect(creation).rejects.toThrow(ConfigError);
    await expect(creation).rejects.toThrow(text);
  });
});
