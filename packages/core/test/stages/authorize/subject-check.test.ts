import { describe, expect, it } from 'vitest';
import { ConfigError } from '@countersign/common';
import type { AgentDirectory } from '../../../src/keys/directory.js';
import { cedarFromText, type PolicyQuery } from '@countersign/policy';
import { agents, allow, engine, guarded, keyId, letIn, permission } from '../../guarded.js';

const AGENTS = '@id("agents") permit(principal is Agent, action, resource);';
const PAYMENTS = '@id("payments") permit(principal in Group::"payments", action, resource == Thing::"1");';
const entities = [{ type: 'User', id: 'user_123', parents: [{ type: 'Group', id: 'payments' }] }];

const schemaFor = (principals: string): string =>
  `entity Thing; action "thing.read" appliesTo { principal: [${principals}], resource: [Thing], context: AgentContext };`;
const theThing = (id: string) => ({ action: 'thing.read', resource: { type: 'Thing', id } });

async function strict(policies: string, agentDirectory: AgentDirectory = agents) {
  const policy = await cedarFromText({ policies, entities });
  return await guarded({ policy, agents: agentDirectory, subjectMustAlsoBePermitted: true });
}

describe('subjectMustAlsoBePermitted', () => {
  it('denies an agent every action that its user is denied', async () => {
    const { guard, audit } = await strict(`${AGENTS}${PAYMENTS}`);
    const forUser = await letIn(guard, {});
    const forOther = await letIn(guard, { sub: 'user_456' });
    expect(await guard.authorize(forUser, theThing('1'))).toMatchObject({ ok: true });
    const refused = { ok: false, refusal: { code: 'policy_denied', status: 403 } };
    expect(await guard.authorize(forUser, theThing('2'))).toMatchObject(refused);
    expect(await guard.authorize(forOther, theThing('1'))).toMatchObject(refused);
    expect(audit.records).toMatchObject([
      {
        decision: 'allow',
        policies: ['policies.cedar#agents', 'policies.cedar#payments'],
        subject: { id: 'user_123', mustBePermitted: true },
      },
      { decision: 'deny', code: 'policy_denied', detail: 'the subject, user user_123: not permitted', policies: [] },
      { decision: 'deny', detail: 'the subject, user user_456: not permitted' },
    ]);
    // The user's own rights are not enough for the agent.
    const usersOnly = await strict(PAYMENTS);
    expect(await usersOnly.guard.authorize(await letIn(usersOnly.guard, {}), theThing('1'))).toMatchObject(refused);
    // Without the option, policy is not asked about the user.
    const lenient = await guarded({ policy: await cedarFromText({ policies: AGENTS }) });
    expect(await lenient.guard.authorize(await letIn(lenient.guard, {}), theThing('2'))).toMatchObject({ ok: true });
    expect(lenient.audit.records[0]?.subject).not.toHaveProperty('mustBePermitted');
  });

  it('asks only about the agent when it acts for itself', async () => {
    const { guard, audit } = await strict(AGENTS);
    expect(await guard.authorize(await letIn(guard), theThing('2'))).toMatchObject({ ok: true });
    expect(audit.records[0]?.subject).not.toHaveProperty('mustBePermitted');
  });

  it('distinguishes a user from an agent of the same name', async () => {
    const { guard } = await strict('permit(principal == Agent::"agent-a", action, resource);');
    expect(await guard.authorize(await letIn(guard, { sub: 'agent-z' }), theThing('1'))).toMatchObject({ ok: false });
  });

  it('filters a list by the rights of the subject too', async () => {
    const { guard, audit } = await strict(
      `permit(principal is Agent, action, resource) unless { resource == Thing::"0" };
      permit(principal is User, action, resource == Thing::"0"); permit(principal is User, action, resource == Thing::"2");`,
    );
    const items = ['0', '1', '2', '3'].map((id) => ({ type: 'Thing', id }));
    expect(await guard.filter(await letIn(guard, {}), 'thing.read', items)).toEqual({
      ok: true,
      permitted: [items[2]],
    });
    expect(audit.records).toMatchObject([{ filtered: { asked: 4, permitted: 1 } }]);
  });

  it('asks about the subject with the same request and scope', async () => {
    const queries: PolicyQuery[] = [];
    const policy = { ...engine((query) => (queries.push(query), allow)), knowsUsers: true };
    const { guard } = await guarded({ policy, subjectMustAlsoBePermitted: true });
    const details = [{ type: 'Thing', privileges: ['x'] }];
    await guard.authorize(await letIn(guard, { authorization_details: details }), permission);
    const [actors, subjects] = queries;
    const { onBehalfOf, ...context } = actors!.context;
    expect(onBehalfOf).toBe('user_123');
    expect(subjects).toEqual({
      ...actors,
      principal: { type: 'User', id: 'user_123', roles: [], capabilities: [] },
      context: { ...context, depth: 0, via: [], proof: 'issuer' },
    });
    expect(context.authorizationDetails).toMatchObject({ privileges: ['x'] });
  });

  it('asks about an agent as subject with the roles of its directory', async () => {
    const allowed = await strict('permit(principal, action, resource);');
    expect(await allowed.guard.authorize(await letIn(allowed.guard, 'agent-b'), theThing('1'))).toMatchObject({
      ok: true,
    });
    const { guard, audit } = await strict(
      'permit(principal, action, resource); @id("not") forbid(principal in Role::"orchestrator", action, resource);',
    );
    expect(await guard.authorize(await letIn(guard, 'agent-b'), theThing('1'))).toMatchObject({
      ok: false,
      refusal: { code: 'policy_denied' },
    });
    expect(audit.records).toMatchObject([
      { detail: 'the subject, agent agent-b: not permitted', policies: ['policies.cedar#not'] },
    ]);
  });

  it.each<[string, AgentDirectory['findByThumbprint'], string]>([
    ['is not known any more', () => ({ kind: 'unknown' }), 'policy_denied'],
    ['cannot be looked up', () => ({ kind: 'unavailable', cause: 'down' }), 'keys_unavailable'],
    [
      'cannot be looked up at all',
      () => {
        throw new Error('down');
      },
      'keys_unavailable',
    ],
    ['is another’s now', () => agents.findByThumbprint(keyId), 'policy_denied'],
  ])('fails closed where the key of the subject %s', async (_title, later, code) => {
    let { findByThumbprint: find } = agents;
    const directory: AgentDirectory = { ...agents, statusOf: () => 'active', findByThumbprint: (one) => find(one) };
    const { guard } = await strict('permit(principal, action, resource);', directory);
    const caller = await letIn(guard, 'agent-b');
    find = later;
    expect(await guard.authorize(caller, theThing('1'))).toMatchObject({ ok: false, refusal: { code } });
  });

  it('denies when the schema has the action for agents only, and records the reason', async () => {
    const answers = [];
    for (const principals of ['Agent', 'Agent, User']) {
      const policy = await cedarFromText({
        policies: 'permit(principal, action, resource);',
        schema: schemaFor(principals),
      });
      const { guard, audit } = await guarded({ policy, subjectMustAlsoBePermitted: true });
      const { ok } = await guard.authorize(await letIn(guard, {}), theThing('1'));
      answers.push([ok, audit.records[0]?.code, audit.records[0]?.detail]);
    }
    expect(answers).toEqual([
      [false, 'policy_error', expect.stringMatching(/^the subject, user user_123: .*`User`/)],
      [true, undefined, undefined],
    ]);
  });

  it('stops the start when the engine would treat a user as an agent [G5]', async () => {
    const starting = guarded({ policy: engine(() => allow), subjectMustAlsoBePermitted: true });
    await expect(starting).rejects.toThrow(ConfigError);
    await expect(starting).rejects.toThrow(/knowsUsers/);
    await expect(guarded({ subjectMustAlsoBePermitted: 'yes' as never })).rejects.toThrow(/must be true or false/);
  });
});
