import { ConfigError } from '@countersign/common';
import {
  type AgentRegistry,
  agentsFromObjects,
  type ApprovalsOptions,
  approvalsFrom,
  cedarFromDirectory,
  createGuard,
  type Guard,
  type GuardOptions,
  memoryReplayStore,
  type PolicyEngine,
  type Revocations,
} from '@countersign/core';
import { type TestApprovals, testApprovals } from './approvals.js';
import { type Attacks, createAttacks } from './attacks/attacks.js';
import { createTestAgent, type TestAgent } from './caller.js';
import { createClient, type TestClient } from './clients/client.js';
import { type TestClock, testClock } from './clock.js';
import { createIssuer } from './issuer.js';
import { type FailingPart, Outages } from './outages.js';
import { type TestAudit, TestRecords } from './records.js';

/** The options of `createGuard` that a test chooses; the kit provides the others. */
export interface TestKitOptions
  extends Omit<
    GuardOptions,
    | 'origin'
    | 'agents'
    | 'policy'
    | 'audit'
    | 'issuers'
    | 'approvals'
    | 'replay'
    | 'revocations'
    | 'clock'
    | 'onTrouble'
  > {
  /** A policy engine, which the kit leaves open, or a folder of Cedar policies: those that the application uses. */
  readonly policy: PolicyEngine | string;
  /** What requests are addressed to. Default `https://api.test`. */
  readonly origin?: string;
  /** Which fields and types of bodies people approve, and who may decide alone in an emergency. */
  readonly approvals?: Pick<ApprovalsOptions, 'fields' | 'bodyTypes' | 'breakGlass'>;
}

/** A guard with everything around it in memory. */
export interface TestKit {
  /** Pass it to the application, to several if need be: its `close` does nothing. */
  readonly guard: Guard;
  readonly origin: string;
  readonly clock: TestClock;
  /** What the guard recorded. */
  readonly audit: TestAudit;
  /** What the guard reported to `onTrouble`. */
  readonly troubles: readonly string[];
  /** The people who approve. */
  readonly approvals: TestApprovals;
  /** Revokes agents, keys, subjects and delegations. */
  readonly revocations: Revocations;
  /** The registered agents: `suspend`, `resume`, `remove`. */
  readonly agents: Pick<AgentRegistry, 'suspend' | 'resume' | 'remove'>;
  /** Requests that a guarded route must refuse. */
  readonly attacks: Attacks;
  /** A client without a key. It sends to the origin of the kit and signs nothing. */
  readonly unsigned: TestClient;
  /** The public keys of the issuer. They are marked, so that a guard outside the kit refuses them. */
  readonly jwks: { readonly keys: readonly object[] };
  /**
   * Registers an agent with a new key.
   *
   * @example
   * const bot = t.agent('bot', { capabilities: ['pr:write:draft'] });
   * const alice = bot.onBehalfOf('alice', { scope: 'pr:write:draft' });
   */
  agent(
    id: string,
    details?: { readonly capabilities?: readonly string[]; readonly roles?: readonly string[] },
  ): TestAgent;
  /** Makes a service of the guard fail until `recover`: requests that need it get its 503. */
  fail(part: FailingPart): void;
  /** Ends every failure. */
  recover(): void;
  /** Closes the guard. */
  close(): Promise<void>;
}

const testAddress = 'https://api.test';

/**
 * Creates a real guard for tests: everything in memory, no network, and a clock that stands still until a test moves it.
 *
 * @throws ConfigError when an option is wrong, or under `NODE_ENV=production`.
 *
 * @example
 * const t = await testKit({ policy: 'policies' });
 * const app = createApp(t.guard);
 */
export async function testKit(options: TestKitOptions): Promise<TestKit> {
  if (process.env['NODE_ENV'] === 'production') {
    throw new ConfigError('testKit: NODE_ENV is production. The keys and tokens of the test kit are for tests only.');
  }
  const { policy, origin = testAddress, approvals: approvalOptions = {}, ...more } = options;
  const clock = testClock();
  const outages = new Outages();
  const records = new TestRecords();
  const registry = agentsFromObjects([]);
  const issuer = createIssuer(origin, clock);
  const troubles: string[] = [];
  const { approvals, queue } = testApprovals(clock, outages);
  const engine = typeof policy === 'string' ? await cedarFromDirectory(policy, { watch: false }) : policy;

  const guard = await createGuard({
    ...more,
    origin,
    policy: outages.policy(engine),
    agents: outages.agents(registry),
    audit: outages.audit(records),
    issuers: [issuer.trust],
    approvals: approvalsFrom(queue, approvalOptions),
    replay: outages.replay(memoryReplayStore({ clock: () => clock.now() })),
    revocations: outages.revocations(),
    clock: () => clock.now(),
    onTrouble: (trouble) => troubles.push(trouble),
  });

  const world = { origin, clock, issuer };
  function register(id: string, capabilities: readonly string[], roles: readonly string[]) {
    const made = createTestAgent(world, { id, capabilities, roles });
    registry.register({ id, jwk: made.held.key.publicJwk, capabilities, roles });
    return made;
  }

  return {
    guard: { ...guard, close: async () => {} },
    origin,
    clock,
    audit: records,
    troubles,
    approvals,
    revocations: guard.revocations,
    agents: registry,
    attacks: createAttacks({ ...world, guard, registry, register, options }),
    unsigned: createClient(origin, async ({ headers }) => ({ ...headers, host: new URL(origin).host })),
    jwks: issuer.jwks,
    agent: (id, { capabilities = [], roles = [] } = {}) => register(id, capabilities, roles).caller,
    fail: (part) => outages.fail(part),
    recover: () => outages.recover(),
    close: async () => await guard.close(),
  };
}
