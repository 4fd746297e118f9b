import { expect, it } from 'vitest';
import { Instances } from '../src/instances.js';
import type { WasmPolicy } from '../src/wasm-module.js';

function counted() {
  const made: WasmPolicy[] = [];
  const create = (): WasmPolicy => {
    const instance = { entrypoints: {}, evaluate: () => made.length, setData: () => {} };
    made.push(instance);
    return instance;
  };
  const instances = new Instances(create(), create);
  const fail = (count: number, error: unknown): void => {
    for (let turn = 0; turn < count; turn++) instances.failed(error);
  };
  return { made, instances, fail };
}

const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

it.each<[string, unknown]>([
  ['a built-in function', { message: 'a bad argument' }],
  ['a built-in function of JavaScript', new TypeError('no text')],
  ['the module itself', 'conflict'],
])('an error of %s costs no instance, and many cost one that is made off the request [D4]', async (_title, error) => {
  const { made, instances, fail } = counted();
  fail(99, error);
  await turn();
  expect(made).toHaveLength(1);
  fail(50, error);
  expect(made).toHaveLength(1);
  await turn();
  expect(made).toHaveLength(2);
  expect(instances.current()).toBe(made[1]);
  fail(99, error);
  await turn();
  expect(made).toHaveLength(2);
});

it('errors that come in one turn wear no instance out', async () => {
  const { made, fail } = counted();
  fail(250, 'conflict');
  expect(made).toHaveLength(2);
  await turn();
  expect(made).toHaveLength(2);
});

it.each([new RangeError('Maximum call stack size exceeded'), Object.assign(new Error('x'), { name: 'RuntimeError' })])(
  'an instance is replaced at once after %s [D4]',
  (error) => {
    const { made, instances, fail } = counted();
    fail(1, error);
    expect(instances.current()).toBe(made[1]);
  },
);
