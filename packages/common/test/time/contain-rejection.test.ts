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

it('calls no getter, and goes into no instance of a class', () => {
  const get = vi.fn();
  containRejections({ a: Object.defineProperty({}, 'b', { get, enumerable: true }) });
  containRejections(Object.assign(new Date(), { a: Object.defineProperty({}, 'b', { get }) }));
  expect(get).not.toHaveBeenCalled();
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
