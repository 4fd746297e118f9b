import type { DetailedError } from '@cedar-policy/cedar-wasm/nodejs';
import type { Cedar } from '../instance/instance.js';
import { isFault, type PolicyReading, type PolicyReadings, readPolicies } from './policy-reading.js';
import type { Policy } from './policy-set.js';
import type { Shapes } from '../text/policy-shape.js';
import { depthOf, lineAt, MAX_DEPTH, MAX_TERMS, type Statement, splitPolicies, termsOf } from '../text/policy-text.js';
import { errorText } from '../instance/error-text.js';

interface FileStatement extends Statement {
  readonly file: string;
  /** Position in its file, from 0. */
  readonly position: number;
}

/** Reads the policies of files, except texts that are already known. Adds problems, each with file and line. */
export function readFiles(
  cedar: Cedar,
  files: readonly (readonly [string, string])[],
  { known, shapes }: { readonly known: PolicyReadings; readonly shapes: Shapes },
  problems: string[],
): { readonly policies: readonly Policy[]; readonly readings: PolicyReadings } {
  const statements = files.flatMap(([file, source]) => statementsOf(file, source, problems));
  const unknown = new Set(statements.map(({ text }) => text).filter((text) => !known.has(text)));
  const overLimits = textsOverLimits([...unknown], shapes);
  const found = readPolicies(
    cedar,
    [...unknown].filter((text) => !overLimits.has(text)),
    shapes,
  );
  const readings = new Map<string, PolicyReading>();
  const policies: Policy[] = [];
  for (const statement of statements) {
    const { text } = statement;
    const reading = known.get(text) ?? found.get(text);
    if (reading === undefined || isFault(reading)) {
      problems.push(...faults(statement, overLimits.get(text), reading ?? []));
    } else {
      readings.set(text, reading);
      policies.push(named(statement, reading, problems));
    }
  }
  return { policies, readings };
}

function statementsOf(file: string, source: string, problems: string[]): FileStatement[] {
  // Cedar throws on a lone surrogate.
  if (/\p{Surrogate}/u.test(file + source)) {
    problems.push(`${JSON.stringify(file)}: holds a lone surrogate. Save it as UTF-8.`);
    return [];
  }
  const statements = splitPolicies(source);
  // A truncated file must not silently lose its forbids.
  if (statements.length === 0)
    problems.push(`${file}:1: there is no policy in this file. Write one, or remove the file.`);
  return statements.map(({ text, line }, position) => ({ text, line, file, position }));
}

/** The texts that exceed a limit, each with its problem: they could exhaust Cedar. */
function textsOverLimits(texts: readonly string[], shapes: Shapes): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const group of shapes.group(texts, (text) => text).values()) {
    const problem = limitProblem(group[0]);
    if (problem !== undefined) for (const text of group) found.set(text, problem);
  }
  return found;
}

function limitProblem(text: string): string | undefined {
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

function named(statement: FileStatement, reading: PolicyReading, problems: string[]): Policy {
  const { file, line, position, text } = statement;
  const { effect, annotations, scope, readsHistory } = reading;
  // An @id without a value is null.
  const name = annotations['id'] === undefined ? String(position) : annotations['id'];
  if (name === null || name === '')
    problems.push(`${file}:${line}: @id is empty. Give the policy a name, like @id("drafts").`);
  if (readsHistory) {
    problems.push(
      `${file}:${line}: a permit reads context.via (or context as a whole). History may forbid, never permit: move it into a forbid.`,
    );
  }
  return { id: `${file}#${name}`, file, line, text, effect, annotations, scope };
}
