import { readFileSync } from 'node:fs';
import { ConfigError } from '@countersign/common';
import { describe, expect, it } from 'vitest';
import { type OpaWasmOptions, opaWasm } from '../src/opa-wasm.js';
import { about, query } from './query.js';

const wasm = readFileSync(new URL('policies/world.wasm', import.meta.url));
const engine = (rule: string, options: Partial<OpaWasmOptions> = {}) =>
  opaWasm({ wasm, entrypoint: `countersign/${rule}`, ...options });
const hashOf = async (data: Record<string, unknown>) => (await engine('from_data', { data }).decide(query)).policySet;
const failed = { decision: 'deny', cause: 'error' };

describe('the rule', () => {
  it('allows, and names what decided', () => {
    expect(engine('decision').decide(query)).toEqual({
      decision: 'allow',
      cause: 'policy',
      policies: ['drafts-for-the-user'],
      policySet: expect.stringMatching(/^[0-9a-f]{64}$/),
      errors: [],
    });
  });

  it('denies what it does not allow', () => {
    expect(engine('decision').decide(about('acme/web'))).toMatchObject({ decision: 'deny', cause: 'policy' });
  });

  it.each([
    ['errs [D1]', 'decision', 'acme/faulty'],
    ['is undefined [D3]', 'without_default', 'acme/web'],
    ['gives text [D3]', 'odd', 'acme/api'],
    ['gives text for a boolean [D3]', 'allowed_as_text', 'acme/api'],
    ['calls a function that is not there [D4]', 'calls_out', 'acme/api'],
  ])('%s: denied as an error', (_title, rule, id) => {
    expect(engine(rule).decide(about(id))).toMatchObject(failed);
  });
});

// An instance that is not replaced fails for good after some 500.
it('an error leaves nothing behind: the next decision is right, however many came before [D4]', async () => {
  const decider = engine('decision');
  for (let turn = 0; turn < 600; turn++) {
    expect(await decider.decide(about('acme/faulty'))).toMatchObject(failed);
    expect(await decider.decide(query)).toMatchObject({ decision: 'allow' });
    expect(await decider.decide(about('acme/web'))).toMatchObject({ decision: 'deny', cause: 'policy' });
  }
});

it.each<[string, unknown]>([
  ['half a surrogate pair [D9]', 'acme/\ud800'],
  ['2^53 [D11]', 2 ** 53],
  ['NaN [D11]', Number.NaN],
  ['undefined [D11]', undefined],
  ['a big integer [D11]', 7n],
])('%s among the attributes is refused, not changed', async (_title, value) => {
  expect(await engine('decision').decide(about('acme/api', { value }))).toMatchObject(failed);
});

it.each([100, 3000, 100_000])(
  'attributes nested %i deep are decided on or refused, and harm nothing [D11]',
  async (depth) => {
    let nested: Record<string, unknown> = {};
    for (let level = 0; level < depth; level++) nested = { nested };
    const decider = engine('decision');
    expect(['policy', 'error']).toContain((await decider.decide(about('acme/api', nested))).cause);
    expect(await decider.decide(query)).toMatchObject({ decision: 'allow' });
    expect(await decider.decide(about('acme/web'))).toMatchObject({ decision: 'deny', cause: 'policy' });
  },
);

it('large queries and small ones take turns', async () => {
  const decider = engine('decision');
  const large = about('acme/api', { text: 'x'.repeat(60_000) });
  for (let turn = 0; turn < 3; turn++) {
    expect(await decider.decide(large)).toMatchObject({ decision: 'allow' });
    expect(await decider.decide(about('acme/web'))).toMatchObject({ decision: 'deny', cause: 'policy' });
  }
});

it('a query of more than 65,536 characters is refused [M7]', async () => {
  const long = about('acme/api', { numbers: Array.from({ length: 1_000_000 }, () => 1) });
  expect(await engine('decision').decide(long)).toMatchObject({
    ...failed,
    errors: [expect.stringContaining('65536')],
  });
});

describe('data', () => {
  it('may be larger than a query', async () => {
    const data = { open: Array.from({ length: 10_000 }, (_, at) => `acme/repo-${at}`) };
    expect(await engine('from_data', { data }).decide(about('acme/repo-9999'))).toMatchObject({ decision: 'allow' });
  });

  it('is what policies read, as it was when the engine was made', async () => {
    const data = { open: ['acme/api'] };
    const decider = engine('from_data', { data });
    data.open.push('acme/web');
    // After an error the instance is another.
    expect(await decider.decide(about('acme/faulty'))).toMatchObject(failed);
    expect(await decider.decide(query)).toMatchObject({ decision: 'allow' });
    expect(await decider.decide(about('acme/web'))).toMatchObject({ decision: 'deny', cause: 'policy' });
  });

  it('has a part in the hash of the policy set', async () => {
    expect(await hashOf({ open: [] })).toBe(await hashOf({ open: [] }));
    expect(await hashOf({ open: [] })).not.toBe(await hashOf({ open: ['acme/api'] }));
  });
});

describe('is refused at the start [G5]', () => {
  it.each<[string, unknown, RegExp]>([
    ['no module', { wasm: undefined }, /'wasm' must be the bytes of a policy\.wasm/],
    ['a bundle for a module', { wasm: new Uint8Array([0x1f, 0x8b, 8, 0]) }, /Is it the policy\.wasm of a bundle/],
    ['a module of something else', { wasm: new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]) }, /was not built by opa/],
    ['a rule that was not built in', { entrypoint: 'countersign/nope' }, /must be one of those built in: .*decision/],
    ['one of several rules unnamed', { entrypoint: undefined }, /must be one of those built in/],
    ['a member of Object', { entrypoint: 'constructor' }, /must be one of those built in/],
    ['data that no JSON can carry', { data: { n: Number.NaN } }, /'data' cannot be used/],
    ['scopes as text', { scopeVocabulary: 'pr:write' }, /'scopeVocabulary' must be a list/],
    ['a misspelt option', { entryPoint: 'x' }, /unknown option 'entryPoint'\. Did you mean 'entrypoint'/],
  ])('%s', (_title, change, message) => {
    const options = { wasm, entrypoint: 'countersign/decision', ...(change as object) };
    expect(() => opaWasm(options)).toThrow(ConfigError);
    expect(() => opaWasm(options)).toThrow(message);
  });
});

it('shows the scopes that the policies mention', () => {
  expect(engine('decision', { scopeVocabulary: ['pr:write:draft'] }).scopeVocabulary).toEqual(['pr:write:draft']);
});
