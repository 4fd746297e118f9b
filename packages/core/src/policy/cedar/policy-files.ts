import type { DetailedError } from '@cedar-policy/cedar-wasm/nodejs';
import type { Cedar } from './instance.js';
import { type PolicyReading, type PolicyReadings, readPolicies } from './policy-reading.js';
import type { Policy } from './policy-set.js';
import { lineAt, MAX_DEPTH, type Statement, splitPolicies } from './policy-text.js';
import { describe } from './problem.js';

interface PlacedStatement extends Statement {
  readonly file: string;
  /** In its file, from 0. */
  readonly place: number;
}

/** Reads the policies of files, but judges none whose text is known. Problems are added, each with file and line. */
export function readFiles(
  cedar: Cedar,
  files: readonly (readonly [string, string])[],
  known: PolicyReadings,
  problems: string[],
): { readonly policies: readonly Policy[]; readonly readings: PolicyReadings } {
  const statements = files.flatMap(([file, source]) => statementsOf(file, source, problems));
  const bearable = statements.filter((statement) => isBearable(statement, problems));
  const texts = new Set(bearable.map(({ text }) => text));
  const found = readPolicies(
    cedar,
    [...texts].filter((text) => !known.has(text)),
  );
  const readings = new Map<string, PolicyReading>();
  const policies = bearable.flatMap((statement) => {
    const reading = known.get(statement.text) ?? found.get(statement.text);
    if (reading === undefined || isFault(reading)) {
      problems.push(...faults(statement, reading ?? []));
      return [];
    }
    readings.set(statement.text, reading);
    return named(statement, reading, problems);
  });
  return { policies, readings };
}

function isFault(reading: PolicyReading | readonly DetailedError[]): reading is readonly DetailedError[] {
  return Array.isArray(reading);
}

function statementsOf(file: string, source: string, problems: string[]): PlacedStatement[] {
  // Cedar throws on a lone surrogate.
  if (/\p{Surrogate}/u.test(file + source)) {
    problems.push(`${JSON.stringify(file)}: holds a lone surrogate. Save it as UTF-8.`);
    return [];
  }
  return splitPolicies(source).map((statement, place) => ({ ...statement, file, place }));
}

function isBearable({ file, line, depth }: PlacedStatement, problems: string[]): boolean {
  if (depth <= MAX_DEPTH) return true;
  const advice = 'Split the policy, or write long alternatives as [...].contains(...)';
  problems.push(`${file}:${line}: nests or chains ${depth} deep, ${MAX_DEPTH} are allowed. ${advice}.`);
  return false;
}

function faults({ file, text, line }: PlacedStatement, errors: readonly DetailedError[]): string[] {
  if (errors.length === 0) return [`${file}:${line}: Cedar does not take this policy.`];
  return errors.map(
    (error) => `${file}:${lineAt(text, error.sourceLocations?.[0]?.start ?? 0, line)}: ${describe(error)}`,
  );
}

function named(statement: PlacedStatement, reading: PolicyReading, problems: string[]): Policy[] {
  const { file, line, place, text } = statement;
  const { effect, annotations, scope, byHistory } = reading;
  // A bare @id is null.
  const name = annotations['id'] === undefined ? String(place) : annotations['id'];
  if (name === null || name === '')
    problems.push(`${file}:${line}: @id is empty. Give the policy a name, like @id("drafts").`);
  if (byHistory) {
    problems.push(
      `${file}:${line}: a permit reads context.via (or context as a whole). History may forbid, never permit: move it into a forbid.`,
    );
  }
  return [{ id: `${file}#${name}`, file, line, text, effect, annotations, scope }];
}
