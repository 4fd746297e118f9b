import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { transformWithEsbuild } from 'vite';
import { describe, expect, it } from 'vitest';
import { freshCedar } from '../../../src/cedar/instance/instance.js';

const PERMIT = { staticPolicies: { all: 'permit(principal, action, resource);' } };
const CALL = {
  principal: { type: 'Agent', id: 'a' },
  action: { type: 'Action', id: 'x' },
  resource: { type: 'Repo', id: 'r' },
  context: {},
  entities: [],
  preparsedPolicySetId: 'set',
};

describe('an instance', () => {
  it('runs the Cedar version for which the hazards were studied', () => {
    expect(freshCedar().getCedarSDKVersion()).toBe('4.13.0');
  });

  it("shares nothing with other instances or with the application's [D10]", () => {
    const [mine, other] = [freshCedar(), freshCedar()];
    const application = createRequire(import.meta.url)('@cedar-policy/cedar-wasm/nodejs') as typeof mine;
    expect(mine.preparsePolicySet('set', PERMIT)).toEqual({ type: 'success' });
    expect(mine.statefulIsAuthorized(CALL).type).toBe('success');
    expect(other.statefulIsAuthorized(CALL).type).toBe('failure');
    expect(application.statefulIsAuthorized(CALL).type).toBe('failure');
  });

  it('does not break another instance when it fails', () => {
    const [mine, other] = [freshCedar(), freshCedar()];
    other.preparsePolicySet('set', PERMIT);
    const die = (): unknown => mine.statefulIsAuthorized({ ...CALL, context: { a: '\ud800' } });
    for (let round = 0; round < 1_600; round++) expect(die).toThrow();
    expect(() => mine.preparsePolicySet('set', PERMIT)).toThrow();
    expect(other.statefulIsAuthorized(CALL).type).toBe('success');
  });
});

/**
 * Forces what V8 does under load: the library's function and its caller, both optimised, are deoptimised while they wait
 * for WebAssembly. Without the proxies, Node 20 and 22 abort here.
 */
const DEOPTIMISE = `
  const cedar = freshCedar();
  cedar.preparsePolicySet('set', ${JSON.stringify(PERMIT)});
  const call = ${JSON.stringify(CALL)};
  const inner = cedar.statefulIsAuthorized;
  function outer() { return inner(call); }
  for (const fn of [inner, outer]) %PrepareFunctionForOptimization(fn);
  for (let round = 0; round < 5000; round++) outer();
  let during = 0;
  Object.defineProperty(call.context, 'k', { enumerable: true, get() {
    during++;
    %DeoptimizeFunction(inner);
    %DeoptimizeFunction(outer);
    return 1;
  } });
  for (let round = 0; round < 50; round++) {
    for (const fn of [inner, outer]) %OptimizeFunctionOnNextCall(fn);
    if (outer().type !== 'success') throw new Error('no answer');
  }
  console.log(during);
`;

it('an instance survives a lazy deoptimisation during a call', { timeout: 60_000 }, async () => {
  const source = fileURLToPath(new URL('../../../src/cedar/instance/instance.ts', import.meta.url));
  const { code } = await transformWithEsbuild(await readFile(source, 'utf8'), source, { sourcemap: false });
  const program = code + DEOPTIMISE;
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--allow-natives-syntax', '--input-type=module', '-e', program],
    { cwd: fileURLToPath(new URL('../../..', import.meta.url)) },
  );
  expect(stdout.trim()).toBe('50');
});
