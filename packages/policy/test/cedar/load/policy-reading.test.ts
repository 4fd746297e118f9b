import { yieldEvery } from '@countersign/common';
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { limitFlawOf } from '../../../src/cedar/text/limit-flaw.js';
import { freshCedar } from '../../../src/cedar/instance/instance.js';
import { headFromJson } from '../../../src/cedar/text/policy-head.js';
import { isFault, type ReadResult, readPolicies } from '../../../src/cedar/load/policy-reading.js';
import { Shapes } from '../../../src/cedar/text/policy-shape.js';
import { scopesInJson } from '../../../src/cedar/text/scope-vocabulary.js';

const cedar = freshCedar();

// `#1` to `#3` are replaced by ids. Some templates never parse, and some parse only with certain ids.
const templates = fc.constantFrom(
  '@id("#1") permit(principal == Agent::"#2", action, resource);',
  '@id("#1") @id("#2") permit(principal, action, resource);',
  'permit(principal in Role::"#1", action in [Action::"#2"], resource is Repo in Org::"#3") when { true };',
  'permit(principal == Agent::"#1", action, resource == );',
  'permit(principal == Agent::"#1", action, resource == ?resource);',
  'permit(principal == Action::"#1", action, resource);',
  'permit(principal, action == Agent::"#1", resource);',
  'permit(principal, action, resource) when { context.scope.contains("#1") && principal in Role::"#2" };',
  'permit(principal, action, resource) when { ip("#1").isIpv4() || User::"context" == User::"#2" };',
  'permit(principal, action, resource) when { context.via.contains(Agent::"#1") };',
  '@approval("#1") permit(principal == Agent::"#2", action, resource) when { context.depth <= 1 };',
  'permit(principal == Agent::"#2", action, resource) when { context.depth <= 1 && resource.a == User::"#1" };',
  'permit(principal, action, resource) when { context["#1"] == User::"#2" };',
  'permit(principal, action, resource) when { {"#1": 1, "#2": 2} == {} };',
  'forbid(principal, action, resource) unless { context.via.contains(Agent::"#1") };',
  'permit(principal, action, resource) // ::"#1"\n when { Agent:: // x\n "#2" == N::M::"#3" };',
  'permit(principal, action, resource) when { context.path like "#1*" && Agent::"#2" == User::"#3" };',
);
const ids = fc.constantFrom('a', 'b', 'via', 'pr:write', '0', '//', ';', 'a b', '}', '', 'q\\"q', '\\x', 'é', 'x::y');
const text = fc
  .tuple(templates, ids, ids, ids)
  .map(([template, one, two, three]) => template.replaceAll('#1', one).replaceAll('#2', two).replaceAll('#3', three));

/** The reading from Cedar's JSON of one policy. */
function readingOf(answer: ReturnType<typeof cedar.policyToJson>): ReadResult {
  if (answer.type === 'failure') return answer.errors;
  const { json } = answer;
  return {
    ...headFromJson(json),
    scopes: scopesInJson(json),
    limitFlaw: limitFlawOf(json),
  };
}

function comparable(read: ReadResult | undefined): unknown {
  return read === undefined || isFault(read) ? read : { ...read, scopes: read.scopes.toSorted() };
}

it("readPolicies returns for each text of a batch the facts of Cedar's JSON", async () => {
  const seen = { read: 0, faulty: 0, alike: 0 };
  await fc.assert(
    fc.asyncProperty(fc.array(text, { minLength: 1, maxLength: 24, size: 'max' }), async (list) => {
      const texts = [...new Set(list)];
      const found = await readPolicies(cedar, texts, new Shapes(new Set()), yieldEvery());
      const groups = await new Shapes(new Set()).group(texts, (each) => each, yieldEvery());
      seen.alike += texts.length - groups.length;
      for (const each of texts) {
        const answer = cedar.policyToJson(each);
        expect({ each, read: comparable(found.get(each)) }).toEqual({ each, read: comparable(readingOf(answer)) });
        seen[answer.type === 'success' ? 'read' : 'faulty']++;
      }
    }),
    { numRuns: 60 },
  );
  expect(Math.min(seen.read, seen.faulty, seen.alike)).toBeGreaterThan(10);
});

const broken = (id: string): string => `permit(principal == Agent::"${id}", action, resource) when { context. };`;

it('readPolicies reports the error offsets of each text when several of one shape are wrong', async () => {
  const found = await readPolicies(cedar, [broken('a'), broken('longer')], new Shapes(new Set()), yieldEvery());
  const offsets = [...found.values()].map((read) => isFault(read) && read[0]?.sourceLocations?.[0]?.start);
  expect(offsets).toEqual([broken('a').indexOf('}'), broken('longer').indexOf('}')]);
});
