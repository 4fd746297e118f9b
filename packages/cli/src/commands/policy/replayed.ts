import { readFile } from 'node:fs/promises';
import { isJsonObject, type JsonObject, parseStrictJson } from '@countersign/common';
import type { CedarDecision, CedarEngine, PolicyQuery } from '@countersign/core';
import { CliError, exitCodes } from '../../cli-error.js';
import { isTrueAt, listAt, textAt, type Unknown } from '../audit/unknown-record.js';
import { readPrincipal, readRequest, type RequestForm } from './request-form.js';

/** What policy said. `approval`: it permits what people approve. `error`: it could not decide. */
export type Decided = 'allow' | 'deny' | 'approval' | 'error';

/** Roles, capabilities and owner of each agent, by its id. */
export type Agents = ReadonlyMap<string, JsonObject>;

/** What agents.json says of each agent: it is not in the log. */
export async function readAgents(path: string): Promise<Agents> {
  const list = parseStrictJson(await readFile(path, 'utf8'));
  if (!list.ok || !Array.isArray(list.value)) throw new CliError(`${path} is no list of agents`, exitCodes.usage);
  const entries = list.value.filter(isJsonObject).map((entry): [string, JsonObject] => {
    const { id, agent_id: printed, roles, capabilities, owner } = entry;
    return [String(id ?? printed), { roles, capabilities, owner }];
  });
  return new Map(entries);
}

/** A decision of a log as a question to policy. */
export interface Replayed {
  readonly was: Decided;
  readonly query: PolicyQuery;
  /** What the guard asks next if this permits the actor. */
  readonly subject?: PolicyQuery;
  readonly policySet: string | undefined;
}

/** Reads the record of a decision; or why it cannot be put to policy. */
export function replayed(
  record: Unknown,
  agents: Agents | undefined,
  vocabulary: readonly string[],
): Replayed | 'beforePolicy' | 'lists' | 'unknownAgents' | 'incomplete' | 'unreadable' {
  if (record['filtered'] !== undefined) return 'lists';
  const was = wasDecided(record);
  if (was === undefined) return 'beforePolicy';
  if (isIncomplete(record)) return 'incomplete';
  const id = textAt(record, 'actor', 'id') ?? '';
  const agent = agents?.get(id);
  if (agents !== undefined && agent === undefined) return 'unknownAgents';
  const isReduced = textAt(record, 'possession') === 'web-bot-auth';
  const subject = isReduced ? { id, ...agent } : subjectOf(record, agents);
  if (subject === 'unknownAgents') return subject;
  try {
    const form = formOf(record, id, isReduced ? { roles: [], capabilities: [] } : agent);
    const query = readRequest(form, 'the record', vocabulary);
    const policySet = textAt(record, 'policySet');
    if (subject === undefined) return { was, query, policySet };
    const principal = readPrincipal({ actor: subject }, 'the record', query.context.scope);
    const { proof } = readRequest({ ...form, proof: proofsOf(record)[0] }, 'the record', vocabulary).context;
    return { was, query, subject: subjectQuery(query, principal, proof), policySet };
  } catch (error) {
    if (error instanceof CliError) return 'unreadable';
    throw error;
  }
}

export interface Answer {
  readonly query: PolicyQuery;
  readonly decision: CedarDecision;
}

/** Asks as the guard does: about the subject only if the actor is permitted. The last one refuses, or none. */
export function answersTo(
  { query, subject }: Pick<Replayed, 'query' | 'subject'>,
  engine: CedarEngine,
): readonly [Answer, ...Answer[]] {
  const first = { query, decision: engine.decide(query) };
  if (subject === undefined || first.decision.decision === 'deny') return [first];
  return [first, { query: subject, decision: engine.decide(subject) }];
}

export function decidedBy(answers: readonly Answer[]): Decided {
  const decisions = answers.map(({ decision }) => decision);
  if (decisions.some(({ cause }) => cause === 'error')) return 'error';
  if (decisions.some(({ decision }) => decision === 'deny')) return 'deny';
  return decisions.some(({ approval }) => approval !== undefined) ? 'approval' : 'allow';
}

