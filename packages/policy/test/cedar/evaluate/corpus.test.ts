import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import type { CedarValueJson, EntityJson, TypeAndId } from '@cedar-policy/cedar-wasm/nodejs';
import { describe, expect, it } from 'vitest';
import { freshCedar } from '../../../src/cedar/instance/instance.js';
import { LivePolicies } from '../../../src/cedar/evaluate/live-policies.js';
import { readPolicySet } from '../../../src/cedar/load/read-policy-set.js';
import { depthOf, splitPolicies } from '../../../src/cedar/text/policy-text.js';

/** Cedar's integration tests and examples, if they are present. */
const VECTORS = new URL('../../../../../../shared/vectors/', import.meta.url);
const CORPUS = new URL('cedar-integration-tests/', VECTORS);

interface CorpusFile {
  readonly policies: string;
  readonly entities: string;
  readonly schema: string;
  readonly shouldValidate: boolean;
  readonly requests: readonly {
    readonly description: string;
    readonly principal: TypeAndId;
    readonly action: TypeAndId;
    readonly resource: TypeAndId;
    readonly context: Record<string, CedarValueJson>;
    readonly decision: 'allow' | 'deny';
    readonly reason: readonly string[];
    readonly errors: readonly string[];
  }[];
}

const text = (path: string): string => readFileSync(new URL(path, CORPUS), 'utf8');

function filesIn(folder: string, ending: string): string[] {
  const found = readdirSync(new URL(folder, VECTORS), { recursive: true, encoding: 'utf8' });
  return found.filter((name) => name.endsWith(ending)).map((name) => `${folder}${name}`);
}

if (existsSync(CORPUS)) {
  const cedar = freshCedar();

  describe("Cedar's integration tests", async () => {
    for (const path of filesIn('cedar-integration-tests/tests/', '.json')) {
      const corpus = JSON.parse(readFileSync(new URL(path, VECTORS), 'utf8')) as CorpusFile;
      const file = basename(corpus.policies);
      const reading = await readPolicySet(
        cedar,
        { policies: { [file]: text(corpus.policies) }, schema: { 'schema.cedarschema': text(corpus.schema) } },
        '',
      );

      it(`${path}: policies validate as expected`, () => {
        expect(reading.ok).toBe(corpus.shouldValidate);
      });

      if (!reading.ok) continue;
      const ids = reading.set.policies.map(({ id }) => id);
      const named = (policies: readonly string[]): string[] =>
        policies.map((policy) => ids[Number(policy.slice('policy'.length))] ?? policy).toSorted();
      const live = await LivePolicies.start(reading.set, freshCedar());
      const entities = JSON.parse(text(corpus.entities)) as EntityJson[];
      for (const { description, principal, action, resource, context, ...expected } of corpus.requests) {
        it(`${path}: ${description}`, () => {
          const answer = live.evaluate({ principal, action, resource, context, entities });
          if (expected.errors.length > 0) {
            expect({ ...answer, policies: answer.policies.toSorted() }).toMatchObject({
              ok: false,
              policies: named(expected.errors),
            });
          } else {
            expect({ ...answer, policies: answer.policies.toSorted() }).toEqual({
              ok: true,
              decision: expected.decision,
              policies: named(expected.reason),
            });
          }
        });
      }
    }
  });

  it("splits every policy file of Cedar's tests and examples as Cedar does", () => {
    const paths = [...filesIn('cedar-integration-tests/', '.cedar'), ...filesIn('cedar-examples/', '.cedar')];
    expect(paths.length).toBeGreaterThan(20);
    for (const path of paths) {
      const source = readFileSync(new URL(path, VECTORS), 'utf8');
      const parts = cedar.policySetTextToParts(source);
      if (parts.type === 'failure') throw new Error(path);
      const ours = [...splitPolicies(source)];
      expect(ours.map((statement) => statement.text).toSorted(), path).toEqual(
        [...parts.policies, ...parts.policy_templates].toSorted(),
      );
      expect(Math.max(0, ...ours.map(({ text }) => depthOf(text))), path).toBeLessThan(40);
    }
  });
} else {
  console.warn(`Not run: Cedar's integration tests, because ${VECTORS.pathname} is missing.`);
  it('splits a file of many policies as Cedar does', () => {
    const source = Array.from(
      { length: 12 },
      (_, place) => `@id("${place}") permit(principal, action, resource); // ;`,
    ).join('\n');
    expect([...splitPolicies(source)]).toHaveLength(12);
  });
}
