import { ConfigError } from '@countersign/common';
import { describe, expect, it } from 'vitest';
import { approvalsFrom, type ApprovalsOptions, readApprovals } from '../../../src/stages/approve/approval-options.js';
import type { IssuerOptions } from '../../../src/stages/token/issuers.js';

const issuers = [{ issuer: 'https://approvals.acme.dev' }];

const queue = () => ({ status: 'pending' }) as const;

/** The namespace of the authority; `known` are the issuers of the guard. */
function namespaceOf(approvals: ApprovalsOptions, known: readonly IssuerOptions[]): string | undefined {
  return readApprovals(approvals, true, known)?.issuers.get('https://approvals.acme.dev')?.namespace;
}

describe("the option 'approvals'", () => {
  it('may be left out where no policy asks', () => {
    expect(readApprovals(undefined, false)).toBeUndefined();
    expect(readApprovals(undefined, undefined)).toBeUndefined();
  });

  it('must be there where one asks [G5]', () => {
    expect(() => readApprovals(undefined, true)).toThrow('a policy has @approval, and nobody may approve');
  });

  it('takes authorities, and a queue of the application', () => {
    expect(readApprovals({ issuers, breakGlass: ['user_1'] }, true)).toMatchObject({ breakGlass: ['user_1'] });
    expect(readApprovals(approvalsFrom(queue), true)).toMatchObject({ queue });
  });

  it('lets authorities sign with EdDSA only', () => {
    const read = readApprovals({ issuers }, true);
    expect(read?.issuers.get('https://approvals.acme.dev')?.algorithms).toEqual(['EdDSA', 'Ed25519']);
  });

  it('takes the namespace of an authority from the issuers of the guard [G5]', () => {
    const tokenIssuers = [{ issuer: 'https://approvals.acme.dev', subjectNamespace: 'acme:' }];
    expect(namespaceOf({ issuers }, tokenIssuers)).toBe('acme:');
    expect(namespaceOf({ issuers: tokenIssuers }, tokenIssuers)).toBe('acme:');
    expect(namespaceOf({ issuers: tokenIssuers }, [])).toBe('acme:');
    expect(namespaceOf({ issuers }, issuers)).toBe('');
    for (const [approver, known] of [
      [{ ...issuers[0], subjectNamespace: 'other:' }, tokenIssuers],
      [{ ...issuers[0], subjectNamespace: '' }, tokenIssuers],
      [tokenIssuers[0], issuers],
    ] as [IssuerOptions, readonly IssuerOptions[]][]) {
      const read = () => namespaceOf({ issuers: [approver] }, known);
      expect(read).toThrow(ConfigError);
      expect(read).toThrow("its 'subjectNamespace' is another than in the 'issuers' of the guard");
    }
  });

  it.each<[string, unknown, string]>([
    ['a text', 'https://approvals.acme.dev', 'must be { issuers'],
    ['nobody', {}, 'nobody may approve'],
    ['an empty list', { issuers: [] }, 'nobody may approve'],
    [
      'two authorities that may approve for any group',
      {
        issuers: [{ issuer: 'https://id.acme.dev' }, { issuer: 'https://id.partner.example', subjectNamespace: 'p:' }],
      },
      "Name the 'groups' for which this one may approve",
    ],
    [
      'an authority of no group',
      { issuers: [{ issuer: 'https://id.acme.dev', groups: [] }] },
      "'groups' must list names",
    ],
    ['no list', { issuers: 'https://approvals.acme.dev' }, 'must be a list'],
    ['a misspelt name', { issuer: issuers }, "Did you mean 'issuers'?"],
    ['an option of another issuer', { issuers: [{ ...issuers[0], audience: 'x' }] }, "unknown option 'audience'"],
    ['a queue that is none', { queue: 'queue' }, "'queue' must be a function"],
    ['a store that is none', { issuers, uses: {} }, "'uses' has no method use()"],
    ['a promise of a store', { issuers, uses: Promise.resolve({}) }, "'uses' has no method use()"],
    ['a list of no fields', { issuers, fields: ['X-Amount'] }, "'fields' must list"],
    ['too many fields', { issuers, fields: Array.from({ length: 17 }, (_, at) => `x-${at}`) }, 'at most 16'],
    [
      'a type of bodies with a parameter',
      { issuers, bodyTypes: ['text/plain; x=1'] },
      "'bodyTypes' must list media types",
    ],
    ['a type of bodies that is no list', { issuers, bodyTypes: 'text/plain' }, "'bodyTypes' must list media types"],
    ['a field with a secret', { issuers, fields: ['authorization'] }, "take 'authorization' out"],
    ['people that are none', { issuers, breakGlass: [''] }, "'breakGlass' must list"],
  ])('refuses %s [G5]', (_what, given, message) => {
    expect(() => readApprovals(given as ApprovalsOptions, true)).toThrow(ConfigError);
    expect(() => readApprovals(given as ApprovalsOptions, true)).toThrow(message);
  });
});

it('refuses namespaces of which one begins with the other, also those of issuers of tokens [C11]', () => {
  const approvals = { issuers: [{ issuer: 'https://a.dev', subjectNamespace: 'corp' }] };
  const tokens = [{ issuer: 'https://b.dev', subjectNamespace: 'corp:' }];
  expect(() => readApprovals(approvals, true, tokens)).toThrow('neither may begin with the other');
});
