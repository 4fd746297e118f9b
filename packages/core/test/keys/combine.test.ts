import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { ConfigError } from '@countersign/common';
import { agentsFromObjects } from '../../src/keys/agents-from-objects.js';
import { boundedDirectory } from '../../src/keys/bounded-directory.js';
import { combine } from '../../src/keys/combine.js';
import type { AgentDirectory, KeyLookup } from '../../src/keys/directory.js';
import { readPublicKey } from '../../src/keys/ed25519-key.js';
import { newEd25519Key, type TestKey } from './test-keys.js';

const one = newEd25519Key();
const two = newEd25519Key();

function thumbprintOf(key: TestKey): string {
  const read = readPublicKey(key.jwk);
  return read.ok ? read.thumbprint : 'none';
}

const down: AgentDirectory = {
  findByThumbprint: () => ({ kind: 'unavailable', cause: 'down' }),
  statusOf: () => 'unavailable',
};

function directoryOf(id: string, key: TestKey, capability = 'repo:read'): AgentDirectory {
  return agentsFromObjects([{ id, publicKey: key.base64, capabilities: [capability] }]);
}

async function holder(agents: AgentDirectory, key: TestKey): Promise<string> {
  const found = await agents.findByThumbprint(thumbprintOf(key));
  return found.kind === 'found' ? `${found.agent.id} ${found.agent.capabilities.join(' ')}` : found.kind;
}

/** The signature directory of one agent, which cannot say yet whether it holds the key. */
function open(final: () => KeyLookup | Promise<KeyLookup>, id = 'crawler'): AgentDirectory {
  return {
    findByThumbprint: () => ({ kind: 'unavailable', cause: 'asked', final }),
    statusOf: (name) => (name === id ? 'active' : 'unknown'),
  };
}

async function finalHolder(agents: AgentDirectory, key: TestKey): Promise<string> {
  const found = await agents.findByThumbprint(thumbprintOf(key));
  const last = found.kind === 'unavailable' && found.final !== undefined ? await found.final() : found;
  return last.kind === 'found' ? last.agent.id : last.kind;
}

const forever = async (): Promise<KeyLookup> => new Promise(() => {});
const crawler = directoryOf('crawler', one);
const late = open(async () => crawler.findByThumbprint(thumbprintOf(one)));
const failed = open(() => ({ kind: 'unavailable', cause: 'down' }), 'other');
const empty = open(() => ({ kind: 'unknown' }), 'third');

