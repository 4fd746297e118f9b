import { describe, expect, it } from 'vitest';
import { privateField } from '../../src/index.js';

describe('privateField', () => {
  it('keeps one value for each object', () => {
    const field = privateField<object, number>();
    const [one, other] = [{}, {}];
    field.set(one, 1);
    field.set(one, 2);
    expect(field.get(one)).toBe(2);
    expect(field.get(other)).toBeUndefined();
  });

  it('keeps its values apart from those of another field', () => {
    const [field, another] = [privateField<object, number>(), privateField<object, number>()];
    const holder = {};
    field.set(holder, 1);
    expect(another.get(holder)).toBeUndefined();
  });

  it('is invisible on the object', () => {
    const holder = { shown: 1 };
    privateField<object, number>().set(holder, 2);
    expect(Reflect.ownKeys(holder)).toEqual(['shown']);
    expect(Object.keys({ ...holder })).toEqual(['shown']);
  });

  it('has no value for a proxy, a copy or an heir of the object', () => {
    const field = privateField<object, number>();
    const holder = {};
    field.set(holder, 1);
    for (const like of [new Proxy(holder, {}), { ...holder }, Object.create(holder) as object]) {
      expect(field.get(like)).toBeUndefined();
    }
  });
});
