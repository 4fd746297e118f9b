import { type Agent, createAgent, generateAgentKey } from '@countersign/agent';
import {
  agentsFromObjects,
  createGuard,
  type Guard,
  memoryAudit,
  type MemoryAudit,
  type PolicyDecision,
  type PolicyQuery,
  type QueueAnswer,
} from '@countersign/core';
import { ed25519Issuer, type TestIssuer } from '../../../test/support/tokens.js';

/** Two agents, a guard that knows both, and what policy was asked. */
export interface World {
  readonly guard: Guard;
  readonly audit: MemoryAudit;
  readonly queries: readonly PolicyQuery[];
  readonly troubles: readonly string[];
  readonly alice: Agent;
  readonly mallory: Agent;
  /** What people decided, by binding. What is not there waits for them. */
  readonly queued: Map<string, QueueAnswer>;
}

/** Its approvals count, besides those of the queue. */
export const authority: TestIssuer = ed25519Issuer('https://approvals.acme.dev', 'approvals-1');

const requirement = {
  quorums: [{ groups: ['release-managers'], count: 1 }],
  useWithinSeconds: 600,
  decideWithinSeconds: 86_400,
  reason: 'optional',
  excluded: [],
} as const;

/**
 * Policy hides what is called `hidden`, denies what is called `deny`, the data set `payroll`, and all that mallory asks
 * for but `early`. It asks people about what is called `approve_…`.
 */
function decide({ action, resource, principal }: PolicyQuery): PolicyDecision {
  const { id, attributes } = resource;
  const listed = action.endsWith('.list') && !id.includes('hidden');
  const asks = id.startsWith('approve_');
  const allowed = asks || (!/hidden|deny|secret/.test(id) && attributes?.['dataset'] !== 'payroll');
  const known = principal.id === 'alice' || id === 'early' || asks;
  const decision = (action.endsWith('.list') ? listed : allowed) && known ? 'allow' : 'deny';
  const approval = asks && action === 'tool.call' ? { approval: requirement } : {};
  return { decision, cause: 'policy', policies: ['p#1'], policySet: 'test', errors: [], ...approval };
}

export async function world(origin: string, mode: Guard['mode'] = 'enforce'): Promise<World> {
  const [alices, mallorys] = [generateAgentKey(), generateAgentKey()];
  const audit = memoryAudit();
  const queries: PolicyQuery[] = [];
  const troubles: string[] = [];
  const queued = new Map<string, QueueAnswer>();
  const guard = await createGuard({
    origin,
    agents: agentsFromObjects([
      { id: 'alice', publicKey: alices.publicKey, capabilities: [] },
      { id: 'mallory', publicKey: mallorys.publicKey, capabilities: [] },
    ]),
    policy: { scopeVocabulary: [], decide: (query) => (queries.push(query), decide(query)) },
    approvals: {
      issuers: [{ issuer: authority.issuer, jwks: { keys: [authority.jwk] } }],
      queue: ({ binding }) => queued.get(binding) ?? { status: 'pending', url: 'https://approve.acme.dev/1' },
    },
    audit,
    mode,
    onTrouble: (text) => troubles.push(text),
  });
  const [alice, mallory] = [
    await createAgent({ id: 'alice', key: alices }),
    await createAgent({ id: 'mallory', key: mallorys }),
  ];
  return { guard, audit, queries, troubles, alice, mallory, queued };
}
