import { join } from 'node:path';
import { type CedarEngine, type Explanation, explanationText, type PolicyDecision } from '@countersign/core';
import { exitCodes } from '../../cli-error.js';
import { type Colours, coloursFor, type Io } from '../../io.js';
import { printable, printableJson } from '../../text.js';
import { type Case, type Expectation, readCases } from './cases.js';
import { unknownName } from './known-names.js';
import { wrapLines, countText, wrapText } from './lines.js';
import { loadPolicies } from './load.js';
import { readYaml } from './yaml-file.js';

export interface TestOptions {
  readonly json: boolean;
}

interface Result {
  readonly name: string;
  readonly line: number;
  readonly ok: boolean;
  readonly expected: Expectation;
  readonly decided: Expectation;
  readonly expectedPolicies: readonly string[] | undefined;
  readonly policies: readonly string[];
  /** Present if the result is not as expected. */
  readonly explanation?: Explanation;
  /** Present if it is not as expected and the schema does not have its action or type. */
  readonly hint?: string;
}

/** Compares decisions with test cases. Returns the exit code. */
export async function test(folder: string, file: string | undefined, { json }: TestOptions, io: Io): Promise<number> {
  const engine = await loadPolicies(folder);
  const cases = readCases(await readYaml(file ?? join(folder, 'cases.yaml'), io), engine.scopeVocabulary);
  const results = cases.map((testCase) => resultOf(testCase, engine));
  const failed = results.filter(({ ok }) => !ok).length;
  const untested = policiesWithoutCase(engine, results);
  io.out(
    json
      ? `${printableJson({ ok: failed === 0, results, untested })}\n`
      : asText(results, failed, untested, coloursFor(io.colour.out)),
  );
  return failed === 0 ? exitCodes.ok : exitCodes.unproven;
}

function resultOf({ name, line, query, expect, policies }: Case, engine: CedarEngine): Result {
  const decision = engine.decide(query);
  const decided = outcomeOf(decision);
  const hint = unknownName(query, engine);
  const ok = decided === expect && (policies === undefined || sameNames(policies, decision.policies));
  return {
    name,
    line,
    ok,
    expected: expect,
    decided,
    expectedPolicies: policies,
    policies: decision.policies,
    ...(ok ? {} : { explanation: decision.explain(), ...(hint !== undefined && { hint }) }),
  };
}

function outcomeOf({ cause, decision, approval }: PolicyDecision): Expectation {
  if (cause === 'error') return 'error';
  return approval === undefined ? decision : 'approval';
}

/** An expected name may omit the file. */
function sameNames(expected: readonly string[], ids: readonly string[]): boolean {
  const names = (id: string): boolean => expected.some((name) => name === id || id.endsWith(`.cedar#${name}`));
  return new Set(expected).size === ids.length && ids.every(names);
}

function policiesWithoutCase(engine: CedarEngine, results: readonly Result[]): readonly string[] {
  const tested = new Set(results.flatMap(({ policies }) => policies));
  return engine.policies.map(({ id }) => id).filter((id) => !tested.has(id));
}

function asText(results: readonly Result[], failed: number, untested: readonly string[], colours: Colours): string {
  const rows = results.map((result) => row(result, colours)).join('');
  const verdict = failed === 0 ? 'all as expected' : `${failed} not as expected`;
  const summary = (failed === 0 ? colours.green : colours.red)(`${countText(results.length, 'case')}, ${verdict}.`);
  const missing = untested.length === 0 ? '' : wrapText(`Decisive in no case: ${untested.join(', ')}.`, '');
  return `${colours.bold('RESULT  DECISION  CASE')}\n${rows}\n${summary}\n${missing}`;
}

function row(result: Result, colours: Colours): string {
  const { name, ok, decided, explanation, hint } = result;
  const mark = ok ? colours.green('ok    ') : colours.red('FAILED');
  const line = `${mark}  ${decided.padEnd(8)}  ${printable(name)}\n`;
  return explanation === undefined
    ? line
    : `${line}${difference(result)}${wrapLines(hint ?? explanationText(explanation), '        ')}`;
}

function difference({ line, expected, decided, expectedPolicies, policies }: Result): string {
  const wanted = expectedPolicies === undefined ? expected : `${expected} by ${listed(expectedPolicies)}`;
  const got = expectedPolicies === undefined ? decided : `${decided} by ${listed(policies)}`;
  return wrapText(`Line ${line}: expected ${wanted}, but it is ${got}.`, '        ');
}

function listed(names: readonly string[]): string {
  return names.length === 0 ? 'no policy' : names.join(', ');
}
