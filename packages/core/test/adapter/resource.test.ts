import { describe, expect, it } from 'vitest';
import { checkPermission } from '../../src/adapter/options.js';
import { wholeResource } from '../../src/adapter/resource.js';
import { NoSuchResource } from '../../src/model/permission.js';
import { IncompleteResource } from '@countersign/policy';

describe('wholeResource', () => {
  it.each(['acme/api', 'null/api', 'undefinedness', 'Undefined', 'nullable', '0'])(
    'accepts the id %s unchanged',
    (id) => {
      const made = { type: 'Repo', id };
      expect(wholeResource(made)).toEqual(made);
      expect(wholeResource(undefined)).toBeUndefined();
    },
  );

  it.each([
    [7, '7'],
    [0, '0'],
    [-1, '-1'],
    [Number.MAX_SAFE_INTEGER, '9007199254740991'],
    [12345678901234567890n, '12345678901234567890'],
  ])('converts the integer %s to text', (id, text) => {
    const made = { type: 'Order', id, attributes: { open: true } };
    expect(wholeResource(made)).toEqual({ ...made, id: text });
    expect(() => checkPermission('permit', 'order.read', made, {})).not.toThrow();
  });

  it.each(['7', 7])('reads what a class gives by getters, with the id %s [D15]', (id) => {
    class Order {
      readonly type = 'Order';
      readonly id = id;
      get attributes() {
        return { open: true };
      }
      get parents() {
        return [{ type: 'Shop', id: '1' }];
      }
    }
    const whole = { type: 'Order', id: '7', attributes: { open: true }, parents: [{ type: 'Shop', id: '1' }] };
    expect(wholeResource(new Order())).toEqual(whole);
  });

  it.each(['7', 7])('refuses a member that policy would not see, with the id %s [D9]', (id) => {
    const written = { type: 'Order', id, parent: [{ type: 'Shop', id: '1' }] };
    const problem = "'parent' is no member of it: policies read 'attributes' and 'parents'";
    expect(() => wholeResource(written)).toThrow(problem);
    expect(() => checkPermission('permit', 'order.read', written, {})).toThrow(problem);
    class Row {
      readonly type = 'Order';
      readonly id = id;
      readonly total = 5;
    }
    expect(wholeResource(new Row())).toEqual({ type: 'Order', id: '7' });
  });

  it.each([
    [1.5, 'no safe integer'],
    [Number.NaN, 'NaN, as of a misspelt parameter'],
    [Number.POSITIVE_INFINITY, 'no safe integer'],
    [Number.MAX_SAFE_INTEGER + 1, 'no safe integer'],
  ])('knows no resource whose id is the number %s, which a client can cause [D11] [D12]', (id, what) => {
    const made = { type: 'Order', id };
    expect(() => wholeResource(made)).toThrow(new NoSuchResource(`its id is ${what}`));
    // Where a host has no routes, permit is written with the id of each request, and a client must not make it throw.
    expect(() => checkPermission('permit', 'order.read', made, {})).not.toThrow();
  });

  it('contains the rejection of a promise in a resource whose id is no safe integer [D11]', () => {
    const attributes = Promise.reject(new Error('no such row')) as never;
    expect(() => wholeResource({ type: 'Order', id: Number.NaN, attributes })).toThrow(NoSuchResource);
  });

  it.each(['undefined', 'null', 'NaN', '[object Object]', 'acme/undefined', 'undefined/api', String(undefined)])(
    'refuses the id %s, which JavaScript writes for a missing value [D12]',
    (id) => {
      expect(() => wholeResource({ type: 'Repo', id })).toThrow(/'id' reads as JavaScript writes what is not there/);
      // Where a host has no routes, permit is written with the id of each request, and a client must not make it throw.
      expect(() => checkPermission('permit', 'pr.create', { type: 'Repo', id }, {})).not.toThrow();
    },
  );

  it.each(['/repos/undefined/api', '/repos/%75ndefined', '/repos?id=null', '/repos/[object%20Object]'])(
    'yields no resource when the client itself sent such a text, as in %s [D12]',
    (target) => {
      expect(wholeResource({ type: 'Repo', id: 'undefined' }, target)).toBeUndefined();
    },
  );

  it('blames the application when the target cannot be decoded [D12]', () => {
    expect(() => wholeResource({ type: 'Repo', id: 'undefined' }, '/%')).toThrow(/is a route parameter misspelt/);
  });

  it.each([
    [undefined, 'undefined'],
    ['', 'empty'],
    [['a', 'b'], 'a list'],
  ])('refuses the id %j, and says that it is %s [D12]', (id, what) => {
    expect(() => wholeResource({ type: 'Repo', id })).toThrow(
      `a resource needs a type and an id, both text, and 'id' is ${what}`,
    );
  });

  it.each([
    [null, 'a resource needs { type, id }, and it is null'],
    ['hunter2', 'a resource needs { type, id }, and it is of type string'],
    [{ typ: 'Repo', id: 'hunter2' }, "a resource needs a type and an id, both text, and 'type' is undefined"],
    [
      { type: 7, id: null },
      "a resource needs a type and an id, both text, and 'type' is of type number and 'id' is null",
    ],
  ])('names members and types of %j, never values [F2]', (made, text) => {
    expect(() => wholeResource(made as never)).toThrow(new IncompleteResource(text));
  });
});
