import {
  checkOptionNames,
  ConfigError,
  eachInTurn,
  integerOption,
  mapConcurrent,
  yieldEvery,
} from '@countersign/common';
import type { PolicyDecision, PolicyEngine, PolicyQuery, Resource } from '@countersign/policy';
import {
  type PdpOptions,
  PolicyDecisionPoint,
  pdpOptionNames,
  wellFormedJson,
  type WrittenJson,
} from '@countersign/pdp';
import { Batches } from './batches.js';
import { evaluationsText, evaluationText, sharedRequest, writeResource } from './evaluation-request.js';
import { noDecision, noDecisions, readEvaluation, readEvaluations } from './evaluation-response.js';

export interface AuthzenOptions extends PdpOptions {
  /** Most resources in one batch. Default 50, the limit of Cerbos. */
  readonly batchSize?: number;
  /**
   * Members of the `context` of a permission that demand nothing, besides `id`, `reason`, `reason_admin` and
   * `reason_user`. A permission with any other is denied. Default: none.
   */
  readonly ignoredContext?: readonly string[];
}

/**
 * Asks a policy decision point that speaks AuthZEN (Authorization API 1.0): `POST /access/v1/evaluation` for one
 * resource, `POST /access/v1/evaluations` for many.
 *
 * Only `"decision": true` permits, and only without obligations. Any other answer denies (`policy_error`). A server that
 * does not answer in time is an outage (503 `policy_unavailable`); after consecutive outages it gets no requests for a
 * while. Decisions name no policies and no policy set, because AuthZEN does not report them.
 *
 * @throws ConfigError which says what to do.
 *
 * @example
 * const policy = authzen({ url: 'https://pdp.internal:3592' });
 */
export function authzen(options: AuthzenOptions): PolicyEngine {
  checkOptionNames('authzen', options, [...pdpOptionNames, 'batchSize', 'ignoredContext']);
  const { batchSize = 50, ignoredContext = [] } = options;
  integerOption('authzen', 'batchSize', batchSize, 1, 10_000);
  if (!Array.isArray(ignoredContext) || !ignoredContext.every((name) => typeof name === 'string'))
    throw new ConfigError("authzen: 'ignoredContext' must list names, like ['metadata'].");
  return new Engine(new PolicyDecisionPoint('authzen', options), batchSize, ignoredContext);
}

/** Statuses that the content of one resource may cause. Others, like 401, would be the same for each resource. */
const causedByContent: ReadonlySet<number> = new Set([400, 413, 422, 500]);

class Engine implements PolicyEngine {
  readonly knowsUsers = true;
  readonly #pdp: PolicyDecisionPoint;
  readonly #batchSize: number;
  readonly #ignored: readonly string[];

  constructor(pdp: PolicyDecisionPoint, batchSize: number, ignored: readonly string[]) {
    this.#pdp = pdp;
    this.#batchSize = batchSize;
    this.#ignored = ignored;
  }

  get scopeVocabulary(): readonly string[] {
    return this.#pdp.scopeVocabulary;
  }

  async decide(query: PolicyQuery): Promise<PolicyDecision> {
    const shared = wellFormedJson(sharedRequest(query));
    if (!shared.ok) return noDecision(shared.problem);
    const resource = writeResource(query.resource, shared.text);
    if (!resource.ok) return noDecision(resource.problem);
    return await this.#askOne(shared.text, resource.text);
  }

  /**
   * Resources that are written alike share one evaluation. Sends batches sequentially. If policies change in between, later
   * batches use the new ones.
   */
  async decideMany(
    query: Omit<PolicyQuery, 'resource'>,
    resources: readonly Resource[],
    signal?: AbortSignal,
  ): Promise<readonly PolicyDecision[]> {
    const shared = wellFormedJson(sharedRequest(query));
    if (!shared.ok) return noDecisions(shared.problem, resources.length);
    const written: WrittenJson[] = [];
    const batches = new Batches(this.#batchSize);
    await eachInTurn(resources, yieldEvery(), (resource) => {
      const one = writeResource(resource, shared.text);
      written.push(one);
      if (one.ok) batches.add(resource, one.text);
    });
    const decisions = new Map<string, PolicyDecision | undefined>();
    for (const texts of batches.texts) {
      const answers = await this.#askMany(shared.text, texts, signal);
      for (const [place, text] of texts.entries()) decisions.set(text, answers[place]);
    }
    return written.map((one) =>
      one.ok ? (decisions.get(one.text) ?? noDecision('it was not decided')) : noDecision(one.problem),
    );
  }

  async #askOne(shared: string, resource: string): Promise<PolicyDecision> {
    const answer = await this.#pdp.post('access/v1/evaluation', evaluationText(shared, resource));
    return answer.ok ? readEvaluation(answer.json, this.#ignored) : noDecision(answer.problem);
  }

  /** If the server refuses a batch, it is asked about each resource alone: a row must not hide the rows of others. */
  async #askMany(
    shared: string,
    resources: readonly string[],
    signal?: AbortSignal,
  ): Promise<readonly PolicyDecision[]> {
    const count = resources.length;
    signal?.throwIfAborted();
    const answer = await this.#pdp.post('access/v1/evaluations', evaluationsText(shared, resources));
    if (answer.ok) return readEvaluations(answer.json, count, this.#ignored);
    if (count === 1 || !causedByContent.has(answer.status)) return noDecisions(answer.problem, count);
    return await mapConcurrent(resources, (resource) => {
      signal?.throwIfAborted();
      return this.#askOne(shared, resource);
    });
  }
}
