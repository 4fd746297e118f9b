import { describe, expect, it } from 'vitest';
import { guarded } from '../../../../test/support/guarded.js';
import { ConfigError } from '../../src/config-error.js';
import { checkAdmissionOptions } from '../../src/node/check-arguments.js';

describe('checkAdmissionOptions', () => {
  it.each([
    ['a path', '/upload'],
    ['true', true],
    ['null', null],
  ])('G5 refuses %s as the choice of what is streamed', async (_name, streamBody) => {
    const { guard } = await guarded();
    expect(() => checkAdmissionOptions(guard, { streamBody: streamBody as never })).toThrow(ConfigError);
    expect(() => checkAdmissionOptions(guard, { streamBody: () => true })).not.toThrow();
  });

  it('G5 refuses a guard that is a promise still, and says so', async () => {
    const { guard } = await guarded();
    const promised = Promise.resolve(guard) as never;
    expect(() => checkAdmissionOptions(promised, {})).toThrow(/is a promise. Write 'await'/);
    expect(() => checkAdmissionOptions({} as never, {})).toThrow(/this is no guard/);
  });

  it('G5 refuses a misspelt option, and says which was meant', async () => {
    const { guard } = await guarded();
    const misspelt = { streamBodies: () => true } as never;
    expect(() => checkAdmissionOptions(guard, misspelt)).toThrow(/Did you mean 'streamBody'/);
  });
});
