import { setImmediate } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { readNamedResource } from '../src/resource.js';

const rejected = (): Promise<never> => Promise.reject(new Error('no such row'));

// A rejection that nobody handles fails the run.
it.each<[string, () => object, string]>([
  ['id', () => ({ type: 'Repo', id: rejected() }), "'id' is a promise: is an await missing?"],
  ['type', () => ({ type: rejected(), id: '1' }), "'type' is a promise: is an await missing?"],
])('a promise as %s is refused, and its rejection contained [D11]', async (_member, resource, problem) => {
  expect(() => readNamedResource(resource())).toThrow(problem);
  await setImmediate();
});

it('the rejections of all promises in a resource are contained [D11]', async () => {
  readNamedResource({ type: 'Repo', id: '1', attributes: rejected(), parents: rejected() });
  readNamedResource({ type: 'Repo', id: '1', attributes: { a: rejected(), b: [rejected()] }, parents: [rejected()] });
  expect(() => readNamedResource({ type: 'Repo', id: '1', attribute: rejected() })).toThrow("'attribute' is no member");
  expect(() => readNamedResource({ id: rejected(), attribute: { of: rejected() } })).toThrow("'type'");
  await setImmediate();
});
