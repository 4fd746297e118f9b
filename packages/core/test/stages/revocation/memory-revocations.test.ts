import { describe, expect, it } from 'vitest';
import { ConfigError } from '@countersign/common';
import { memoryRevocations, type Revocations } from '../../../src/stages/revocation/memory-revocations.js';
import { RevocationSet } from '../../../src/stages/revocation/revocation-set.js';

const agent = { agent: 'agent-1' };
const user = { subject: 'user_123' };
const usersOfAcme = { subject: 'user_123', issuer: 'https://id.acme.dev' };

function at(start: number): { readonly revocations: Revocations; readonly time: { now: number } } {
  const time = { now: start };
  return { revocations: memoryRevocations({ clock: () => time.now * 1000 }), time };
}

describe('revocations in memory', () => {
  it('apply at once, until they are restored', () => {
    const { revocations } = at(1000);
    expect(revocations.findRevoked([user, agent], 1000)).toBeUndefined();
    revocations.revoke(agent);
    const named = [user, { agent: 'agent-1' }];
    expect(revocations.findRevoked(named, 1000)).toBe(named[1]);
    expect(revocations.restore(agent)).toBe(true);
    expect(revocations.findRevoked(named, 1000)).toBeUndefined();
    expect(revocations.restore(agent)).toBe(false);
  });

  it('differ with and without an issuer', () => {
    const { revocations } = at(1000);
    revocations.revoke(usersOfAcme);
    expect(revocations.findRevoked([user], 1000)).toBeUndefined();
    expect(revocations.restore(user)).toBe(false);
    expect(revocations.findRevoked([usersOfAcme], 1000)).toBe(usersOfAcme);
  });

  it('expire at their until', () => {
    const { revocations, time } = at(1000);
    revocations.revoke({ ...agent, until: 1010 });
    revocations.revoke(user);
    expect(revocations.list()).toEqual([{ ...agent, until: 1010 }, user]);
    expect(revocations.findRevoked([agent], 1009.9)).toBe(agent);
    expect(revocations.findRevoked([agent], 1010)).toBeUndefined();
    time.now = 1010;
    expect(revocations.list()).toEqual([user]);
  });

  it('are never shortened by a later one', () => {
    const { revocations } = at(1000);
    revocations.revoke({ ...agent, until: 2000 });
    revocations.revoke({ ...agent, until: 1500 });
    expect(revocations.list()).toEqual([{ ...agent, until: 2000 }]);
    revocations.revoke(agent);
    revocations.revoke({ ...agent, until: 9000 });
    expect(revocations.list()).toEqual([agent]);
  });

  it('do not change with the object that was passed', () => {
    const { revocations } = at(1000);
    const given = { agent: 'agent-1' };
    revocations.revoke(given);
    given.agent = 'agent-2';
    expect(revocations.findRevoked([agent], 1000)).toBe(agent);
    expect(() => {
      (revocations.list()[0] as { agent: string }).agent = 'agent-2';
    }).toThrow(TypeError);
  });

  it('refuse an until in the past, which would revoke nothing', () => {
    const { revocations, time } = at(1000);
    expect(() => revocations.revoke({ ...agent, until: 1000 })).toThrow(ConfigError);
    expect(() => revocations.revoke({ ...agent, until: 999 })).toThrow(/'until' has passed already/);
    expect(revocations.list()).toEqual([]);
    revocations.revoke({ ...agent, until: 1001 });
    time.now = 1001;
    expect(() => revocations.revoke({ ...agent, until: 1001 })).toThrow(ConfigError);
  });

  it('refuse a misspelt or ambiguous revocation', () => {
    const { revocations } = at(1000);
    expect(() => revocations.revoke({ agnet: 'agent-1' } as never)).toThrow(ConfigError);
    expect(() => revocations.restore({ ...agent, until: 5 } as never)).toThrow(/leave out 'until'/);
    expect(() => memoryRevocations({ clok: Date.now } as never)).toThrow(/Did you mean 'clock'/);
  });
});

describe('a set of revocations', () => {
  it('does not grow with expired revocations', () => {
    const set = new RevocationSet();
    let held = 0;
    for (let now = 1; now <= 20_000; now++) {
      set.add({ delegation: `d-${now}`, until: now + 100 }, now);
      // At time 0 none has expired, so this counts all that the set holds.
      if (now % 500 === 0) held = Math.max(held, set.inForce(0).length);
    }
    expect(held).toBeLessThanOrEqual(1024);
    expect(set.inForce(20_000)).toHaveLength(100);
  });
});
