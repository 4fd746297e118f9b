import { setImmediate } from 'node:timers/promises';
import { expect, it, onTestFinished, vi } from 'vitest';
import { patiently } from '../../../../../test/support/patiently.js';
import type { PolicyEngine } from '@countersign/policy';
import { allow, engine, guarded, letIn, permission, signedRequest } from '../../guarded.js';

const things = (count: number) => Array.from({ length: count }, (_, id) => ({ type: 'Thing', id: String(id) }));

const requirement = {
  quorums: [{ groups: ['managers'], count: 1 }],
  useWithinSeconds: 600,
  decideWithinSeconds: 3600,
  reason: 'optional' as const,
  excluded: [],
};

it.each<[string, () => unknown, string]>([
  [
    'more quorums than one approval can have',
    () => ({ ...requirement, quorums: Array.from({ length: 9 }, (_, at) => ({ groups: [`team-${at}`], count: 1 })) }),
    'the engine asks for an approval that cannot be given: requirement.quorums is',
  ],
  ['no quorum', () => ({ ...requirement, quorums: [] }), 'that cannot be given: requirement.quorums is'],
  // Its rejection would fail the run if nobody handled it.
  ['a promise of one', () => Promise.reject(new Error('down')), 'the engine asks for an approval that cannot be given'],
])('the record names the approval as the cause if an engine asks for %s [D3]', async (_what, approval, detail) => {
  const { guard, audit } = await guarded({ policy: engine(() => ({ ...allow, approval: approval() as never })) });
  const request = await guard.authenticate(await signedRequest());
  if (!request.ok || request.caller === undefined) throw new Error('not let in');
  const answer = await guard.authorize(request.caller, permission);
  expect(answer).toMatchObject({ ok: false, refusal: { code: 'policy_error' } });
  expect(JSON.stringify(audit.records)).toContain(detail);
});

// Its rejection would fail the run if nobody handled it.
it.each(['decision', 'policies', 'policySet', 'errors'])(
  'a decision whose %s is a promise is none [D3]',
  async (member) => {
    const decide = () => ({ ...allow, [member]: Promise.reject(new Error('down')) }) as never;
    const { guard } = await guarded({ policy: engine(decide) });
    const answer = await guard.authorize(await letIn(guard), permission);
    expect(answer).toMatchObject({ ok: false, refusal: { code: 'policy_error' } });
  },
);

it('an engine that does not answer in time is asked no more about the list that it kept waiting [J3]', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  const answers: (() => void)[] = [];
  const policy = engine(async () => await new Promise((resolve) => answers.push(() => resolve(allow))));
  const { guard } = await guarded({ policy, lookupTimeoutSeconds: 2 });
  const listing = guard.filter(await letIn(guard), 'thing.read', things(100));
  await vi.waitFor(() => expect(answers).toHaveLength(16), patiently);
  await vi.advanceTimersByTimeAsync(2000);
  expect(await listing).toMatchObject({ ok: false, refusal: { code: 'policy_unavailable', status: 503 } });
  for (const answer of answers) answer();
  for (let turn = 0; turn < 20; turn++) await setImmediate();
  expect(answers).toHaveLength(16);
});

it('an engine that decides many at once is told when nobody waits for the list any more [J3]', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  const decideMany = vi.fn<NonNullable<PolicyEngine['decideMany']>>(() => new Promise(() => undefined));
  const { guard } = await guarded({ policy: { ...engine(() => allow), decideMany }, lookupTimeoutSeconds: 2 });
  const listing = guard.filter(await letIn(guard), 'thing.read', things(2));
  await vi.waitFor(() => expect(decideMany).toHaveBeenCalled(), patiently);
  const signal = decideMany.mock.calls[0]?.[2];
  expect(signal?.aborted).toBe(false);
  await vi.advanceTimersByTimeAsync(2000);
  expect(await listing).toMatchObject({ ok: false, refusal: { code: 'policy_unavailable' } });
  expect(signal?.aborted).toBe(true);
});
