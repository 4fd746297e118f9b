import type { EntityUidJson, Expr, PolicyJson, TypeAndId } from '@cedar-policy/cedar-wasm/nodejs';
import { type ApprovalRequirement, joinRequirements, requirementKey, requirementText } from '@countersign/approval';
import { errorMessage, failed, type Reading } from '@countersign/common';
import { type Cedar, freshCedar } from '../cedar/instance/instance.js';
import { entityKey } from '../cedar/index/scope.js';
import type { Policy } from '../cedar/load/policy-set.js';
import { depthOf, MAX_DEPTH } from '../cedar/text/policy-text.js';

/** What people approved again and again. */
export interface ApprovedCall {
  readonly agent: string;
  readonly subject: { readonly id: string; readonly type: 'user' | 'agent' };
  /** Links of the chain from the subject to the agent. */
  readonly hops: number;
  /** How requests are proven that people can approve: nothing binds the body of others. */
  readonly possession: 'signature' | 'local';
  readonly action: string;
  readonly resource: TypeAndId;
  /** Ids of the policies that asked. */
  readonly policies: readonly string[];
  /** What was demanded of the people who approved, by the word of whoever asked them. */
  readonly requirement: ApprovalRequirement;
}

export interface NarrowedPermitOptions {
  readonly id: string;
  /** Unix seconds. A policy that asked may end earlier: then so does this one. */
  readonly expiresAt: number;
  /** Unix seconds. */
  readonly now: number;
}

/** A permit without `@approval`, as text of Cedar, and the policies whose questions it leaves alone. */
export interface NarrowedPermit {
  readonly text: string;
  readonly exceptFor: readonly string[];
}

/**
 * Writes a permit for one call that asks nobody. It is never wider than the permits that asked: it keeps the constraints
 * and conditions of all of them, as their syntax trees have them, and does not apply where another permit asks, too.
 * Approvals of anything but what these permits demand together count for nothing: an agent may have asked its friends.
 */
export function narrowPermit(
  call: ApprovedCall,
  policies: readonly Policy[],
  { id, expiresAt, now }: NarrowedPermitOptions,
): Reading<NarrowedPermit> {
  const { agent, action, resource } = call;
  const asking = policies.filter(({ approval }) => approval !== undefined);
  const named = call.policies.map((name) => asking.find((policy) => policy.id === name));
  const missing = call.policies.find((_, index) => named[index] === undefined);
  const kept = named.filter((policy) => policy !== undefined);
  const [first, ...more] = kept.flatMap(({ approval }) => approval ?? []);
  if (missing !== undefined || first === undefined) return failed(`no permit '${missing ?? ''}' asks for approval`);
  const demanded = joinRequirements(first, ...more);
  if (requirementKey(call.requirement) !== requirementKey(demanded)) {
    const [given, wanted] = [call.requirement, demanded].map(requirementText);
    return failed(`approvals by ${given} count for nothing; required by ${call.policies.join(', ')}: ${wanted}`);
  }
  const scope = {
    principal: { type: 'Agent', id: agent },
    action: { type: 'Action', id: action },
    resource: { type: resource.type, id: resource.id },
  };
  const others = asking.filter((policy) => !kept.includes(policy) && !hasEnded(policy, now) && mayApply(policy, scope));
  const ends = Math.min(expiresAt, ...kept.map((policy) => policy.expiresAt ?? expiresAt));
  if (ends <= now) return failed('a policy that asked has expired');
  const cedar = freshCedar();
  try {
    const exceptions = others.map((policy) => ({
      name: policy.id,
      body: applicability(treeOf(cedar, policy), scope),
    }));
    const same = exceptions.find(({ body }) => body.length === 0);
    if (same !== undefined) return failed(`${same.name} asks about all of it, too`);
    const json: PolicyJson = {
      effect: 'permit',
      annotations: { id, expires: new Date(ends * 1000).toISOString().replace('.000Z', 'Z') },
      principal: { op: '==', entity: scope.principal },
      action: { op: '==', entity: scope.action },
      resource: { op: '==', entity: scope.resource },
      conditions: [
        { kind: 'when', body: all([...subjectOf(call), provenBy(call.possession)]) },
        ...kept.flatMap((policy) => conditionsOf(treeOf(cedar, policy), scope)),
        ...exceptions.map(({ body }): Clause => ({ kind: 'unless', body: all(body) })),
        // Last, since more hops must not hide an error of the others.
        { kind: 'when', body: atMostHops(call.hops) },
      ],
    };
    const text = textOf(cedar, json);
    if (depthOf(text) > MAX_DEPTH) return failed('the conditions together are too deep for one policy');
    return { ok: true, value: { text, exceptFor: exceptions.map(({ name }) => name) } };
  } catch (error) {
    return failed(`Cedar cannot write it: ${errorMessage(error)}`);
  }
}

type Clause = PolicyJson['conditions'][number];
type Variable = 'principal' | 'action' | 'resource';
type Scope = Readonly<Record<Variable, TypeAndId>>;

