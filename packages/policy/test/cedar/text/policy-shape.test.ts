import { yieldEvery } from '@countersign/common';
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { freshCedar } from '../../../src/cedar/instance/instance.js';
import { readPolicySet } from '../../../src/cedar/load/read-policy-set.js';
import { shapeOf, Shapes } from '../../../src/cedar/text/policy-shape.js';
import { readSchema } from '../../../src/cedar/load/schema.js';
import { validationProblems } from '../../../src/cedar/load/validation.js';

/** `pnpm differential` makes more. */
const RUNS = Math.min(200, Number(process.env['COUNTERSIGN_DIFFERENTIAL_RUNS'] ?? 20));

const SCHEMA = `
entity Role in [Role]; entity Agent in [Role] = { level: Long, owner?: Agent, "0"?: Long } tags Long; entity User;
entity Color enum ["a", "0"];
type AgentContext = { user?: User, color: Color, k?: Long };
action "g"; action "a" in [Action::"g"] appliesTo { principal: [Agent], resource: [Role, Color], context: AgentContext };
action "0" appliesTo { principal: [Agent], resource: [Role], context: AgentContext };
namespace N { entity Hue enum ["b"]; entity Bot = { n: Hue }; action "b" appliesTo { principal: [Bot], resource: [Bot] }; }`;

const cedar = freshCedar();
const problems: string[] = [];
const schema = readSchema(cedar, { 's.cedarschema': SCHEMA }, '', problems);
if (schema === undefined) throw new Error(problems.join());

// `#1` to `#3` are replaced by ids, among them the numbers that a shape uses.
const templates = fc.constantFrom(
  '@id("#1") permit(principal == Agent::"#2", action, resource);',
  '@id("#1") @note_x permit(principal in Role::"#2", action == Action::"a", resource in Role::"#3");',
  'permit(principal, action == Action::"#1", resource);',
  'permit(principal, action in [Action::"#1", Action::"g"], resource);',
  'permit(principal, action == N::Action::"#1", resource);',
  'permit(principal, action, resource == Color::"#1");',
  'permit(principal, action, resource) when { context.color == Color :: "#1" };',
  'permit(principal is N::Bot, action, resource) when { principal.n == N::Hue::"#1" };',
  'permit(principal, action, resource) when { Agent::"#1" == Agent::"#2" };',
  'permit(principal, action, resource) when { Agent::"#1" != Agent::"#2" && principal.nothing };',
  'permit(principal, action, resource) when { Agent::"#1" == User::"#1" };',
  'permit(principal, action, resource) when { Role::"#1" in Role::"#2" };',
  'permit(principal, action, resource) when { principal in [Role::"#1", Role::"#2"] };',
  'permit(principal, action, resource) when { context has user && context.user == User::"#1" };',
  'permit(principal, action, resource) when { Agent::"#1" has owner && Agent::"#2".owner == Agent::"#3" };',
  'permit(principal, action, resource) when { principal.hasTag("#1") && principal.getTag("#2") > 0 };',
  'permit(principal, action, resource) when { principal has "#1" && principal["#2"] > 0 };',
  'permit(principal, action, resource) when { "#1" == "#2" };',
  'permit(principal, action, resource) when { ip("#1").isIpv4() };',
  'permit(principal, action, resource) when { {"#1": 1}["#2"] == 1 };',
  'permit(principal, action, resource) when { /* no */ principal == // Color::"#1"\nAgent::"#2" };',
  'forbid(principal, action, resource) when { // ::"\nAgent::"#1" == Agent::"#2" };',
  'forbid(principal, action == Action::"0", resource is Color);',
  'permit(principal is N::Bot, action, resource) when { principal.n == N::// c\nHue::"#1" };',
  'permit(principal, action, resource) when { [// c\nAgent::"#1"].contains(Agent::"#2") && Agent::// c\n"#1" == Agent::"#2" };',
);
const ids = fc.constantFrom('a', 'a', 'b', '0', '1', '10.0.0.1', 'владелец', 'a\\"b', '#', 'x::y', '//', 'a b', 'a\tb');
const text = fc
  .tuple(templates, ids, ids, ids)
  .map(([template, one, two, three]) =>
    template.replaceAll('#1', one).replaceAll('#2', two).replaceAll('#3', three).replace('/* no */', ''),
  );

