import { describe, expect, it } from 'vitest';
import { freshCedar } from '../../../src/cedar/instance/instance.js';
import type { PolicySet } from '../../../src/cedar/load/policy-set.js';
import { readPolicySet } from '../../../src/cedar/load/read-policy-set.js';
import { AGENT_VOCABULARY, type NamedTexts } from '../../../src/cedar/load/schema.js';
import { DRAFTS, REPO_SCHEMA } from '../../query.js';

const cedar = freshCedar();

function read(policies: NamedTexts, schema?: NamedTexts): ReturnType<typeof readPolicySet> {
  return readPolicySet(cedar, schema === undefined ? { policies } : { policies, schema }, AGENT_VOCABULARY);
}

async function problems(policies: NamedTexts, schema?: NamedTexts): Promise<readonly string[]> {
  const reading = await read(policies, schema);
  return reading.ok ? [] : reading.problems;
}

async function set(policies: NamedTexts, schema?: NamedTexts): Promise<PolicySet> {
  const reading = await read(policies, schema);
  if (!reading.ok) throw new Error(reading.problems.join('\n'));
  return reading.set;
}

const ANY = 'permit(principal, action, resource);';

describe('policy ids', () => {
  it('are file and @id, or file and position', async () => {
    const { policies } = await set({ 'b.cedar': `${ANY} @id("named") ${ANY} ${ANY}`, 'a.cedar': `@note("x") ${ANY}` });
    expect(policies.map(({ id }) => id)).toEqual(['a.cedar#0', 'b.cedar#0', 'b.cedar#named', 'b.cedar#2']);
    expect(policies[2]).toMatchObject({ text: `@id("named") ${ANY}`, file: 'b.cedar', line: 1, effect: 'permit' });
  });

  it('follow the order of the file when it has more than ten policies', async () => {
    const many = Array.from({ length: 12 }, (_, place) => `permit(principal == Agent::"${place}", action, resource);`);
    const { policies } = await set({ 'a.cedar': many.join('\n') });
    expect(policies[2]).toMatchObject({ id: 'a.cedar#2', text: expect.stringContaining('Agent::"2"') });
    expect(policies[11]).toMatchObject({ id: 'a.cedar#11', text: expect.stringContaining('Agent::"11"') });
  });

  it('may be any text', async () => {
    const { policies } = await set({ ['__proto__']: `@id("é \\"q\\" #1\\n") ${ANY}` });
    expect(policies.map(({ id }) => id)).toEqual(['__proto__#é "q" #1\n']);
  });

  it('must be unique across files', async () => {
    expect(await problems({ 'a.cedar': `@id("x") ${ANY}\n`, 'b.cedar': `\n\n@id("x") ${ANY}` })).toEqual([
      "b.cedar:3: 'x' already names the policy at a.cedar:1. Rename one.",
    ]);
    expect(await problems({ 'a.cedar': `${ANY}\n@id("0") ${ANY}` })).toEqual([
      "a.cedar:2: '0' already names the policy at a.cedar:1. Rename one.",
    ]);
    expect(await problems({ 'a.cedar': `${ANY} @id("y") ${ANY}`, 'b.cedar': `${ANY} @id("z") ${ANY}` })).toEqual([]);
  });

  it('must not be empty', async () => {
    expect(await problems({ 'a.cedar': `@id("") ${ANY}` })).toEqual([
      expect.stringMatching(/^a\.cedar:1: @id is empty/),
    ]);
    expect(await problems({ 'a.cedar': `@id ${ANY}` })).toEqual([expect.stringMatching(/^a\.cedar:1: @id is empty/)]);
  });
});