describe('combine', () => {
  it('finds agents of either directory', async () => {
    const agents = combine(directoryOf('agent-a', one), directoryOf('agent-b', two));
    expect(await holder(agents, one)).toBe('agent-a repo:read');
    expect(await holder(agents, two)).toBe('agent-b repo:read');
    expect(await holder(agents, newEd25519Key())).toBe('unknown');
    expect(await Promise.all(['agent-a', 'agent-b', 'agent-c'].map(async (id) => agents.statusOf(id)))).toEqual([
      'active',
      'active',
      'unknown',
    ]);
  });

  it('does not let a later directory add keys or capabilities to an earlier agent [C5]', async () => {
    const agents = combine(directoryOf('agent-a', one), directoryOf('agent-a', two, 'admin'));
    expect(await holder(agents, one)).toBe('agent-a repo:read');
    expect(await holder(agents, two)).toBe('unknown');
  });

  it('does not let a later directory claim an earlier key [C5]', async () => {
    const agents = combine(directoryOf('agent-a', one), directoryOf('agent-b', one, 'admin'));
    expect(await holder(agents, one)).toBe('agent-a repo:read');
  });

  it('does not find an agent in a later directory when an earlier one suspends it [C7]', async () => {
    const first = agentsFromObjects([{ id: 'agent-a', publicKey: one.base64 }]);
    const agents = combine(first, directoryOf('agent-a', two), directoryOf('agent-b', one));
    first.suspend('agent-a');
    expect(await holder(agents, two)).toBe('unknown');
    expect(await agents.findByThumbprint(thumbprintOf(one))).toMatchObject({ agent: { status: 'suspended' } });
  });

  it('is unavailable when a directory fails, unless an earlier one has answered [A14]', async () => {
    expect(await holder(combine(directoryOf('agent-a', one), down), one)).toBe('agent-a repo:read');
    expect(await holder(combine(directoryOf('agent-a', one), down), two)).toBe('unavailable');
    expect(await holder(combine(down, directoryOf('agent-a', one)), one)).toBe('unavailable');
    const agents = combine(directoryOf('agent-a', one), down);
    expect(await agents.statusOf('agent-a')).toBe('active');
    expect(await agents.statusOf('agent-b')).toBe('unavailable');
  });

  it('the first that knows a name says whether it is suspended, and one that cannot be asked might [C7]', async () => {
    const first = agentsFromObjects([{ id: 'agent-a', publicKey: one.base64, status: 'suspended' }]);
    const second = directoryOf('agent-a', two);
    expect(await combine(first, second).statusOf('agent-a')).toBe('suspended');
    expect(await combine(second, first).statusOf('agent-a')).toBe('active');
    expect(await combine(first, down).statusOf('agent-a')).toBe('suspended');
    expect(await combine(down, first).statusOf('agent-a')).toBe('unavailable');
  });

  it('does not wait for the directory of one agent when a later one holds the key [A14]', async () => {
    const agents = combine(open(forever), combine(open(forever, 'other'), directoryOf('agent-b', two)));
    expect(await holder(agents, two)).toBe('agent-b repo:read');
    expect(await agents.findByThumbprint(thumbprintOf(one))).toMatchObject({ final: expect.any(Function) });
  });

  it('asks the directories of one agent in their order when nobody else holds the key [A14]', async () => {
    const second = agentsFromObjects([]);
    expect(await finalHolder(combine(failed, late, second), one)).toBe('crawler');
    expect(await finalHolder(combine(late, failed, second), one)).toBe('crawler');
    expect(await finalHolder(combine(combine(failed, empty), late), one)).toBe('crawler');
    expect(await finalHolder(combine(empty, second), one)).toBe('unknown');
    expect(await finalHolder(combine(failed, empty), one)).toBe('unavailable');
    // The directory of the name has just got the key that a later one has under that name.
    expect(await finalHolder(combine(late, directoryOf('crawler', one)), one)).toBe('crawler');
    expect(await finalHolder(combine(empty, crawler, directoryOf('crawler', one)), one)).toBe('crawler');
    expect(await finalHolder(combine(empty, failed), one)).toBe('unavailable');
    expect(await finalHolder(combine(open(async () => Promise.reject(new Error('lost')))), one).catch(String)).toMatch(
      /lost/,
    );
  });

  it('is closed when a directory of several agents fails beside one of one agent [A14, C7]', async () => {
    const agents = combine(failed, down, directoryOf('agent-b', two));
    const found = await agents.findByThumbprint(thumbprintOf(two));
    expect(found).toEqual({ kind: 'unavailable', cause: 'down' });
    expect(await holder(combine(late, down), one)).toBe('crawler repo:read');
  });

  it('does not let the directory of one agent shadow an earlier name, nor a later one its own [C5]', async () => {
    expect(await finalHolder(combine(directoryOf('crawler', two), late), one)).toBe('unknown');
    const shadowing = combine(open(forever), directoryOf('crawler', two, 'admin'));
    expect(await shadowing.findByThumbprint(thumbprintOf(two))).toMatchObject({ kind: 'unavailable' });
    expect(await finalHolder(combine(empty, directoryOf('third', two, 'admin')), two)).toBe('unknown');
  });

  it('answers from memory at once, also while a later directory is flooded or hangs [A14, I6]', async () => {
    const never: AgentDirectory = {
      findByThumbprint: async () => new Promise(() => {}),
      statusOf: async () => new Promise(() => {}),
    };
    const agents = boundedDirectory(combine(directoryOf('agent-a', one), never, directoryOf('agent-b', two)), 0.2);
    const flood = Array.from({ length: 1024 }, async (_, at) => agents.findByThumbprint(`made up ${at}`));
    expect(agents.findByThumbprint(thumbprintOf(one))).toMatchObject({ kind: 'found' });
    expect(agents.statusOf('agent-a')).toBe('active');
    expect(() => agents.findByThumbprint('one more')).toThrow('more than 1024 look-ups at once');
    expect((await Promise.allSettled(flood)).every(({ status }) => status === 'rejected')).toBe(true);
  });

  it('has a bound for each directory, so that none takes the places of another [A14, I6]', async () => {
    const waiting: ((lookup: KeyLookup) => void)[] = [];
    const early: AgentDirectory = { findByThumbprint: async () => ({ kind: 'unknown' }), statusOf: () => 'unknown' };
    const hung: AgentDirectory = {
      findByThumbprint: async () => new Promise((answer) => void waiting.push(answer)),
      statusOf: () => 'unknown',
    };
    const agents = combine(early, hung, directoryOf('agent-b', two));
    const flood: Promise<KeyLookup>[] = [];
    for (let at = 0; at < 1024; at += 1) {
      flood.push(Promise.resolve(agents.findByThumbprint(`made up ${at}`)));
      if (at % 512 === 511) await setImmediate();
    }
    // The earlier directory is asked, and the one that hangs is not.
    await expect(agents.findByThumbprint('one more')).rejects.toThrow('more than 1024 look-ups at once');
    expect(waiting).toHaveLength(1024);
    for (const answer of waiting) answer({ kind: 'unknown' });
    expect((await Promise.all(flood)).every(({ kind }) => kind === 'unknown')).toBe(true);
  });

  it('does not wait for the name in a later directory when an earlier one knows it [A14]', async () => {
    const rejecting: AgentDirectory = { ...down, statusOf: async () => Promise.reject(new Error('down')) };
    const later: AgentDirectory = { ...down, statusOf: async () => Promise.resolve('active') };
    const remote: AgentDirectory = { ...down, statusOf: async () => Promise.resolve('unknown') };
    expect(await combine(later, rejecting).statusOf('agent-a')).toBe('active');
    expect(await combine(remote, rejecting, later).statusOf('agent-a')).toBe('unavailable');
    expect(await combine(remote, later).statusOf('agent-a')).toBe('active');
  });

  it('is unavailable when it cannot tell whether a name is taken [C5]', async () => {
    const half: AgentDirectory = { findByThumbprint: () => ({ kind: 'unknown' }), statusOf: () => 'unavailable' };
    expect(await holder(combine(half, directoryOf('agent-a', one)), one)).toBe('unavailable');
  });

  it('can be nested, and closes all', async () => {
    const closed: string[] = [];
    const closing = (name: string, directory: AgentDirectory): AgentDirectory => ({
      ...directory,
      close: () => void closed.push(name),
    });
    const agents = combine(
      combine(closing('a', directoryOf('agent-a', one)), directoryOf('agent-c', newEd25519Key())),
      closing('b', directoryOf('agent-b', two)),
    );
    expect(await holder(agents, two)).toBe('agent-b repo:read');
    await agents.close?.();
    expect(closed).toEqual(['a', 'b']);
  });

  it('refuses an empty list and a value that is not a directory [G5]', () => {
    expect(() => combine()).toThrow(ConfigError);
    expect(() => combine(Promise.resolve(down) as unknown as AgentDirectory)).toThrow(/'await'/);
    expect(() => combine(undefined as unknown as AgentDirectory)).toThrow(ConfigError);
  });
});
