import { checkOptionNames, integerOption } from '@countersign/common';
import type { PolicyDecision, PolicyEngine, PolicyQuery, Resource } from '@countersign/policy';
import { type PdpOptions, PolicyDecisionPoint, pdpOptionNames, wellFormedJson } from '@countersign/pdp';
import { problemOf, resourceOf, sharedRequest } from './evaluation-request.js';
import { noDecision, noDecisions, readEvaluation, readEvaluations } from './evaluation-response.js';

export interface AuthzenOptions extends PdpOptions {
  /** Most resources in one batch. Default 50, the limit of Cerbos. */
  readonly batchSize?: number;
}

/**
 * Asks a policy decision point that speaks AuthZEN (Authorization API 1.0): `POST /access/v1/evaluation` for one
 * resource, `POST /access/v1/evaluations` for many.
 *
 * Only `"decision": true` permits. Any other answer denies (`policy_error`). A server that does not answer in time is an
 * outage (503 `policy_unavailable`); after consecutive outages it gets no requests for a while. Decisions name no policies
 * and no policy set, because AuthZEN does not report them.
 *
 * @throws ConfigError which says what to do.
 *
 * @example
 * const policy = authzen({ url: 'https://pdp.internal:3592' });
 */
export function authzen(options: AuthzenOptions): PolicyEngine {
  checkOptionNames('authzen', options, [...pdpOptionNames, 'batchSize']);
  const { batchSize = 50 } = options;
  integerOption('authzen', 'batchSize', batchSize, 1, 10_000);
  return new Engine(new PolicyDecisionPoint('authzen', options), batchSize);
}

type Question = Omit<PolicyQuery, 'resource'>;

class Engine implements PolicyEngine {
  readonly knowsUsers = true;
  readonly #pdp: PolicyDecisionPoint;
  readonly #batchSize: number;

  constructor(pdp: PolicyDecisionPoint, batchSize: number) {
    this.#pdp = pdp;
    this.#batchSize = batchSize;
  }

  get scopeVocabulary(): readonly string[] {
    return this.#pdp.scopeVocabulary;
  }

  async decide(query: PolicyQuery): Promise<PolicyDecision> {
    const problem = problemOf(query.resource);
    if (problem !== undefined) return noDecision(problem);
    const text = wellFormedJson({ ...sharedRequest(query), resource: resourceOf(query.resource) });
    if (!text.ok) return noDecision(text.problem);
    const answer = await this.#pdp.post('access/v1/evaluation', text.text);
    return answer.ok ? readEvaluation(answer.json) : noDecision(answer.problem);
  }

  /** Sends batches sequentially. If policies change in between, later batches use the new ones. */
  async decideMany(
    query: Question,
    resources: readonly Resource[],
    signal?: AbortSignal,
  ): Promise<readonly PolicyDecision[]> {
    const decisions: PolicyDecision[] = [];
    for (let from = 0; from < resources.length; from += this.#batchSize) {
      signal?.throwIfAborted();
      decisions.push(...(await this.#decideBatch(query, resources.slice(from, from + this.#batchSize))));
    }
    return decisions;
  }

  /** A resource that cannot be sent gets no decision, and the others do: a row must not hide the rows of others. */
  async #decideBatch(query: Question, resources: readonly Resource[]): Promise<readonly PolicyDecision[]> {
    const problems = resources.map(problemOf);
    const sent = resources.filter((_resource, index) => problems[index] === undefined);
    const decisions = sent.length === 0 ? [] : await this.#askMany(query, sent);
    let answered = 0;
    return problems.map((problem) =>
      problem === undefined ? (decisions[answered++] ?? noDecision('it was not decided')) : noDecision(problem),
    );
  }

  async #askMany(query: Question, resources: readonly Resource[]): Promise<readonly PolicyDecision[]> {
    const evaluations = resources.map((resource) => ({ resource: resourceOf(resource) }));
    const text = wellFormedJson({ ...sharedRequest(query), evaluations });
    if (!text.ok) return noDecisions(text.problem, resources.length);
    const answer = await this.#pdp.post('access/v1/evaluations', text.text);
    return answer.ok ? readEvaluations(answer.json, resources.length) : noDecisions(answer.problem, resources.length);
  }
}
