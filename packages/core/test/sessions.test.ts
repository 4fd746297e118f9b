import { cedarFromText } from '@countersign/policy';
import * as fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { agentsFromObjects } from '../src/keys/agents-from-objects.js';
import type { AgentRegistry } from '../src/keys/agent-registry.js';
import { Sessions } from '../src/stages/chain/sessions.js';
import { guarded, keyId, registrations, signedRequest } from './guarded.js';

const actions = ['thing.read', 'thing.write'] as const;
const policies = [
  'permit(principal, action == Action::"thing.read", resource) when { context.scope.contains("thing") };',
  'permit(principal in Role::"reader", action, resource);',
  'permit(principal, action, resource); forbid(principal, action, resource) when { context has onBehalfOf };',
];
const start = Math.floor(Date.now() / 1000);

/** Credentials that are sent again and again, in the same words: by itself, for users, with details, by a short token. */
const claims: readonly (object | undefined)[] = [
  undefined,
  { jti: 'one' },
  { jti: 'two', sub: 'user_456', scope: 'thing other' },
  { jti: 'three', authorization_details: [{ type: 'thing', actions: ['thing.read'] }] },
  { jti: 'four', exp: start + 30 },
].map((more) => more && { iat: start, exp: start + 300, ...more });

type Step =
  | { readonly ask: number; readonly action: (typeof actions)[number]; readonly id: string }
  | { readonly change: number };

const steps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({ ask: fc.nat(4), action: fc.constantFrom(...actions), id: fc.constantFrom('1', '2') }),
    },
    { weight: 1, arbitrary: fc.record({ change: fc.nat(9) }) },
  ),
  { minLength: 8, maxLength: 30 },
);

/** One API, which can be changed while it is used. */
async function createWorld(): Promise<{ take(step: Step): Promise<unknown>; readonly records: readonly object[] }> {
  const agents = agentsFromObjects(registrations);
  const policy = await cedarFromText({ policies: policies[0]! });
  let now = start + 1.5;
  const { guard, audit } = await guarded({ agents, policy, clock: () => now * 1000, revocations: [] });

  const changes: readonly (() => unknown)[] = [
    () => (now += 12),
    () => agents.suspend('agent-a'),
    () => agents.resume('agent-a'),
    () => register(agents, { capabilities: ['thing', 'other'] }),
    () => register(agents, { capabilities: ['thing:narrow'], roles: [], owner: 'team' }),
    () => guard.revocations.revoke({ delegation: 'one', until: Math.ceil(now) + 10 }),
    () => guard.revocations.revoke({ subject: 'user_456', until: Math.ceil(now) + 10 }),
    () => agents.expireKey(keyId, Math.ceil(now) + 5),
    () => policy.replace({ policies: policies[1]! }),
    () => policy.replace({ policies: policies[2]! }),
  ];

  async function ask({ ask: which, action, id }: Extract<Step, { ask: number }>): Promise<unknown> {
    const request = await signedRequest(claims[which], {}, Math.floor(now));
    const answer = await guard.authenticate(request);
    if (!answer.ok || answer.caller === undefined) return { ...answer, requestId: undefined };
    const { requestId: _, ...caller } = answer.caller;
    const decided = await guard.authorize(answer.caller, { action, resource: { type: 'Thing', id } });
    await guard.complete(answer.caller, { result: 'finished', status: 200 });
    return { caller, decided: decided.ok ? { ...decided.decision } : decided.refusal };
  }

  return {
    async take(step) {
      return 'ask' in step ? await ask(step) : await changes[step.change]?.();
    },
    get records() {
      return audit.records.map(({ id: _id, request, ...record }) => ({ ...record, path: request.path }));
    },
  };
}

function register(agents: AgentRegistry, change: object): void {
  agents.remove('agent-a');
  agents.register({ ...registrations[0], ...change });
}

const forget = (): void => void vi.spyOn(Sessions.prototype, 'find').mockReturnValue(undefined);

afterEach(() => void vi.restoreAllMocks());

describe('a guard that remembers sessions', () => {
  it('answers and records as one that remembers none, whatever changes in between [D13, G1]', async () => {
    let found = 0;
    await fc.assert(
      fc.asyncProperty(steps, async (taken) => {
        const [remembers, forgets] = [await createWorld(), await createWorld()];
        for (const step of taken) {
          const find = vi.spyOn(Sessions.prototype, 'find');
          const one = await remembers.take(step);
          found += find.mock.results.filter(({ value }) => value !== undefined).length;
          vi.restoreAllMocks();
          forget();
          const other = await forgets.take(step);
          vi.restoreAllMocks();
          expect(plain(one)).toEqual(plain(other));
        }
        expect(remembers.records).toEqual(forgets.records);
      }),
      { numRuns: 40 },
    );
    expect(found).toBeGreaterThan(50);
  });
});

/** What differs between two runs of the same. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value ?? null));
}
