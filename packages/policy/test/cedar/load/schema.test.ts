import { describe, expect, it } from 'vitest';
import { freshCedar } from '../../../src/cedar/instance/instance.js';
import { AGENT_VOCABULARY, type NamedTexts, readSchema, type Schema } from '../../../src/cedar/load/schema.js';
import { REPO_SCHEMA } from '../../query.js';

const cedar = freshCedar();

function read(files: NamedTexts): { readonly schema: Schema | undefined; readonly problems: readonly string[] } {
  const problems: string[] = [];
  const schema = readSchema(cedar, files, AGENT_VOCABULARY, problems);
  return { schema, problems };
}

describe('a schema', () => {
  it('joins the vocabulary and the files', () => {
    const { schema, problems } = read({ 'a.cedarschema': REPO_SCHEMA, 'b.cedarschema': 'entity Doc in [Repo];' });
    expect(problems).toEqual([]);
    expect(schema?.text).toBe(`${AGENT_VOCABULARY}${REPO_SCHEMA}\nentity Doc in [Repo];\n`);
  });

  it('may be empty', () => {
    expect(read({ 'a.cedarschema': '' }).problems).toEqual([]);
  });

  it('may use namespaces', () => {
    const files = {
      'a.cedarschema': `namespace Acme { entity Repo = { owner: User }; }
action "pr.create" appliesTo { principal: [Agent], resource: [Acme::Repo], context: AgentContext };`,
    };
    expect(read(files).problems).toEqual([]);
  });

  const faults: Record<string, [NamedTexts, RegExp]> = {
    'a syntax error': [{ 'a.cedarschema': 'entity A;\n// é\nentity B i;' }, /^a\.cedarschema:3: .*unexpected token/],
    'an unknown type': [
      { 'a.cedarschema': REPO_SCHEMA, 'b.cedarschema': '\nentity A in [Nope];' },
      /^b\.cedarschema:2: .*Nope/,
    ],
    'a second declaration': [{ 'a.cedarschema': '\nentity Agent;' }, /^a\.cedarschema:2: .*declared twice/],
    'the same in two files': [
      { 'a.cedarschema': 'entity A;', 'b.cedarschema': '\n\nentity A;' },
      /^b\.cedarschema:3: .*declared twice/,
    ],
    'a lone surrogate': [{ 'a.cedarschema': '// \udfff' }, /surrogate/],
  };
  for (const [name, [files, message]] of Object.entries(faults)) {
    it(`is refused with file and line when it has ${name}`, () => {
      expect(read(files)).toEqual({ schema: undefined, problems: [expect.stringMatching(message)] });
    });
  }

  it('is refused when an action for agents has another context', () => {
    for (const context of ['', ', context: { scope: Set<String> }', ', context: Other']) {
      const text = `entity Repo; type Other = {}; action "pr.create" appliesTo { principal: [Agent], resource: [Repo]${context} };`;
      expect(read({ 'a.cedarschema': text }).problems).toEqual([
        expect.stringMatching(/"pr\.create" is for agents.*AgentContext/),
      ]);
    }
  });

  it('may have any context for groups and for actions of users only', () => {
    const text =
      'entity Repo; action "all"; action "look" in ["all"] appliesTo { principal: [User], resource: [Repo] };';
    expect(read({ 'a.cedarschema': text }).problems).toEqual([]);
  });
});
