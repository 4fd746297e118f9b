import type { AuditEvent } from '@countersign/core';
import type { Attributes } from '@opentelemetry/api';

/**
 * A record as span attributes. Names follow the semantic conventions where they exist (`gen_ai.agent.id`, `user.id`;
 * literals, because these are in development and move between packages); the rest are our own. No convention covers an
 * authorization decision yet.
 */
export function recordAttributes(record: AuditEvent): Attributes {
  return present({
    'countersign.record.id': record.id,
    'countersign.request.id': record.request.id,
    'countersign.decision': record.decision,
    'countersign.reason': record.code ?? record.outcome?.code,
    'countersign.action': record.action,
    'countersign.resource.type': record.resource?.type,
    'countersign.resource.id': record.resource?.id,
    'countersign.filtered.asked': record.filtered?.asked,
    'countersign.filtered.permitted': record.filtered?.permitted,
    'countersign.policy.id': record.policies,
    'countersign.policy.version': record.policySet,
    'countersign.scope': record.scope,
    'countersign.call.id': record.call?.id,
    'countersign.call.method': record.call?.method,
    'countersign.call.name': record.call?.name,
    'countersign.outcome': record.outcome?.result,
    ...identityAttributes(record),
  });
}

/**
 * The claimed identity of a refused request is unproved, so it never becomes `gen_ai.agent.id`; nor is for whom, and through
 * whom, an agent asked an authority for approval.
 */
function identityAttributes(record: AuditEvent): Readonly<Record<string, Value>> {
  const { actor, possession, claimed } = record;
  const { subject, chain } = record.event?.name.startsWith('approval.') ? {} : record;
  return {
    'gen_ai.agent.id': actor?.id,
    'user.id': subject?.type === 'user' ? subject.id : undefined,
    'countersign.actor.key_id': actor?.keyId,
    'countersign.possession': possession,
    'countersign.subject.id': subject?.id,
    'countersign.subject.type': subject?.type,
    'countersign.chain': chain?.map(({ id }) => id),
    'countersign.claimed.key_id': claimed?.keyId,
    'countersign.claimed.agent': claimed?.agent,
  };
}

/** Attributes that an HTTP instrumentation already puts on its span. */
export function exchangeAttributes({ request, outcome }: AuditEvent): Attributes {
  return present({
    'http.request.method': request.method,
    'url.path': request.path,
    'client.address': request.remoteAddress,
    'http.response.status_code': outcome?.status,
  });
}

type Value = string | number | readonly string[] | undefined;

function present(values: Readonly<Record<string, Value>>): Attributes {
  return Object.fromEntries(
    Object.entries(values).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, typeof value === 'object' ? [...value] : value]],
    ),
  );
}
