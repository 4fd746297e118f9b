import { checkOptionNames, ConfigError } from '@countersign/common';
import type { PolicyDecision, PolicyEngine, PolicyQuery } from '@countersign/policy';
import { PolicyDecisionPoint, type PdpOptions, pdpOptionNames, undecided, wellFormedJson } from '@countersign/pdp';
import { readDecision } from './decision-document.js';
import { inputDocument } from './input-document.js';

export interface OpaServerOptions extends PdpOptions {
  /** The deciding rule, as in OPA's data API: `agent/authz/allow` for `allow` in `package agent.authz`. */
  readonly path: string;
}

/**
 * Asks an OPA server: `POST /v1/data/<path>`. The rule gives a boolean, or `{ "allow": boolean, "policies": [names] }`.
 *
 * Everything else denies: an undefined rule, another value, an error of the server (`policy_error`). Errors of built-in
 * functions count as errors (`strict-builtin-errors`): by default OPA makes them undefined, which would skip a rule that
 * denies. A server that does not answer in time is an outage (503 `policy_unavailable`); after consecutive outages it gets
 * no requests for a while. The policy set of a decision is the revisions of the server's bundles.
 *
 * @throws ConfigError which says what to do.
 *
 * @example
 * const policy = opaServer({ url: 'http://127.0.0.1:8181', path: 'agent/authz/allow' });
 */
export function opaServer(options: OpaServerOptions): PolicyEngine {
  checkOptionNames('opaServer', options, [...pdpOptionNames, 'path']);
  const path = `v1/data/${readPath(options.path)}?provenance=true&strict-builtin-errors=true`;
  const pdp = new PolicyDecisionPoint('opaServer', options);
  return {
    scopeVocabulary: pdp.scopeVocabulary,
    knowsUsers: true,
    async decide(query: PolicyQuery): Promise<PolicyDecision> {
      const input = wellFormedJson({ input: inputDocument(query) });
      if (!input.ok) return undecided(input.problem, '');
      const answer = await pdp.post(path, input.text);
      return answer.ok ? readAnswer(answer.json) : undecided(answer.problem, '');
    },
  };
}

function readPath(path: string): string {
  if (typeof path !== 'string' || !/^[A-Za-z_][A-Za-z0-9_-]*(?:\/[A-Za-z_][A-Za-z0-9_-]*)*$/.test(path)) {
    throw new ConfigError("opaServer: 'path' must name a rule, like 'agent/authz/allow'.");
  }
  return path;
}

function readAnswer(json: unknown): PolicyDecision {
  if (typeof json !== 'object' || json === null) return undecided('its answer is not an object', '');
  // Members of an OPA error. With both an error and a result it is undefined which one counts.
  if (['code', 'error', 'errors'].some((name) => name in json)) {
    return undecided('it reports an error besides a result', '');
  }
  const { result, provenance } = json as { readonly result?: unknown; readonly provenance?: unknown };
  return readDecision(result, revisionsOf(provenance));
}

/** `name@revision` of each bundle; empty if the server has none. For the record only. */
function revisionsOf(provenance: unknown): string {
  const { bundles } = (provenance ?? {}) as {
    readonly bundles?: Readonly<Record<string, { revision?: unknown } | null>>;
  };
  return Object.entries(bundles ?? {})
    .map(([name, bundle]) => `${name}@${typeof bundle?.revision === 'string' ? bundle.revision : ''}`)
    .toSorted()
    .join(' ');
}
