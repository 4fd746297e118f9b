import { expect, it } from 'vitest';
import { allow, engine, guarded, permission, signedRequest } from '../../guarded.js';

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