async function policiesOf(texts: readonly string[]) {
  const unnamed = texts.map((each) => each.replace(/^@id\("(?:[^"\\]|\\.)*"\)/, '@note("x")'));
  const reading = await readPolicySet(cedar, { policies: { 'p.cedar': unnamed.join('\n') } }, '');
  if (!reading.ok) throw new Error(reading.problems.join());
  return reading.set.policies.map((policy, place) => ({ ...policy, text: texts[place] ?? '' }));
}

/** The number of validation errors and warnings of one policy alone. */
function verdict(policy: string): string {
  const validationSettings = { mode: 'strict' } as const;
  const answer = cedar.validate({ schema: schema!.text, policies: { staticPolicies: policy }, validationSettings });
  if (answer.type === 'failure') throw new Error(JSON.stringify(answer.errors));
  return `${answer.validationErrors.length} ${answer.validationWarnings.length}`;
}

it('policies of one shape have the same validation result [D6]', { timeout: 600_000 }, () => {
  const seen = { alike: 0, wrong: 0 };
  const verdicts = new Map<string, { readonly text: string; readonly verdict: string }>();
  fc.assert(
    fc.property(text, (policy) => {
      const shape = shapeOf(policy, schema.enumeratedTypes);
      if (shape === undefined) return;
      const own = verdict(policy);
      const other = verdicts.get(shape) ?? { text: policy, verdict: own };
      if (other.text !== policy) seen.alike++;
      if (own !== '0 0') seen.wrong++;
      verdicts.set(shape, other);
      expect({ policy, verdict: own }).toEqual({ policy, verdict: other.verdict });
    }),
    { numRuns: 15 * RUNS },
  );
  expect(seen.alike).toBeGreaterThan(10);
  expect(seen.wrong).toBeGreaterThan(10);
});

it('validation by shapes reports the same policies as validation one by one [D6]', { timeout: 600_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(text, { minLength: 1, maxLength: 12 }), async (texts) => {
      const policies = await policiesOf(texts);
      const check = (some: typeof policies) =>
        validationProblems(cedar, some, { schema, shapes: new Shapes(schema.enumeratedTypes), turns: yieldEvery() });
      const one = (place: number) => check(policies.slice(place, place + 1));
      const alone = await Promise.all(policies.map((_policy, place) => one(place)));
      const wrong = policies.filter((_policy, place) => alone[place]?.length !== 0);
      const errors = wrong.filter((policy) => !verdict(policy.text).startsWith('0 '));
      // As in Cedar's result for all policies, errors hide warnings.
      const expected = (errors.length > 0 ? errors : wrong).map(({ line }) => line);
      const found = (await check(policies)).map((problem) => Number(/^p\.cedar:(\d+): /.exec(problem)?.[1]));
      const starts = policies.map(({ line }) => line);
      const named = new Set(found.map((line) => starts.findLast((start) => start <= line)));
      expect(named).toEqual(new Set(expected));
    }),
    { numRuns: RUNS },
  );
});

it.each([
  ['permit(principal == Agent::"one", action, resource);', 'permit(principal == Agent::"0", action, resource);'],
  ['@id("p") permit(principal, action, resource);', '@id("0") permit(principal, action, resource);'],
  [
    'permit(principal, action == Action::"a", resource == Color::"a");',
    'permit(principal, action == Action::"a", resource == Color::"a");',
  ],
  [
    'forbid(principal == Agent::"x", action, resource in Role::"x");',
    'forbid(principal == Agent::"0", action, resource in Role::"0");',
  ],
  [
    '@id // "\nx\n("p") permit(principal == N :: Agent :: "x", action, resource);',
    '@id // "\nx\n("p") permit(principal == N :: Agent :: "0", action, resource);',
  ],
  [
    'forbid(principal == Agent::"x\ty", action, resource in Role::"x");',
    'forbid(principal == Agent::"x\ty", action, resource in Role::"0");',
  ],
  [
    'forbid(principal == Agent::"x", action, resource in Role::"y");',
    'forbid(principal == Agent::"0", action, resource in Role::"1");',
  ],
])('shapeOf maps %s to %s', (policy, shape) => {
  expect(shapeOf(policy, schema.enumeratedTypes)).toBe(shape);
});

it.each([
  'permit(principal is N::Bot, action, resource) when { principal.n == N::// c\nHue::"x" };',
  'permit(principal is N::Bot, action, resource) when { principal.n == N// c\n::Hue::"x" };',
  'permit(principal, action, resource) when { Agent::// c\n"x" == Agent::"x" };',
  'permit(principal, action, resource) when { [// c\nAgent::"x"].contains(Agent::"x") };',
  `permit(principal == ${'N::'.repeat(100)}Agent::"x", action, resource);`,
  `permit(principal == N::${' '.repeat(300)}Color::"x", action, resource);`,
])('shapeOf is undefined for an ambiguous path: %j [D6]', (policy) => {
  expect(shapeOf(policy, schema.enumeratedTypes)).toBeUndefined();
});

it.each([
  ['@id("a\rb") permit(principal, action, resource);', /^p\.cedar:2: [\s\S]*escape/],
  ['permit(principal == Agent::"a\rb", action, resource);', /^p\.cedar:2: [\s\S]*escape/],
  ['permit(principal == Agent::"a\tb", action, resource);', /^p\.cedar:2: .*not a printable/],
  ['permit(principal == Agent::"a\nb", action, resource);', /^p\.cedar:2: .*not a printable/],
])('a valid policy of similar text does not hide the fault of %j [D6]', async (policy, problem) => {
  const good = policy.replace(/a[\r\n\t]b/, 'ab');
  const texts = { policies: { 'p.cedar': `${good}\n${policy}` }, schema: { 's.cedarschema': SCHEMA } };
  const reading = await readPolicySet(cedar, texts, '');
  expect(reading).toEqual({ ok: false, problems: [expect.stringMatching(problem)] });
});
