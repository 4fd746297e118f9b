import type {
  AgentDirectory,
  AuditSink,
  PolicyDecision,
  PolicyEngine,
  PolicyQuery,
  ReplayStore,
  RevocationSource,
} from '@countersign/core';
import { ConfigError } from '@countersign/common';

/** The services of a guard that a test can make fail. Each refuses requests with a 503 of its own. */
const failingParts = ['agents', 'approvals', 'audit', 'policy', 'replay', 'revocations'] as const;
export type FailingPart = (typeof failingParts)[number];

/** Which services fail now, and the same services with their failures. */
export class Outages {
  readonly #failing = new Set<FailingPart>();

  fail(part: FailingPart): void {
    if (!failingParts.includes(part)) {
      throw new ConfigError(`fail: there is no part '${part}'. Name one of ${failingParts.join(', ')}.`);
    }
    this.#failing.add(part);
  }

  recover(): void {
    this.#failing.clear();
  }

  /** Asynchronous services fail by rejecting, so every check stands in an async function. */
  check(part: FailingPart): void {
    if (this.#failing.has(part)) throw new Error(`a test made '${part}' fail`);
  }

  agents(directory: AgentDirectory): AgentDirectory {
    const unavailable = { kind: 'unavailable', cause: "a test made 'agents' fail" } as const;
    return {
      findByThumbprint: (thumbprint) =>
        this.#failing.has('agents') ? unavailable : directory.findByThumbprint(thumbprint),
      statusOf: (id) => (this.#failing.has('agents') ? 'unavailable' : directory.statusOf(id)),
    };
  }

  audit(sink: AuditSink): AuditSink {
    return {
      write: async (event) => {
        this.check('audit');
        await sink.write(event);
      },
    };
  }

  policy(engine: PolicyEngine): PolicyEngine {
    const decide = async (query: PolicyQuery): Promise<PolicyDecision> => {
      this.check('policy');
      return await engine.decide(query);
    };
    return {
      // A watched folder yields a new vocabulary, so it is read each time.
      get scopeVocabulary() {
        return engine.scopeVocabulary;
      },
      get knowsUsers() {
        return engine.knowsUsers ?? false;
      },
      get asksApproval() {
        return engine.asksApproval ?? false;
      },
      checkChanges: (problemOf) => engine.checkChanges?.(problemOf) ?? (() => undefined),
      decide,
      decideMany: async (query, resources, signal) => {
        this.check('policy');
        if (engine.decideMany !== undefined) return await engine.decideMany(query, resources, signal);
        return await Promise.all(resources.map((resource) => decide({ ...query, resource })));
      },
    };
  }

  replay(store: ReplayStore): ReplayStore {
    return {
      ...(store.clockSkewSeconds !== undefined && { clockSkewSeconds: store.clockSkewSeconds }),
      reserve: async (proof) => {
        this.check('replay');
        return await store.reserve(proof);
      },
    };
  }

  revocations(): RevocationSource {
    return {
      findRevoked: async () => {
        this.check('revocations');
        return undefined;
      },
    };
  }
}
