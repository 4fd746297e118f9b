import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { PolicyQuery } from '@countersign/core';
import { opaServer, opaWasm } from '@countersign/opa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { faultless, faultsOf, type Played, play } from '../examples/play.js';
import { findOpa, startOpa } from '../support/opa.js';
import { buildWasm } from '../support/opa-build.js';
import type { Started } from '../support/program.js';
import { root } from '../support/workspace.js';

const opa = findOpa();
const policies = join(root, 'packages/opa/test/policies');
const example = join(root, 'examples/opa');
const rules = [
  'decision',
  'without_default',
  'odd',
  'allowed_as_text',
  'unless_numbered',
  'calls_out',
  'from_data',
] as const;

const query: PolicyQuery = {
  principal: { id: 'agent-code-reviewer-01', roles: [], capabilities: [] },
  action: 'pr.create',
  resource: { type: 'Repo', id: 'acme/api' },
  context: {
    scope: ['pr:write:draft'],
    onBehalfOf: 'user_123',
    depth: 1,
    via: [],
    proof: 'issuer',
    possession: 'signature',
    request: { method: 'POST', path: '/' },
  },
};
const about = (id: string): PolicyQuery => ({ ...query, resource: { type: 'Repo', id } });

const decisionsOf = ({ lines }: Played) => lines.filter((line) => line.includes(' OPA '));

describe.skipIf(opa === undefined)('the OPA program', () => {
  const program = opa ?? '';

  it('builds the modules of this repository from the policies beside them', async () => {
    const entrypoints = rules.map((rule) => `countersign/${rule}`);
    const world = await buildWasm(program, policies, 'world.rego', entrypoints);
    expect(world.equals(readFileSync(join(policies, 'world.wasm')))).toBe(true);
    const twin = await buildWasm(program, example, 'policies/authz.rego', ['agent/authz/allow']);
    expect(twin.equals(readFileSync(join(example, 'policies/policy.wasm')))).toBe(true);
  });

  describe('as a server', () => {
    let server: Started;
    beforeAll(async () => {
      server = await startOpa(program, join(policies, 'world.rego'));
    });
    afterAll(() => server.stop());
    const decide = (rule: string, id: string) =>
      opaServer({ url: server.url, path: `countersign/${rule}`, timeoutSeconds: 30 }).decide(about(id));

    it('denies when a built-in function fails, although OPA alone would allow [D1]', async () => {
      const plain = await fetch(`${server.url}/v1/data/countersign/unless_numbered`, {
        method: 'POST',
        body: JSON.stringify({ input: { resource: { id: 'no number' } } }),
      });
      expect(await plain.json()).toMatchObject({ result: true });
      expect(await decide('unless_numbered', 'no number')).toMatchObject({ decision: 'deny', cause: 'error' });
      expect(await decide('unless_numbered', '3')).toMatchObject({ decision: 'allow' });
      expect(await decide('unless_numbered', '7')).toMatchObject({ decision: 'deny', cause: 'policy' });
    });

    it.each([
      ['a rule with two values [D1]', 'decision', 'acme/faulty'],
      ['an undefined rule [D3]', 'without_default', 'acme/web'],
      ['a rule that is not there [D3]', 'nope', 'acme/api'],
      ['text [D3]', 'odd', 'acme/api'],
      ['text for a boolean [D3]', 'allowed_as_text', 'acme/api'],
    ])('%s denies as an error, as in process', async (_title, rule, id) => {
      expect(await decide(rule, id)).toMatchObject({ decision: 'deny', cause: 'error' });
    });

    it('decides like the module', async () => {
      const inProcess = opaWasm({
        wasm: readFileSync(join(policies, 'world.wasm')),
        entrypoint: 'countersign/decision',
      });
      for (const id of ['acme/api', 'acme/web', 'acme/faulty', 'Acme/api', '']) {
        const { decision, cause, policies: named } = await inProcess.decide(about(id));
        expect(await decide('decision', id)).toMatchObject({ decision, cause, policies: named });
      }
    });
  });

  it('decides like the module in the story of the example', async () => {
    const server = await startOpa(program, join(example, 'policies/authz.rego'));
    try {
      const byServer = await play('opa', ['--opa', server.url]);
      const byModule = await play('opa');
      expect(faultsOf(byServer)).toEqual(faultless);
      expect(decisionsOf(byServer)).toEqual(decisionsOf(byModule));
    } finally {
      await server.stop();
    }
  }, 60_000);
});