const variables: readonly Variable[] = ['principal', 'action', 'resource'];

function treeOf(cedar: Cedar, { text }: Policy): PolicyJson {
  const answer = cedar.policyToJson(text);
  if (answer.type === 'failure') throw new Error(answer.errors.map(({ message }) => message).join(', '));
  return answer.json;
}

function textOf(cedar: Cedar, json: PolicyJson): string {
  const answer = cedar.policyToText(json);
  if (answer.type === 'failure') throw new Error(answer.errors.map(({ message }) => message).join(', '));
  const formatted = cedar.formatPolicies({ policyText: answer.text, lineWidth: 100, indentWidth: 2 });
  return formatted.type === 'failure' ? answer.text : formatted.formatted_policy;
}

function hasEnded({ expiresAt }: Policy, now: number): boolean {
  return expiresAt !== undefined && expiresAt <= now;
}

/** False only if the constraints exclude the call for certain: groups may change. */
function mayApply({ scope }: Policy, call: Scope): boolean {
  return variables.every((variable) => {
    const { equals, is } = scope[variable];
    const uid = call[variable];
    return (equals === undefined || equals === entityKey(uid)) && (is === undefined || is === uid.type);
  });
}

/** The clauses of a policy, and its constraints as the first of them, without those that the new head has anyway. */
function conditionsOf(json: PolicyJson, call: Scope): readonly Clause[] {
  const head = constraintsOf(json).filter((expression) => !isHead(expression, call));
  return [...(head.length === 0 ? [] : [{ kind: 'when', body: all(head) } as const]), ...json.conditions];
}

function isHead(expression: Expr, call: Scope): boolean {
  return variables.some((variable) => JSON.stringify(expression) === JSON.stringify(equal(variable, call[variable])));
}

/** What must hold where a policy applies to the call, besides the new head; empty: nothing. */
function applicability(json: PolicyJson, call: Scope): readonly Expr[] {
  const conditions = json.conditions.map(({ kind, body }) => (kind === 'when' ? body : { '!': { arg: body } }));
  return [...constraintsOf(json).filter((expression) => !isHead(expression, call)), ...conditions];
}

/** The constraints of a head as expressions. */
function constraintsOf(json: PolicyJson): readonly Expr[] {
  return variables.flatMap((variable): readonly Expr[] => {
    const constraint = json[variable];
    const left = { Var: variable };
    switch (constraint.op) {
      case '==':
        if ('entity' in constraint) return [equal(variable, uidOf(constraint.entity))];
        break;
      case 'in':
        if ('entity' in constraint) return [{ in: { left, right: entity(constraint.entity) } }];
        if ('entities' in constraint) return [{ in: { left, right: { Set: constraint.entities.map(entity) } } }];
        break;
      case 'is': {
        const { entity_type: type, in: group } = constraint;
        if (group === undefined) return [{ is: { left, entity_type: type } }];
        if ('entity' in group) return [{ is: { left, entity_type: type, in: entity(group.entity) } }];
        break;
      }
      case 'All':
        return [];
      default:
    }
    throw new Error('a constraint that is not known');
  });
}

/** As the engine states it: `context.onBehalfOf` of a user, `context.onBehalfOfAgent` of an agent, or none of both. */
function subjectOf({ agent, subject: { type, id } }: ApprovedCall): readonly Expr[] {
  if (type === 'agent' && id === agent) {
    return ['onBehalfOf', 'onBehalfOfAgent'].map((attr) => ({ '!': { arg: has(attr) } }));
  }
  const [attr, kind] = type === 'user' ? ['onBehalfOf', 'User'] : ['onBehalfOfAgent', 'Agent'];
  return [has(attr), { '==': { left: attribute(attr), right: entity({ type: kind, id }) } }];
}

/** More agents in between would be another chain than the one that people saw. */
function atMostHops(hops: number): Expr {
  return { '<=': { left: attribute('depth'), right: { Value: hops } } };
}

function provenBy(possession: ApprovedCall['possession']): Expr {
  return { '==': { left: attribute('possession'), right: { Value: possession } } };
}

function has(attr: string): Expr {
  return { has: { left: { Var: 'context' }, attr } };
}

function attribute(attr: string): Expr {
  return { '.': { left: { Var: 'context' }, attr } };
}

function equal(variable: Variable, uid: TypeAndId): Expr {
  return { '==': { left: { Var: variable }, right: entity(uid) } };
}

function entity(uid: EntityUidJson): Expr {
  const { type, id } = uidOf(uid);
  return { Value: { __entity: { type, id } } };
}

function uidOf(uid: EntityUidJson): TypeAndId {
  return '__entity' in uid ? uid.__entity : uid;
}

/** The conjunction, in this order: what stands first guards what follows. */
function all(expressions: readonly Expr[]): Expr {
  return expressions.length === 0 ? { Value: true } : expressions.reduce((left, right) => ({ '&&': { left, right } }));
}