/** Undefined: it was refused before policy was asked, or the log could not be written. */
function wasDecided(record: Unknown): Decided | undefined {
  const code = textAt(record, 'code');
  if (code?.startsWith('approval_') === true) return 'approval';
  if (textAt(record, 'decision') === 'allow') return record['approval'] === undefined ? 'allow' : 'approval';
  return code === 'policy_denied' ? 'deny' : code === 'policy_error' ? 'error' : undefined;
}

/** Whether redaction or a limit of length took something of the question: policy would be asked another one. */
function isIncomplete(record: Unknown): boolean {
  const path = textAt(record, 'request', 'path');
  const texts = [
    textAt(record, 'actor', 'id'),
    textAt(record, 'subject', 'id'),
    textAt(record, 'action'),
    textAt(record, 'resource', 'type'),
    textAt(record, 'resource', 'id'),
    path,
    ...listAt(record, 'chain').map((hop) => textAt(hop, 'id')),
    ...listAt(record, 'scope'),
  ];
  return (
    record['oversize'] !== undefined ||
    path?.endsWith('/…') === true ||
    texts.some((text) => typeof text === 'string' && hiddenOrCut.test(text))
  );
}

/** What a log has in place of an omitted id, of one with a pseudonym, and at the end of a cut text. */
const hiddenOrCut = /^\[omitted\]$|^pseudonym:[\w-]{22}$|…\[\+\d+(?: sha256:[0-9a-f]{64})?\]$/;

/** The subject, if the guard asks policy about it, too: an agent as `agents` has it. */
function subjectOf(record: Unknown, agents: Agents | undefined): JsonObject | 'unknownAgents' | undefined {
  if (!isTrueAt(record, 'subject', 'mustBePermitted')) return undefined;
  const id = textAt(record, 'subject', 'id') ?? '';
  if (textAt(record, 'subject', 'type') === 'user') return { type: 'User', id, capabilities: [] };
  const agent = agents?.get(id);
  return agents !== undefined && agent === undefined ? 'unknownAgents' : { id, ...agent };
}

/** As the guard asks about a subject: as if it had come alone. */
function subjectQuery(
  query: PolicyQuery,
  principal: PolicyQuery['principal'],
  proof: PolicyQuery['context']['proof'],
): PolicyQuery {
  const { onBehalfOf: _user, onBehalfOfAgent: _agent, ...context } = query.context;
  return { ...query, principal, context: { ...context, depth: 0, via: [], proof } };
}

function proofsOf(record: Unknown): readonly (string | undefined)[] {
  return listAt(record, 'chain').map((hop) => textAt(hop, 'proof'));
}

function formOf(record: Unknown, id: string, agent: JsonObject | undefined): RequestForm {
  const chain = listAt(record, 'chain');
  const delegated = chain.length > 1;
  const subject = {
    [textAt(record, 'subject', 'type') === 'agent' ? 'onBehalfOfAgent' : 'onBehalfOf']: textAt(record, 'subject', 'id'),
  };
  // As the guard does: that of an issuer, if any hop rests on one.
  const proofs = proofsOf(record);
  const proof = proofs.includes('issuer') ? 'issuer' : proofs.at(-1);
  const form = {
    actor: { id, ...agent },
    ...(delegated && subject),
    scope: listAt(record, 'scope'),
    action: textAt(record, 'action'),
    resource: record['resource'],
    depth: Math.max(0, chain.length - 1),
    via: chain
      .slice(0, -1)
      .flatMap((hop, at) => [at === 0 ? undefined : textAt(hop, 'id'), textAt(hop, 'registeredAs')])
      .filter((name) => name !== undefined),
    proof,
    possession: textAt(record, 'possession'),
    method: textAt(record, 'request', 'method'),
    path: textAt(record, 'request', 'path'),
  };
  return Object.fromEntries(Object.entries(form).filter(([, value]) => value !== undefined));
}
