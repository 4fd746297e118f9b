import { isIP } from 'node:net';
import type { AuditEvent } from '../record/event.js';
import type { AuditRecord } from '../record/record.js';
import type { OcsfActor, OcsfApiActivity, OcsfDelegation } from './ocsf.js';

/** The first release of OCSF with AI agents and delegations. */
const schemaVersion = '1.9.0';
const apiActivity = 6003;

const activities: ReadonlyMap<string, number> = new Map([
  ['POST', 1],
  ['GET', 2],
  ['HEAD', 2],
  ['OPTIONS', 2],
  ['QUERY', 2],
  ['PUT', 3],
  ['PATCH', 3],
  ['DELETE', 4],
]);
const otherActivity = 99;

const dispositions = {
  allow: { action_id: 1, disposition_id: 1 },
  deny: { action_id: 2, disposition_id: 2 },
  would_refuse: { action_id: 3, disposition_id: 17 },
} as const;

/**
 * Converts a record to an OCSF event: API Activity (6003), with the profiles `ai_operation` (the agent, the delegation)
 * and `security_control` (the decision). A decision and its outcome, of a request or of a call within it, are two events
 * with the same `metadata.correlation_uid`. Nothing is dropped: a member goes to `unmapped` unless all of it has an OCSF
 * name. If a request was refused before its caller was verified, the actor is `unverified`, and the claim is in `unmapped`.
 *
 * @example
 * for await (const record of readAuditLog('audit')) console.log(JSON.stringify(toOcsf(record)));
 */
export function toOcsf(record: AuditEvent | AuditRecord): OcsfApiActivity {
  const whole: AuditEvent & Partial<AuditRecord> = record;
  // The rest, so that a new member is not dropped. Some parts of it have an OCSF name, too.
  const { id, time, sequence, decision, code, action, resource, ...unmapped } = whole;
  const { request, call, filtered, outcome, phase, actor, chain, event } = unmapped;
  const { method = 'LOCAL' } = request;
  const activity = activities.get(method) ?? otherActivity;
  const delegation = delegationOf(chain);
  return {
    class_uid: apiActivity,
    category_uid: 6,
    activity_id: activity,
    ...(activity === otherActivity && { activity_name: method }),
    type_uid: apiActivity * 100 + activity,
    time: Date.parse(time),
    severity_id: decision === 'deny' || decision === 'would_refuse' ? 2 : 1,
    ...statusOf(record),
    message: [phase, event?.name, decision ?? outcome?.result, action, code]
      .filter((part) => part !== undefined)
      .join(' '),
    metadata: {
      version: schemaVersion,
      product: { name: 'Countersign', vendor_name: 'Countersign' },
      profiles: ['ai_operation', 'security_control'],
      uid: id,
      correlation_uid: call?.id ?? request.id,
      ...(sequence !== undefined && { sequence }),
    },
    actor: actorOf(record),
    ...(actor && { ai_agent: { uid: actor.id, type_id: 0 } }),
    ...(delegation && { delegation }),
    api: {
      operation: action ?? method,
      request: { uid: request.id },
      ...(outcome?.status === undefined ? {} : { response: { code: outcome.status } }),
    },
    src_endpoint: endpointOf(request.remoteAddress),
    ...(request.path === undefined
      ? {}
      : { http_request: { http_method: method, uid: request.id, url: { path: request.path } } }),
    ...(outcome?.status === undefined ? {} : { http_response: { code: outcome.status } }),
    ...((resource ?? filtered) && { resources: resourcesOf(record) }),
    ...(decision && dispositions[decision]),
    unmapped,
  };
}

function resourcesOf({ resource, filtered }: AuditEvent): NonNullable<OcsfApiActivity['resources']> {
  const touched = resource === undefined ? (filtered?.resources ?? []) : [resource];
  return touched.map(({ type, id }) => ({ uid: id, type }));
}

/**
 * OCSF's user is the subject, its application the actor; an agent that acts for itself has no user. For whom an agent asked
 * an authority for approval is its own word.
 */
function actorOf({ actor, subject: named, policies = [], policySet, decision, event }: AuditEvent): OcsfActor {
  if (actor === undefined) return { app_name: 'unverified' };
  const subject = event?.name.startsWith('approval.') ? undefined : named;
  const version = policySet === undefined ? {} : { version: policySet };
  return {
    app_uid: actor.id,
    ...(subject?.type === 'user' && { user: { uid: subject.id, type_id: 1 } }),
    ...(subject?.issuer === undefined ? {} : { idp: { uid: subject.issuer } }),
    ...(decision &&
      policies.length > 0 && {
        authorizations: policies.map((uid) => ({
          decision: decision === 'allow' ? 'allowed' : 'denied',
          policy: { uid, ...version },
        })),
      }),
  };
}

/** The actor acts under the last delegation. Its parent is what its issuer made it from, or else the one before. */
function delegationOf(chain: AuditEvent['chain'] = []): OcsfDelegation | undefined {
  const delegated = chain.filter(({ delegationId }) => delegationId !== undefined);
  const [parent, last] = delegated.length > 1 ? delegated.slice(-2) : [undefined, delegated[0]];
  if (last?.delegationId === undefined) return undefined;
  const parentId =
    last.ancestors?.find(({ delegationId }) => delegationId !== undefined)?.delegationId ?? parent?.delegationId;
  return {
    uid: last.delegationId,
    ...(parentId === undefined ? {} : { parent_uid: parentId }),
    ...(last.issuer === undefined ? {} : { issuer_uid: last.issuer }),
    scopes: last.scope,
    ...(last.expiresAt === undefined ? {} : { expiration_time: last.expiresAt * 1000 }),
  };
}

/** A decision that lets an action run has no status: it has not run yet. */
function statusOf({ decision, code, outcome }: AuditEvent): Pick<OcsfApiActivity, 'status_id' | 'status_code'> {
  const why = code ?? outcome?.code;
  const detail = why === undefined ? {} : { status_code: why };
  if (decision === 'deny') return { status_id: 2, ...detail };
  if (outcome === undefined) return detail;
  const succeeded = outcome.result === 'finished' && why === undefined && (outcome.status ?? 500) < 400;
  return { status_id: succeeded ? 1 : 2, ...detail };
}

function endpointOf(address = 'unknown'): OcsfApiActivity['src_endpoint'] {
  return isIP(address) === 0 ? { name: address } : { ip: address };
}
