import { describe, expect, it } from 'vitest';
import { readApproval } from '../../../src/cedar/text/approval-annotations.js';
import { readHead } from '../../../src/cedar/text/policy-head.js';

function read(annotations: string, effect = 'permit') {
  const found = readHead(`${annotations} ${effect}(principal, action, resource);`);
  if (found === undefined) throw new Error('unsupported');
  return readApproval(found.head);
}

describe('readApproval', () => {
  it('reads nothing without annotations of ours', () => {
    expect(read('')).toEqual({ ok: true, value: undefined });
    expect(read('@id("a") @description("merges") @note("drafts")')).toEqual({ ok: true, value: undefined });
  });

  it('reads who must consent, with defaults', () => {
    expect(read('@id("a") @approval("release-managers")')).toEqual({
      ok: true,
      value: {
        quorums: [{ groups: ['release-managers'], count: 1 }],
        useWithinSeconds: 600,
        decideWithinSeconds: 86_400,
        reason: 'optional',
        excluded: [],
      },
    });
  });

  it('reads all that can be demanded', () => {
    const annotations = [
      '@approval("release-managers, directors")',
      '@approval_count("2")',
      '@approval_use_within("90s")',
      '@approval_decide_within("3d")',
      '@approval_reason("required")',
      '@approval_excludes("owner, subject")',
    ];
    expect(read(annotations.join('\n'))).toEqual({
      ok: true,
      value: {
        quorums: [{ groups: ['release-managers', 'directors'], count: 2 }],
        useWithinSeconds: 90,
        decideWithinSeconds: 259_200,
        reason: 'required',
        excluded: ['subject', 'owner'],
      },
    });
  });

  it.each([
    ['a detail alone', '@approval_count("2")', 'it lacks @approval'],
    ['no value', '@approval', 'must name who decides'],
    ['an empty value', '@approval("")', 'must name who decides'],
    ['an empty name in a list', '@approval("a,,b")', 'must name who decides'],
    [
      'too many groups',
      `@approval("${Array.from({ length: 17 }, (_, index) => `g${index}`).join(',')}")`,
      'who decides',
    ],
    ['a count of 0', '@approval("a") @approval_count("0")', 'must be 1 to 10'],
    ['a count of 11', '@approval("a") @approval_count("11")', 'must be 1 to 10'],
    ['a count without a value', '@approval("a") @approval_count', 'must be 1 to 10'],
    ['another reason', '@approval("a") @approval_reason("yes")', 'must be "required" or "optional"'],
    ['another exclusion', '@approval("a") @approval_excludes("friends")', 'must name some of subject, owner'],
    ['a time without a unit', '@approval("a") @approval_use_within("10")', 'must be a time up to "24h"'],
    ['a time that is too long', '@approval("a") @approval_use_within("25h")', 'must be a time up to "24h"'],
    ['a time of nothing', '@approval("a") @approval_decide_within("0m")', 'must be a time up to "30d"'],
  ])('refuses %s', (_what, annotations, problem) => {
    expect(read(annotations)).toMatchObject({ ok: false, problem: expect.stringContaining(problem) });
  });

  it('refuses a forbid that asks', () => {
    expect(read('@approval("a")', 'forbid')).toMatchObject({ ok: false, problem: expect.stringContaining('forbid') });
  });
});
