import { checkOptionNames, ConfigError } from '@countersign/common';
import { trustDomainOfPattern } from '@countersign/spiffe';
import { readFacts } from '../agents/read-agent.js';
import type { WorkloadFacts } from '../agents/workload-rules.js';
import { AuthorityError } from '../authority-error.js';
import type { SpiffeOptions, WorkloadRule } from './authority-options.js';

export interface SpiffeSettings {
  readonly trustDomains: SpiffeOptions['trustDomains'];
  readonly workloads: readonly WorkloadFacts[];
}

const owner = "createAuthority, 'spiffe'";

/** @throws ConfigError */
export function readSpiffe(options: SpiffeOptions): SpiffeSettings {
  checkOptionNames(owner, options, ['trustDomains', 'workloads']);
  const { trustDomains, workloads } = options;
  if (!Array.isArray(workloads) || workloads.length === 0) {
    throw new ConfigError(
      `${owner}: 'workloads' must say which workloads get tokens, like [{ id: 'spiffe://example.org/ci/*', capabilities: ['repo:read'] }].`,
    );
  }
  return { trustDomains, workloads: workloads.map((rule) => readWorkload(rule, Object.keys(trustDomains ?? {}))) };
}

function readWorkload(rule: WorkloadRule, domains: readonly string[]): SpiffeSettings['workloads'][number] {
  checkOptionNames(`${owner}, 'workloads'`, rule, ['id', 'capabilities', 'owner', 'tags']);
  const { id, ...facts } = rule;
  const trustDomain = trustDomainOfPattern(id);
  if (trustDomain === undefined) {
    throw new ConfigError(
      `${owner}: the 'id' of a workload must be a SPIFFE ID with a path, or end in '/*': 'spiffe://example.org/ci/*'.`,
    );
  }
  if (!domains.includes(trustDomain)) {
    throw new ConfigError(`${owner}: '${id}' is of a trust domain that is none of 'trustDomains'.`);
  }
  try {
    return { id, facts: readFacts(facts) };
  } catch (error) {
    if (!(error instanceof AuthorityError)) throw error;
    throw new ConfigError(`${owner}, '${id}': ${error.message}.`);
  }
}
