import { setImmediate } from 'node:timers/promises';
import { expect, it, vi } from 'vitest';
import { containRejections } from '../../src/time/contain-rejection.js';

const rejected = (): Promise<never> => Promise.reject(new Error('no such row'));

// A rejection that nobody handles fails the run.
it('contains the rejections of promises in objects and lists', async () => {
  containRejections(rejected());
  containRejections([rejected(), { of: [rejected()], and: Object.assign(Object.create(null), { of: rejected() }) }]);
  await setImmediate();
});

it('calls no getter, and no member of a list of bytes', () => {
  const get = vi.fn();
  containRejections({ a: Object.defineProperty({}, 'b', { get, enumerable: true }) });
  containRejections(Object.defineProperty(new Uint8Array(1), 'a', { get, enumerable: true }));
  expect(get).not.toHaveBeenCalled();
});

it('contains the rejections in rows of a class, and in what they hold', async () => {
  class Row {
    readonly owner = rejected();
    readonly team = { of: rejected() };
  }
  containRejections({ attributes: new Row() });
  await setImmediate();
});

it('visits little of what refers to everything', () => {
  const visited = vi.fn();
  const rows: object[] = [];
  const row = (): object =>
    new Proxy(
      { rows },
      { ownKeys: (target) => (visited(), Reflect.ownKeys(target)), getPrototypeOf: Reflect.getPrototypeOf },
    );
  for (let count = 0; count < 100_000; count++) rows.push(row());
  containRejections({ attributes: { owner: rows[0] } });
  expect(visited.mock.calls.length).toBeLessThanOrEqual(1_000);
});
