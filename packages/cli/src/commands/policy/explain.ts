import { type CedarEngine, explanationText, type PolicyQuery } from '@countersign/core';
import { CliError, exitCodes } from '../../cli-error.js';
import { coloursFor, type Io } from '../../io.js';
import { printable, printableJson } from '../../text.js';
import { readScopes } from '../scopes.js';
import { unknownName, unknownScopes } from './known-names.js';
import { wrapLines } from './lines.js';
import { loadPolicies } from './load.js';
import { queryOfRecord } from './query-of-record.js';
import { type Answer, answersTo, decidedBy, type Replayed } from './replayed.js';
import { readRequest, readUnlogged, type RequestForm } from './request-form.js';
import { settledBy } from './unlogged.js';
import { readYaml } from './yaml-file.js';

export interface ExplainOptions {
  readonly request?: string;
  readonly actor?: string;
  readonly role: readonly string[];
  readonly capability: readonly string[];
  readonly subject?: string;
  readonly scope: readonly string[];
  readonly action?: string;
  readonly resource?: string;
  readonly method?: string;
  readonly path?: string;
  /** A record of `log` in place of all of these. `request` adds what the log does not have. */
  readonly record?: string;
  readonly log?: string;
  readonly agents?: string;
  readonly json: boolean;
}

/** Decides one request and explains the decision. */
export async function explain(folder: string, options: ExplainOptions, io: Io): Promise<void> {
  const engine = await loadPolicies(folder);
  const { where, query, recorded } = await questionOf(options, engine, io);
  const unknown = unknownName(query, engine);
  if (unknown !== undefined) throw new CliError(`${where}: ${unknown}`, exitCodes.usage);
  const answers = answersTo({ query, ...recorded }, engine);
  const { decision } = answers.at(-1) ?? answers[0];
  const explanation = decision.explain();
  // The query never reached Cedar: report a mistake in the request instead of a decision.
  if (explanation.request.actor === '') {
    throw new CliError(`${where}: ${explanation.errors.join('; ')}`, exitCodes.usage);
  }
  if (recorded?.isWhole === false && !(await canTell(folder, engine, answers))) {
    const { type, id } = query.resource;
    throw new CliError(
      `${where}: this cannot be told. The log has no attributes or parents of ${type}::${JSON.stringify(id)}, and no authorization details: give them with --request.`,
      exitCodes.unproven,
    );
  }
  for (const note of unknownScopes(query, engine)) io.err(`countersign: note: ${printable(note)}\n`);
  if (recorded !== undefined) noteChange(where, recorded, answers, io);
  if (options.json) {
    io.out(`${printableJson({ ...explanation, cause: decision.cause, policySet: decision.policySet })}\n`);
    return;
  }
  const [verdict = '', ...reasons] = explanationText(explanation).split('\n');
  const colours = coloursFor(io.colour.out);
  const colour =
    decision.approval !== undefined ? colours.yellow : decision.decision === 'allow' ? colours.green : colours.red;
  io.out(colour(wrapLines(verdict)));
  if (reasons.length > 0) io.out(wrapLines(reasons.join('\n')));
}

/** Whether what the log does not have leaves the decision as it is. */
async function canTell(folder: string, engine: CedarEngine, answers: readonly Answer[]): Promise<boolean> {
  const isSettled = await settledBy(engine, folder);
  return answers.every(({ query, decision }) => decision.cause !== 'error' && isSettled(query, decision));
}

/** Policies of today may say something else than those of the record. */
function noteChange(where: string, recorded: Recorded, answers: readonly [Answer, ...Answer[]], io: Io): void {
  const { policySet } = answers[0].decision;
  const hasOthers = recorded.policySet !== undefined && recorded.policySet !== policySet;
  if (recorded.was === decidedBy(answers) && !hasOthers) return;
  const facts = recorded.isWhole ? ', facts' : '';
  const because = hasOthers ? 'by other policies than these' : `by other roles${facts} or at another time`;
  io.err(`countersign: note: ${where} says ${recorded.was}, ${because}\n`);
}

interface Question {
  /** Its name for messages. */
  readonly where: string;
  readonly query: PolicyQuery;
  /** What policy said when a record was written. */
  readonly recorded?: Recorded;
}

interface Recorded extends Omit<Replayed, 'query'> {
  /** Whether --request gives what the log does not have. */
  readonly isWhole: boolean;
}

async function questionOf(options: ExplainOptions, engine: CedarEngine, io: Io): Promise<Question> {
  const { record, log, agents } = options;
  if (record !== undefined || log !== undefined) {
    if (record === undefined || log === undefined) {
      throw new CliError(
        '--log and --record belong together: the log, and the number of one of its records',
        exitCodes.usage,
      );
    }
    if (agents === undefined) io.err('countersign: note: without --agents, the agent has no role\n');
    const [replaced] = Object.keys(formOf(options));
    if (replaced !== undefined) {
      throw new CliError(`the record says this itself: leave out '${replaced}'`, exitCodes.usage);
    }
    const { query, subject, ...recorded } = await queryOfRecord(log, record, agents, engine.scopeVocabulary);
    const isWhole = options.request !== undefined;
    const whole = await completion(query, options.request, io);
    return {
      where: `record ${record}`,
      query: whole(query),
      recorded: { ...recorded, ...(subject && { subject: whole(subject) }), isWhole },
    };
  }
  const { where, form } = await formIn(options.request, io);
  const complete = requireComplete({ ...form, ...formOf(options) }, where);
  return { where, query: readRequest(complete, where, engine.scopeVocabulary) };
}

/** Adds to the queries of a record what `file` says. */
async function completion(
  { resource: recorded }: PolicyQuery,
  file: string | undefined,
  io: Io,
): Promise<(query: PolicyQuery) => PolicyQuery> {
  if (file === undefined) return (query) => query;
  const { where, form } = await formIn(file, io);
  const { resource, ...details } = readUnlogged(form, where, recorded);
  return (query) => ({ ...query, resource, context: { ...query.context, ...details } });
}

/** @throws CliError that names the option for a missing member. */
function requireComplete(form: RequestForm, where: string): RequestForm {
  const missing = ['actor', 'action', 'resource'].find((name) => form[name] === undefined);
  if (missing === undefined) return form;
  throw new CliError(`${where}: '${missing}' is missing: say --${missing}`, exitCodes.usage);
}

/** The content of the request file, and its name for messages. */
async function formIn(
  file: string | undefined,
  io: Io,
): Promise<{ readonly where: string; readonly form: RequestForm }> {
  if (file === undefined) return { where: 'the request', form: {} };
  const { name, value } = await readYaml(file, io);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new CliError(`${name}: write one request, as in a test case`, exitCodes.usage);
  }
  // A test case is also a request; its expectation is ignored.
  const { name: _name, expect: _expect, policies: _policies, ...form } = value as RequestForm;
  return { where: name, form };
}

function formOf({
  actor,
  role,
  capability,
  subject,
  scope,
  action,
  resource,
  method,
  path,
}: ExplainOptions): RequestForm {
  const given = {
    actor: actor && {
      id: actor,
      ...(role.length > 0 && { roles: role }),
      ...(capability.length > 0 && {
        capabilities: capability.flatMap((scopes) => readScopes('--capability', scopes)),
      }),
    },
    onBehalfOf: subject,
    scope: scope.length === 0 ? undefined : scope.flatMap((scopes) => readScopes('--scope', scopes)),
    action,
    resource,
    method,
    path,
  };
  if (actor === undefined && (role.length > 0 || capability.length > 0)) {
    throw new CliError('--role and --capability are said of --actor: name it', exitCodes.usage);
  }
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}
