import { type Agent, createAgent, generateAgentKey } from '@countersign/agent';
import {
  agentsFromObjects,
  createGuard,
  type Guard,
  memoryAudit,
  type MemoryAudit,
  type PolicyDecision,
  type PolicyQuery,
} from '@countersign/core';

/** Two agents, a guard that knows both, and what policy was asked. */
export interface World {
  readonly guard: Guard;
  readonly audit: MemoryAudit;
  readonly queries: readonly PolicyQuery[];
  readonly troubles: readonly string[];
  readonly alice: Agent;
  readonly mallory: Agent;
}

/**
 * Policy hides what is called `hidden`, denies what is called `deny`, the data set `payroll`, and all that mallory asks
 * for but `early`.
 */
function decide({ action, resource, principal }: PolicyQuery): PolicyDecision {
  const { id, attributes } = resource;
  const listed = action.endsWith('.list') && !id.includes('hidden');
  const allowed = !/hidden|deny|secret/.test(id) && attributes?.['dataset'] !== 'payroll';
  const known = principal.id === 'alice' || id === 'early';
  const decision = (action.endsWith('.list') ? listed : allowed) && known ? 'allow' : 'deny';
  return { decision, cause: 'policy', policies: ['p#1'], policySet: 'test', errors: [] };
}

export async function world(origin: string, mode: Guard['mode'] = 'enforce'): Promise<World> {
  const [alices, mallorys] = [generateAgentKey(), generateAgentKey()];
  const audit = memoryAudit();
  const queries: PolicyQuery[] = [];
  const troubles: string[] = [];
  const guard = await createGuard({
    origin,
    agents: agentsFromObjects([
      { id: 'alice', publicKey: alices.publicKey, capabilities: [] },
      { id: 'mallory', publicKey: mallorys.publicKey, capabilities: [] },
    ]),
    policy: { scopeVocabulary: [], decide: (query) => (queries.push(query), decide(query)) },
    audit,
    mode,
    onTrouble: (text) => troubles.push(text),
  });
  const [alice, mallory] = [
    await createAgent({ id: 'alice', key: alices }),
    await createAgent({ id: 'mallory', key: mallorys }),
  ];
  return { guard, audit, queries, troubles, alice, mallory };
}
