import { toUSVString } from 'node:util';
import { eachInTurn, type Turns } from '@countersign/common';
import type { DetailedError } from '@cedar-policy/cedar-wasm/nodejs';
import type { Cedar } from '../instance/instance.js';
import { limitProblem } from './limit-problem.js';
import { isFault, type PolicyReading, type PolicyReadings, readPolicies } from './policy-reading.js';
import type { Policy } from './policy-set.js';
import { annotationProblem } from '../text/annotation-names.js';
import { readApproval } from '../text/approval-annotations.js';
import { readExpiry } from '../text/expiry-annotation.js';
import type { Shapes } from '../text/policy-shape.js';
import { depthOf, lineAt, MAX_DEPTH, MAX_TERMS, type Statement, splitPolicies, termsOf } from '../text/policy-text.js';
import { errorText } from '../instance/error-text.js';

interface FileStatement extends Statement {
  readonly file: string;
  /** Position in its file, from 0. */
  readonly position: number;
}

export interface ReadFilesParts {
  readonly known: PolicyReadings;
  readonly shapes: Shapes;
  readonly turns: Turns;
  readonly hasSchema: boolean;
}

/** Reads the policies of files, except texts that are already known. Adds problems, each with file and line. */
export async function readFiles(
  cedar: Cedar,
  files: readonly (readonly [string, string])[],
  { known, shapes, turns, hasSchema }: ReadFilesParts,
  problems: string[],
): Promise<{ readonly policies: readonly Policy[]; readonly readings: PolicyReadings }> {
  const statements: FileStatement[] = [];
  const unknown = new Set<string>();
  await eachInTurn(statementsIn(files, problems), turns, (statement) => {
    statements.push(statement);
    if (!known.has(statement.text)) unknown.add(statement.text);
  });
  const overLimits = await textsOverLimits(unknown, shapes, turns);
  for (const text of overLimits.keys()) unknown.delete(text);
  const found = await readPolicies(cedar, unknown, shapes, turns);
  const readings = new Map<string, PolicyReading>();
  const policies: Policy[] = [];
  await eachInTurn(statements, turns, (statement) => {
    const { text } = statement;
    const reading = known.get(text) ?? found.get(text);
    if (reading === undefined || isFault(reading)) {
      problems.push(...faults(statement, overLimits.get(text), reading ?? []));
    } else {
      readings.set(text, reading);
      policies.push(named(statement, { reading, hasSchema }, problems));
    }
  });
  return { policies, readings };
}

function* statementsIn(
  files: readonly (readonly [string, string])[],
  problems: string[],
): Generator<FileStatement, void> {
  for (const [file, source] of files) {
    // Cedar throws on a lone surrogate.
    if (!isWellFormed(file) || !isWellFormed(source)) {
      problems.push(`${JSON.stringify(file)}: holds a lone surrogate. Save it as UTF-8.`);
      continue;
    }
    let position = 0;
    for (const { text, line } of splitPolicies(source)) yield { text, line, file, position: position++ };
    // A truncated file must not silently lose its forbids.
    if (position === 0) problems.push(`${file}:1: there is no policy in this file. Write one, or remove the file.`);
  }
}

/** A regular expression would block the event loop for a file of many megabytes. */
function isWellFormed(text: string): boolean {
  return toUSVString(text) === text;
}

/** The texts that exceed a limit, each with its problem: they could exhaust Cedar. */
async function textsOverLimits(
  texts: Iterable<string>,
  shapes: Shapes,
  turns: Turns,
): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  await eachInTurn(await shapes.group(texts, (text) => text, turns), turns, (group) => {
    const problem = sizeProblem(group[0]);
    if (problem !== undefined) for (const text of group) found.set(text, problem);
  });
  return found;
}

function sizeProblem(text: string): string | undefined {
  const depth = depthOf(text);
  if (depth > MAX_DEPTH) {
    const advice = 'Split the policy, or write long alternatives as [...].contains(...)';
    return `nests or chains ${depth} deep, ${MAX_DEPTH} are allowed. ${advice}.`;
  }
  if (termsOf(text) <= MAX_TERMS) return undefined;
  const advice = 'Move a long list into an attribute of an entity, or into its parents';
  return `has more than ${MAX_TERMS} terms. ${advice}.`;
}

function faults(
  { file, text, line }: FileStatement,
  overLimits: string | undefined,
  errors: readonly DetailedError[],
): string[] {
  if (overLimits !== undefined) return [`${file}:${line}: ${overLimits}`];
  if (errors.length === 0) return [`${file}:${line}: Cedar does not take this policy.`];
  return errors.map(
    (error) => `${file}:${lineAt(text, error.sourceLocations?.[0]?.start ?? 0, line)}: ${errorText(error)}`,
  );
}

function named(
  { file, line, position, text }: FileStatement,
  { reading, hasSchema }: { readonly reading: PolicyReading; readonly hasSchema: boolean },
  problems: string[],
): Policy {
  const { effect, annotations, scope, limitFlaw } = reading;
  // An @id without a value is null.
  const name = annotations['id'] === undefined ? String(position) : annotations['id'];
  if (name === null || name === '')
    problems.push(`${file}:${line}: @id is empty. Give the policy a name, like @id("drafts").`);
  const limits = limitProblem(limitFlaw, { effect, hasSchema });
  if (limits !== undefined) problems.push(`${file}:${line}: ${limits}`);
  const unknown = annotationProblem(annotations);
  if (unknown !== undefined) problems.push(`${file}:${line}: ${unknown}`);
  const approval = readApproval({ effect, annotations, scope });
  if (!approval.ok) problems.push(`${file}:${line}: ${approval.problem}`);
  const expiry = readExpiry({ effect, annotations });
  if (!expiry.ok) problems.push(`${file}:${line}: ${expiry.problem}`);
  return {
    id: `${file}#${name}`,
    file,
    line,
    text,
    effect,
    annotations,
    scope,
    ...(approval.ok && approval.value !== undefined && { approval: approval.value }),
    ...(expiry.ok && expiry.value !== undefined && { expiresAt: expiry.value }),
  };
}
