import { describe, expect, it } from 'vitest';
import { ConfigError } from '@countersign/common';
import { readPublicKey } from '../../src/keys/ed25519-key.js';
import { agentsFromObjects } from '../../src/keys/agents-from-objects.js';
import type { AgentRegistration } from '../../src/keys/registration.js';
import { newEd25519Key } from './test-keys.js';

const one = newEd25519Key();
const two = newEd25519Key();

function thumbprintOf(text: string): string {
  const read = readPublicKey(text);
  return read.ok ? read.thumbprint : 'none';
}

function refused(...list: unknown[]): string {
  try {
    agentsFromObjects(list as AgentRegistration[]);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return String(error);
  }
  return 'accepted';
}

describe('agentsFromObjects', () => {
  it('imports no key twice, so that a large file is read again soon [C7]', () => {
    const keys = [1, 2].map(() => {
      const lookup = agentsFromObjects([{ id: 'agent-a', publicKey: one.base64 }]).findByThumbprint(
        thumbprintOf(one.base64),
      );
      return 'key' in lookup ? lookup.key.publicKey : undefined;
    });
    expect(keys[0]).toBeDefined();
    expect(keys[1]).toBe(keys[0]);
  });

  it('finds an agent, registered with its key in any form, by thumbprint', async () => {
    const registrations: AgentRegistration[] = [
      { id: 'agent-a', publicKey: one.base64, capabilities: ['repo:read'], roles: ['reviewer'], owner: 'team-x' },
      { id: 'agent-a', jwk: one.jwk, capabilities: ['repo:read'], roles: ['reviewer'], owner: 'team-x' },
      {
        id: 'agent-a',
        keys: [{ publicKey: one.base64 }],
        capabilities: ['repo:read'],
        roles: ['reviewer'],
        owner: 'team-x',
      },
    ];
    for (const registration of registrations) {
      const agents = agentsFromObjects([registration]);
      expect(await agents.findByThumbprint(thumbprintOf(one.base64))).toMatchObject({
        kind: 'found',
        agent: { id: 'agent-a', capabilities: ['repo:read'], roles: ['reviewer'], owner: 'team-x', status: 'active' },
        key: { thumbprint: thumbprintOf(one.base64) },
      });
      expect(await agents.statusOf('agent-a')).toBe('active');
      expect(await agents.statusOf('agent-b')).toBe('unknown');
    }
  });

  it('accepts the identity printed in the article', async () => {
    const agentIdentity = {
      agent_id: 'agent-code-reviewer-01',
      public_key: one.base64,
      capabilities: ['repo:read', 'pr:write:draft'],
    };
    const found = await agentsFromObjects([agentIdentity]).findByThumbprint(thumbprintOf(one.base64));
    expect(found).toMatchObject({ kind: 'found', agent: { id: 'agent-code-reviewer-01' } });
  });

  it.each(['__proto__', 'constructor', '../../etc/passwd', '', 'x'.repeat(10_000), '\u0000'])(
    'an unknown key id is unknown: %j [A11]',
    async (keyId) => {
      const agents = agentsFromObjects([{ id: 'agent-a', publicKey: one.base64 }]);
      expect(await agents.findByThumbprint(keyId)).toEqual({ kind: 'unknown' });
      expect(await agents.statusOf(keyId)).toBe('unknown');
    },
  );

  it('keeps the validity of each key, and the narrower of two', async () => {
    const dated = { ...two.jwk, nbf: 1500, exp: 1800 };
    const agents = agentsFromObjects([
      {
        id: 'agent-a',
        keys: [
          { publicKey: one.base64, notBefore: 1000, expires: 2000 },
          { jwk: dated, notBefore: 1000, expires: 2000 },
        ],
      },
    ]);
    expect(await agents.findByThumbprint(thumbprintOf(one.base64))).toMatchObject({
      key: { notBefore: 1000, expires: 2000 },
    });
    expect(await agents.findByThumbprint(thumbprintOf(two.base64))).toMatchObject({
      key: { notBefore: 1500, expires: 1800 },
    });
  });

  it('accepts several keys in the spelling of the article', async () => {
    const keys = [
      { public_key: one.base64, expires: 2000 },
      { public_key: two.base64, not_before: 1000 },
    ];
    for (const agents of [
      agentsFromObjects([{ agent_id: 'agent-a', keys }]),
      agentsFromObjects([{ id: 'agent-a', keys }]),
    ]) {
      expect(await agents.findByThumbprint(thumbprintOf(one.base64))).toMatchObject({ key: { expires: 2000 } });
      expect(await agents.findByThumbprint(thumbprintOf(two.base64))).toMatchObject({ key: { notBefore: 1000 } });
    }
  });

  it.each<[object, RegExp]>([
    [{ public_key: one.base64, publicKey: one.base64 }, /'publicKey' and 'public_key' mean the same/],
    [{ public_key: one.base64, notBefore: 1, not_before: 1 }, /'notBefore' and 'not_before' mean the same/],
    [{ public_key: one.base64, not_befor: 1 }, /unknown option 'not_befor'. Did you mean/],
    [{ public_key: one.base64, not_before: '1' }, /not in whole unix seconds/],
    [{ public_key: one.base64, jwk: one.jwk }, /exactly one of 'publicKey' and 'jwk'/],
    [{ not_before: 1 }, /exactly one of 'publicKey' and 'jwk'/],
  ])('refuses a key that is written wrong: %#', (key, message) => {
    expect(refused({ agent_id: 'agent-a', keys: [key] })).toMatch(message);
  });

  it('returns frozen agents', async () => {
    const capabilities = ['repo:read'];
    const agents = agentsFromObjects([{ id: 'agent-a', publicKey: one.base64, capabilities }]);
    capabilities.push('admin');
    const found = await agents.findByThumbprint(thumbprintOf(one.base64));
    if (found.kind !== 'found') throw new Error('not found');
    expect(found.agent.capabilities).toEqual(['repo:read']);
    expect([found, found.agent, found.agent.capabilities, found.agent.roles, found.key].every(Object.isFrozen)).toBe(
      true,
    );
  });

  it('keeps a suspended agent, as suspended', async () => {
    const agents = agentsFromObjects([{ id: 'agent-a', publicKey: one.base64, status: 'suspended' }]);
    expect(await agents.findByThumbprint(thumbprintOf(one.base64))).toMatchObject({ agent: { status: 'suspended' } });
  });

  it('refuses one key for two agents, in any form [A11]', () => {
    const message = refused({ id: 'agent-a', publicKey: one.base64 }, { id: 'agent-b', jwk: one.jwk });
    expect(message).toMatch(/'agent-a' and 'agent-b' have the same key/);
  });

  it('refuses one id for two agents', () => {
    expect(refused({ id: 'agent-a', publicKey: one.base64 }, { id: 'agent-a', publicKey: two.base64 })).toMatch(
      /'agent-a' is registered twice/,
    );
  });

  it.each([
    [
      'a misspelt member',
      { id: 'agent-a', publicKey: one.base64, capabilites: [] },
      /agent 'agent-a'.*Did you mean 'capabilities'/,
    ],
    [
      'a misspelt member of a key',
      { id: 'agent-a', keys: [{ publicKey: one.base64, expire: 1 }] },
      /Did you mean 'expires'/,
    ],
    ['null for its status', { id: 'agent-a', publicKey: one.base64, status: null }, /'status' must be 'active'/],
    ['null for its roles', { id: 'agent-a', publicKey: one.base64, roles: null }, /'roles' must be a list/],
    [
      'null for its capabilities',
      { id: 'agent-a', publicKey: one.base64, capabilities: null },
      /'capabilities' must be/,
    ],
    ['no key', { id: 'agent-a' }, /agent 'agent-a'.*key exactly once/],
    ['two keys at once', { id: 'agent-a', publicKey: one.base64, jwk: two.jwk }, /key exactly once/],
    ['keys that are no list', { id: 'agent-a', keys: {} }, /'keys' must be a list/],
    ['null for its keys', { id: 'agent-a', keys: null }, /'keys' must be a list/],
    [
      'the same key twice',
      { id: 'agent-a', keys: [{ publicKey: one.base64 }, { jwk: one.jwk }] },
      /'agent-a' has the same key twice/,
    ],
    ['both spellings', { id: 'agent-a', agent_id: 'agent-b', publicKey: one.base64 }, /mean the same/],
    [
      'a weak key [A15]',
      { id: 'agent-a', publicKey: Buffer.alloc(32).toString('base64') },
      /agent 'agent-a'.*weak point/,
    ],
    [
      'the RFC 9421 test key [A11]',
      { id: 'agent-a', publicKey: 'JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs' },
      /agent 'agent-a'.*test key/,
    ],
    ['a private key [A8]', { id: 'agent-a', jwk: one.privateJwk }, /private key/],
    ['a scope of two', { id: 'agent-a', publicKey: one.base64, capabilities: ['a b'] }, /capability "a b"/],
    [
      'an empty segment',
      { id: 'agent-a', publicKey: one.base64, capabilities: ['pr::write'] },
      /capability "pr::write"/,
    ],
    ['a scope that is no text', { id: 'agent-a', publicKey: one.base64, capabilities: [7] }, /capability 7/],
    ['capabilities as text', { id: 'agent-a', publicKey: one.base64, capabilities: 'repo:read' }, /list of scopes/],
    ['an unknown status', { id: 'agent-a', publicKey: one.base64, status: 'disabled' }, /'active' or 'suspended'/],
    [
      'validity in milliseconds',
      { id: 'agent-a', keys: [{ publicKey: one.base64, expires: 1_800_000_000_000 }] },
      /unix seconds/,
    ],
    ['validity as text', { id: 'agent-a', keys: [{ publicKey: one.base64, notBefore: '2026-01-01' }] }, /unix seconds/],
    ['an empty id', { id: '', publicKey: one.base64 }, /agent number 1.*its id/],
    ['a control character in the id [C5]', { id: 'agent\n-a', publicKey: one.base64 }, /its id/],
    ['an id that is not NFC [C5]', { id: 'agent-e\u0301', publicKey: one.base64 }, /its id/],
    ['a space at the end [C5]', { id: 'agent-a ', publicKey: one.base64 }, /its id/],
    ['a long id', { id: 'a'.repeat(257), publicKey: one.base64 }, /its id/],
    ['no object', 'agent-a', /agent number 1 must be an object/],
  ])('refuses %s and says so', (_, registration, message) => {
    expect(refused(registration)).toMatch(message);
  });

  it('refuses a value that is not a list', () => {
    expect(() => agentsFromObjects({} as AgentRegistration[])).toThrow(ConfigError);
  });
});