describe('readPolicySet reports with file and line', () => {
  it('syntax errors in every file', async () => {
    const found = await problems({
      'a.cedar': `// é\n${ANY}\npermit(principal, action, resource)\n  when { context. };\n${ANY}`,
      'b.cedar': `permit(principal, action);`,
      'c.cedar': `${ANY}\nforbid(principal, action, resource)`,
    });
    expect(found).toHaveLength(3);
    expect(found[0]).toMatch(/^a\.cedar:4: .*unexpected token/);
    expect(found[1]).toMatch(/^b\.cedar:1: ./);
    expect(found[2]).toMatch(/^c\.cedar:2: .*unexpected end/);
  });

  it('templates, which nothing would link', async () => {
    expect(await problems({ 'a.cedar': `${ANY}\npermit(principal == ?principal, action, resource);` })).toEqual([
      expect.stringMatching(/^a\.cedar:2: .*template/),
    ]);
  });

  it('nesting and chains that could exhaust the stack', async () => {
    const nested = `permit(principal, action, resource) when { ${'('.repeat(70)}true${')'.repeat(70)} };`;
    const chained = `permit(principal, action, resource) when { ${'context.depth == 1 || '.repeat(350)}true };`;
    for (const policy of [nested, chained]) {
      expect(await problems({ 'a.cedar': `${ANY}\n\n${policy}` })).toEqual([
        expect.stringMatching(/^a\.cedar:3: nests or chains \d+ deep/),
      ]);
    }
  });

  it('nothing for depth 60 or long lists', async () => {
    const nested = `permit(principal, action, resource) when { ${'('.repeat(60)}true${')'.repeat(60)} };`;
    const listed = `permit(principal, action, resource) when { [${'"a", '.repeat(20_000)}"b"].contains(context.proof) };`;
    expect(await problems({ 'a.cedar': nested, 'b.cedar': listed })).toEqual([]);
  });

  it('an empty set', async () => {
    expect(await problems({})).toEqual([expect.stringContaining('no policy at all')]);
  });

  it('an empty file', async () => {
    for (const text of ['', '// none\n']) {
      expect(await problems({ 'a.cedar': text, 'b.cedar': ANY })).toEqual([
        expect.stringMatching(/^a\.cedar:1: there is no policy in this file/),
      ]);
    }
  });

  it('a list that takes Cedar seconds [M4]', async () => {
    const listing = `${ANY.slice(0, -1)} when { [${'1,'.repeat(50_000)}1].contains(1) };`;
    expect(await problems({ 'a.cedar': `\n${listing}` })).toEqual([
      'a.cedar:2: has more than 50000 terms. Move a long list into an attribute of an entity, or into its parents.',
    ]);
  });

  it('a chain of bracket accesses [M4]', async () => {
    const chained = `${ANY.slice(0, -1)} when { context["request"]${'["a"]'.repeat(200)} == 1 };`;
    expect(await problems({ 'a.cedar': chained })).toEqual([
      expect.stringMatching(/^a\.cedar:1: nests or chains 20\d deep/),
    ]);
  });

  it('a lone surrogate', async () => {
    expect(await problems({ 'a.cedar': `${ANY} // \ud800` })).toEqual([
      expect.stringMatching(/^"a\.cedar": .*surrogate/),
    ]);
  });

  it('validation errors [D6]', async () => {
    const bad = `// é\n\n${DRAFTS.replace('context.onBehalfOf ==', 'context.onBehalfof ==')}
@id("typo") permit(principal, action == Action::"pr.craete", resource);`;
    const found = await problems({ 'a.cedar': bad }, { 's.cedarschema': REPO_SCHEMA });
    expect(found).toHaveLength(2);
    expect(found.toSorted()).toEqual([
      expect.stringMatching(/^a\.cedar:10: .*`onBehalfof`.*did you mean `onBehalfOf`/),
      expect.stringMatching(/^a\.cedar:14: .*unrecognized action.*did you mean `Action::"pr\.create"`/),
    ]);
  });

  it('no validation errors without a schema [D6]', async () => {
    expect(
      await problems({ 'a.cedar': 'permit(principal is Nobody, action, resource) when { context.typo };' }),
    ).toEqual([]);
  });
});

describe('the hash of a policy set', async () => {
  const files = { 'a.cedar': ANY, 'b.cedar': `@id("b") ${ANY}` };
  const { hash } = await set(files);

  it('is the same for texts in any order', async () => {
    expect(hash).toMatch(/^[0-9a-f]{64}$/);
    expect(await set({ 'b.cedar': files['b.cedar'], 'a.cedar': files['a.cedar'] })).toMatchObject({ hash });
  });

  it('changes with any text, file name, file border or schema', async () => {
    const schema = { 's.cedarschema': REPO_SCHEMA };
    const others = await Promise.all([
      set({ ...files, 'a.cedar': `${ANY} ` }),
      set({ 'a.cedar': ANY, 'c.cedar': files['b.cedar'] }),
      set({ 'a.cedar': ANY + files['b.cedar'] }),
      set(files, schema),
      set(files, { 's.cedarschema': `${REPO_SCHEMA}entity Other;` }),
    ]);
    expect(new Set([hash, ...others.map((other) => other.hash)]).size).toBe(6);
  });
});

it('the scope vocabulary has every literal that could be a scope', async () => {
  const { scopeVocabulary } = await set({
    'a.cedar': `${DRAFTS} @id("not:this") permit(principal == Agent::"nor:this", action in [Action::"nor"], resource)
      when { context.scope.containsAny(["repo:read", "db:query:billing"]) || ["x"].contains(context.proof) }
      unless { context has proof && context.proof == "two words" || context.proof == "a::b" || context.proof == "" ||
        resource == User::"nor:that" || {Value: "in:record"} == resource.r || resource.t like "nor*" };`,
  });
  expect(scopeVocabulary).toEqual(['db:query:billing', 'in:record', 'pr:write:draft', 'repo:read', 'x']);
});
