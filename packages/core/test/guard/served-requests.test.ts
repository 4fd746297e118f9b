import { describe, expect, it } from 'vitest';
import type { Caller } from '../../src/model/caller.js';
import { type AdmittedRequest, ServedRequests } from '../../src/guard/served-requests.js';

const request = {
  session: {
    actor: { id: 'a', type: 'agent', keyId: 'k', roles: [], capabilities: [] },
    subject: { id: 'a', type: 'agent' },
    chain: [{ id: 'a', type: 'agent', proof: 'signature', keyId: 'k', scope: [] }],
    scope: [],
  },
  proof: { kind: 'signature', keyId: 'k', algorithm: 'ed25519', created: 1 },
  facts: { id: 'r', method: 'GET', path: '/' },
} as unknown as AdmittedRequest;

/** What application code can make of a caller. */
const forgeries: Readonly<Record<string, (caller: Caller) => unknown>> = {
  'a copy': (caller) => ({ ...caller }),
  'a clone': (caller) => structuredClone(caller),
  'an object that inherits from one': (caller) => Object.create(caller),
  'a proxy of one': (caller) => new Proxy(caller, {}),
  'an object with its descriptors': (caller) => Object.defineProperties({}, Object.getOwnPropertyDescriptors(caller)),
  nothing: () => undefined,
  null: () => null,
};

describe('served requests', () => {
  it('find the request of a caller that they made', () => {
    const served = new ServedRequests();
    const caller = served.admit(request);
    expect(served.find(caller)).toMatchObject({ facts: { id: 'r' }, completed: false });
  });

  it.each(Object.keys(forgeries))('find nothing for %s [G1]', (name) => {
    const served = new ServedRequests();
    const forged = forgeries[name]?.(served.admit(request)) as Caller;
    expect(served.find(forged)).toBeUndefined();
  });

  it('find nothing for a caller of another guard [G1]', () => {
    expect(new ServedRequests().find(new ServedRequests().admit(request))).toBeUndefined();
  });

  it('leave no trace on the caller', () => {
    const caller = new ServedRequests().admit(request);
    expect(Reflect.ownKeys(caller)).toEqual(['actor', 'subject', 'chain', 'scope', 'proof', 'requestId']);
    expect(Object.getPrototypeOf(caller)).toBe(Object.prototype);
  });
});
