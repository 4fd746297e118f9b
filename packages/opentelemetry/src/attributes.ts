import type { AuditEvent } from '@countersign/core';
import type { Attributes } from '@opentelemetry/api';

/**
 * A record as attributes: names of the semantic conventions where there are some (`gen_ai.agent.id`, `user.id`, written
 * out since they are in development and move between packages), our own for the rest. No convention names an
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
    'countersign.outcome': record.outcome?.result,
    ...identityAttributes(record),
  });
}

/** A refused request has claimed to be somebody: that is nobody's `gen_ai.agent.id`. */
function identityAttributes({
  actor,
  possession,
  subject,
  chain,
  claimed,
}: AuditEvent): Readonly<Record<string, Value>> {
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

/** What an instrumentation of HTTP says of a request on its span already. */
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
