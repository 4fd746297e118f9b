import { describe, expect, it } from 'vitest';
import { explainedRefusal } from '../../../src/stages/authorize/verdict.js';
import { cedarFromText, type PolicyEngine } from '@countersign/policy';
import type { GuardOptions } from '../../../src/options/guard-options.js';
import { refusal } from '../../../src/model/refusal.js';
import { reviewerQuery } from '../../../../policy/test/query.js';
import { allow, engine, guarded, permission, signedRequest } from '../../guarded.js';

const policies = '@id("owners") permit(principal in Role::"owner", action == Action::"thing.read", resource);';

/** The body of the refusal, and all that was recorded. */
async function refused(options: Partial<GuardOptions>, claims?: object): Promise<{ body: unknown; log: string }> {
  const { guard, audit } = await guarded(options);
  const request = await guard.authenticate(await signedRequest(claims));
  if (!request.ok || request.caller === undefined) throw new Error('not let in');
  const authorization = await guard.authorize(request.caller, permission);
  if (authorization.ok) throw new Error('allowed');
  return { body: JSON.parse(guard.respond(authorization.refusal).body), log: JSON.stringify(audit.records) };
}

const terse = {
  type: 'https://countersign.github.io/countersign/refusals/policy_denied',
  title: 'Policy does not permit this.',
  status: 403,
  code: 'policy_denied',
};

describe('a refusal that explains itself', () => {
  it('does not by default', async () => {
    expect((await refused({ policy: await cedarFromText({ policies }) })).body).toEqual(terse);
  });

  it('does with dangerouslyExplainRefusals, on the wire and not in the log', async () => {
    const policy = await cedarFromText({ policies });
    const { body, log } = await refused({ policy, dangerouslyExplainRefusals: true });
    expect(body).toEqual({
      ...terse,
      explanation: `Denied: Agent::"agent-a", thing.read on Thing::"1".
No permit applies. The nearest:
  policies.cedar#owners (policies.cedar:1)
    actor (policies.cedar:1): principal in Role::"owner"
      does not hold; the actor is Agent::"agent-a", in the roles reader`,
    });
    expect(log).toContain('policy_denied');
    expect(log).not.toContain('No permit applies');
  });

  it.each<[string, PolicyEngine]>([
    ['cannot explain', engine(() => ({ ...allow, decision: 'deny' }))],
    [
      'throws when it explains',
      engine(() => ({
        ...allow,
        decision: 'deny',
        explain: () => {
          throw new Error('no');
        },
      })),
    ],
  ])('stays terse where the engine %s', async (_name, policy) => {
    expect((await refused({ policy, dangerouslyExplainRefusals: true })).body).toEqual(terse);
  });

  it('explains a subject that is not permitted, as far as policy was asked about it', async () => {
    const both = { dangerouslyExplainRefusals: true, subjectMustAlsoBePermitted: true };
    const policy = await cedarFromText({ policies: 'permit(principal is Agent, action, resource);' });
    const { body } = await refused({ policy, ...both }, {});
    expect(body).toMatchObject({
      ...terse,
      explanation: expect.stringMatching(/^Denied: User::"user_123", .*\n.*\n.*\n.*principal is Agent/),
    });
  });

  it('does not show the decision of the actor where its subject is unknown', async () => {
    const policy = await cedarFromText({ policies: 'permit(principal is Agent, action, resource);' });
    const allowed = policy.decide(reviewerQuery());
    expect(allowed.decision).toBe('allow');
    expect(explainedRefusal(refusal('policy_denied'), allowed)).toEqual(refusal('policy_denied'));
  });

  it('explains no outage', async () => {
    const policy = engine(() => Promise.reject(new Error('down')));
    expect((await refused({ policy, dangerouslyExplainRefusals: true })).body).not.toHaveProperty('explanation');
  });

  it('is switched on by true alone [G5]', async () => {
    const wrong = { dangerouslyExplainRefusals: 'yes' } as unknown as Partial<GuardOptions>;
    await expect(guarded(wrong)).rejects.toThrow(/'dangerouslyExplainRefusals' must be true or false/);
  });
});
