import { describe, expect, it } from 'vitest';
import { ConfigError } from '@countersign/common';
import { checkAdmissionOptions, checkPermission } from '../../src/adapter/options.js';
import { permitCheck } from '../../src/adapter/permission.js';

describe('checkAdmissionOptions', () => {
  it.each([
    ['a path', '/upload'],
    ['true', true],
    ['null', null],
  ])('refuses %s as streamBody [G5]', (_name, streamBody) => {
    expect(() => checkAdmissionOptions({ streamBody: streamBody as never })).toThrow(ConfigError);
    expect(() => checkAdmissionOptions({ streamBody: () => true })).not.toThrow();
  });

  it("refuses a value of unmapped other than 'refuse' and 'authenticated' [G5]", () => {
    expect(() => checkAdmissionOptions({ unmapped: 'allow' as never })).toThrow(/'unmapped' must be 'refuse' or/);
    expect(() => checkAdmissionOptions({ unmapped: 'authenticated' })).not.toThrow();
  });

  it('refuses a misspelt option, and suggests the right one [G5]', () => {
    const misspelt = { streamBodies: () => true } as never;
    expect(() => checkAdmissionOptions(misspelt)).toThrow(/Did you mean 'streamBody'/);
  });
});

it.each(['requires', 'agentsOnly'])('a permit refuses an undefined %s, which would demand nothing [G5]', (name) => {
  const thing = { type: 'Repo', id: '1' };
  expect(() => checkPermission('permit', 'pr.create', thing, { [name]: undefined })).toThrow(
    `permit('pr.create'): '${name}' is undefined. Leave the member out`,
  );
  expect(() => checkPermission('permit', 'pr.create', thing, {})).not.toThrow();
});

it('permit(false) takes no options, which would demand nothing [G5]', () => {
  expect(() => permitCheck(false, undefined, { agentsOnly: true })).toThrow('name no resource and no options');
  expect(() => permitCheck(false, undefined)).not.toThrow();
});
