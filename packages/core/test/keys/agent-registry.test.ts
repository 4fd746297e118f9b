import { beforeEach, describe, expect, it } from 'vitest';
import { ConfigError } from '@countersign/common';
import type { AgentRegistry } from '../../src/keys/agent-registry.js';
import { agentsFromObjects } from '../../src/keys/agents-from-objects.js';
import { readPublicKey } from '../../src/keys/ed25519-key.js';
import { newEd25519Key, type TestKey } from './test-keys.js';

const one = newEd25519Key();
const two = newEd25519Key();
const three = newEd25519Key();

function thumbprintOf(key: TestKey): string {
  const read = readPublicKey(key.base64);
  return read.ok ? read.thumbprint : 'none';
}

let agents: AgentRegistry;

async function statusOf(key: TestKey): Promise<string> {
  const found = await agents.findByThumbprint(thumbprintOf(key));
  return found.kind === 'found' ? `${found.agent.id} ${found.agent.status}` : found.kind;
}

function findAll(): Promise<unknown[]> {
  return Promise.all([one, two, three].map(async (key) => agents.findByThumbprint(thumbprintOf(key))));
}

beforeEach(() => {
  agents = agentsFromObjects([
    { id: 'agent-a', publicKey: one.base64, capabilities: ['repo:read'] },
    { id: 'agent-b', publicKey: two.base64 },
  ]);
});

describe('a registry of agents', () => {
  it('registers an agent while it is in use', async () => {
    expect(await statusOf(three)).toBe('unknown');
    agents.register({ agent_id: 'agent-c', public_key: three.base64 });
    expect(await statusOf(three)).toBe('agent-c active');
    expect(await agents.statusOf('agent-c')).toBe('active');
    expect(await statusOf(one)).toBe('agent-a active');
  });

  it('suspends and resumes an agent with all of its keys [C7]', async () => {
    agents.addKey('agent-a', { jwk: three.jwk });
    agents.suspend('agent-a');
    expect(await Promise.all([one, two, three].map(statusOf))).toEqual([
      'agent-a suspended',
      'agent-b active',
      'agent-a suspended',
    ]);
    agents.resume('agent-a');
    expect(await statusOf(one)).toBe('agent-a active');
    expect(await agents.findByThumbprint(thumbprintOf(one))).toMatchObject({ agent: { capabilities: ['repo:read'] } });
  });

  it('a removed agent is unknown, and its name and key are free [C7]', async () => {
    agents.remove('agent-a');
    expect(await statusOf(one)).toBe('unknown');
    expect(await agents.statusOf('agent-a')).toBe('unknown');
    agents.register({ id: 'agent-d', publicKey: one.base64 });
    expect(await statusOf(one)).toBe('agent-d active');
  });

  it('a removed key is unknown at once; its agent keeps its name, even without a key [C7]', async () => {
    agents.removeKey(thumbprintOf(one));
    expect(await statusOf(one)).toBe('unknown');
    expect(await agents.statusOf('agent-a')).toBe('active');
    agents.addKey('agent-a', { publicKey: three.base64 });
    expect(await statusOf(three)).toBe('agent-a active');
  });

  it('accepts both keys during a rotation until the old one expires [C7]', async () => {
    agents.addKey('agent-a', { publicKey: three.base64, notBefore: 1000 });
    agents.expireKey(thumbprintOf(one), 2000);
    expect(await agents.findByThumbprint(thumbprintOf(one))).toMatchObject({ key: { expires: 2000 } });
    expect(await agents.findByThumbprint(thumbprintOf(three))).toMatchObject({ key: { notBefore: 1000 } });
    agents.expireKey(thumbprintOf(one), 3000);
    expect(await agents.findByThumbprint(thumbprintOf(one))).toMatchObject({ key: { expires: 2000 } });
    agents.expireKey(thumbprintOf(one), 1500);
    expect(await agents.findByThumbprint(thumbprintOf(one))).toMatchObject({ key: { expires: 1500 } });
  });

  it.each<[string, () => void, RegExp]>([
    ['a key of another agent [A11]', () => agents.register({ id: 'agent-c', publicKey: one.base64 }), /the same key/],
    ['a key of another agent, added [A11]', () => agents.addKey('agent-b', { jwk: one.jwk }), /the same key/],
    ['a key that it has', () => agents.addKey('agent-a', { jwk: one.jwk }), /the same key twice/],
    ['an id that is taken', () => agents.register({ id: 'agent-a', publicKey: three.base64 }), /registered twice/],
    ['a weak key [A15]', () => agents.addKey('agent-a', { publicKey: Buffer.alloc(32).toString('base64') }), /weak/],
    [
      'a misspelt member',
      () => agents.addKey('agent-a', { publicKey: three.base64, expire: 1 } as object),
      /'expires'/,
    ],
    ['no key', () => agents.addKey('agent-a', 'key' as never), /must be an object/],
    ['a key for nobody', () => agents.addKey('agent-x', { publicKey: three.base64 }), /no agent 'agent-x'/],
    ['to suspend nobody', () => agents.suspend('agent-a '), /no agent 'agent-a '/],
    ['to resume nobody', () => agents.resume('__proto__'), /no agent/],
    ['to remove nobody', () => agents.remove('agent-x'), /no agent/],
    ['to remove no key', () => agents.removeKey(thumbprintOf(three)), /no key/],
    ['to end no key', () => agents.expireKey(thumbprintOf(three), 1), /no key/],
    ['an end in milliseconds', () => agents.expireKey(thumbprintOf(one), 1_800_000_000_000), /unix seconds/],
  ])('refuses %s and changes nothing', async (_title, change, message) => {
    const before = await findAll();
    expect(change).toThrow(ConfigError);
    expect(change).toThrow(message);
    expect(await findAll()).toEqual(before);
    expect(await agents.statusOf('agent-x')).toBe('unknown');
  });
});
