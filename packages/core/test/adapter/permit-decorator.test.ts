import { describe, expect, it } from 'vitest';
import { ConfigError } from '@countersign/common';
import { isPermit } from '../../src/adapter/handler-mark.js';
import { type PermitDecorator, methodDecorator } from '../../src/adapter/permit-decorator.js';

const asked: (readonly unknown[])[] = [];
const allow: PermitDecorator = methodDecorator('@Permit', async (args) => {
  asked.push(args);
  return true;
});
const deny: PermitDecorator = methodDecorator('@Permit', async () => false);

class Standard {
  readonly name = 'standard';

  @allow
  greet(whom: string): Promise<string> | string {
    return `${this.name} greets ${whom}`;
  }

  @deny
  remove(): Promise<string> | string {
    throw new Error('must not run');
  }
}

/** Applies a decorator as a compiler with `experimentalDecorators` does. */
function legacy(target: object, key: string, decorator: PermitDecorator): void {
  const descriptor = Object.getOwnPropertyDescriptor(target, key) as PropertyDescriptor;
  decorator(target, key, descriptor);
  Object.defineProperty(target, key, descriptor);
}

describe('a permit decorator', () => {
  it('decides with the arguments of the call, then runs the method with its own this', async () => {
    asked.length = 0;
    expect(await new Standard().greet('you')).toBe('standard greets you');
    expect(asked).toEqual([['you']]);
  });

  it('does not run a method that is denied', async () => {
    expect(await new Standard().remove()).toBeUndefined();
  });

  it('rejects with an error of the method, or passes it to onError', async () => {
    const told: unknown[] = [];
    const tell = methodDecorator('@Permit', async () => true, {
      onError: (error, args) => void told.push(error, ...args),
    });
    class Failing {
      @allow
      async reject(_argument: number): Promise<void> {
        throw new Error('mine');
      }

      @tell
      async tell(_argument: number): Promise<void> {
        throw new Error('mine');
      }
    }
    await expect(new Failing().reject(1)).rejects.toThrow('mine');
    expect(await new Failing().tell(1)).toBeUndefined();
    expect(told).toEqual([new Error('mine'), 1]);
  });

  it('works as a legacy decorator', async () => {
    class Legacy {
      name = 'legacy';
      greet(whom: string): Promise<string> | string {
        return `${this.name} greets ${whom}`;
      }
      remove(): Promise<string> | string {
        throw new Error('must not run');
      }
    }
    legacy(Legacy.prototype, 'greet', allow);
    legacy(Legacy.prototype, 'remove', deny);
    expect(await new Legacy().greet('you')).toBe('legacy greets you');
    expect(await new Legacy().remove()).toBeUndefined();
  });

  it('keeps the name and the number of parameters, which routers read', () => {
    expect(new Standard().greet.name).toBe('greet');
    expect(new Standard().greet).toHaveLength(1);
  });

  it('guards a bound copy and an arrow around the method, and marks only the bound copy', async () => {
    const instance = new Standard();
    expect(isPermit(instance.greet)).toBe(true);
    const bound = instance.greet.bind(instance);
    expect(isPermit(bound)).toBe(true);
    expect(isPermit(bound.bind(undefined))).toBe(true);
    expect(await bound('you')).toBe('standard greets you');
    expect(isPermit(() => instance.greet('you'))).toBe(false);
    expect(isPermit(undefined)).toBe(false);
    asked.length = 0;
    await bound.call(new Standard(), 'me');
    expect(asked).toEqual([['me']]);
  });

  it('refuses fields, getters, classes, and a method that has a permit already [G5]', () => {
    const decorate = methodDecorator('@Permit', async () => true) as unknown as (...args: unknown[]) => unknown;
    for (const kind of ['field', 'getter', 'setter', 'accessor', 'class']) {
      expect(() => decorate(() => {}, { kind })).toThrow(ConfigError);
    }
    expect(() => decorate({}, 'field', undefined)).toThrow(ConfigError);
    expect(() => decorate({}, 'getter', { get: () => 1 })).toThrow(ConfigError);
    expect(() => decorate(new Standard().greet, { kind: 'method' })).toThrow(/has a permit already/);
  });
});
