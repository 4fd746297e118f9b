import { AssertionError } from 'node:assert';
import { ConfigError } from '@countersign/common';
import type { RefusalCode } from '@countersign/core';
import { type ExpectedRecord, flat, hasRecorded, recordsOf } from './recorded.js';
import type { TestAudit } from './records.js';
import { type Answer, type AnyResponse, readAnswer, readLater } from './refused.js';

/** The matchers that `expect` of vitest or Jest gets. */
export interface CountersignMatchers {
  /** The guard refused, with this code if one is given. For a `Response` of another `fetch` than the kit's: `assertRefused`. */
  toBeRefusedWith(code?: RefusalCode): void;
  /** The guard recorded this. For an outcome, which is recorded after the answer: `assertRecorded`. */
  toHaveRecorded(expected: Omit<ExpectedRecord, 'outcome'>): void;
}

declare global {
  namespace jest {
    /** `expect` of vitest has the members of this interface, too. Its parameters must be those of `@types/jest`. */
    interface Matchers<R, T = {}> extends CountersignMatchers {}
  }
}

interface Result {
  readonly pass: boolean;
  readonly message: () => string;
}

/** For `expect.extend`, where `@countersign/testing/vitest` and `/jest` cannot be used. */
export const matchers: {
  toBeRefusedWith(this: unknown, response: unknown, code?: RefusalCode): Result;
  toHaveRecorded(this: unknown, audit: unknown, expected: ExpectedRecord): Result;
} = {
  toBeRefusedWith: (response, code) => refusalResult(readAnswer(response), code),
  toHaveRecorded(audit, expected) {
    if (expected.outcome !== undefined) {
      throw new ConfigError(
        'toHaveRecorded: an outcome is recorded after the answer. Write await assertRecorded(t.audit, { … }).',
      );
    }
    const records = recordsOf(audit);
    const pass = hasRecorded(records, expected);
    return { pass, message: () => recordMessage(records, expected, pass) };
  },
};

/**
 * Rejects unless the guard refused, with this code if one is given: for any test runner, and any response.
 *
 * @example
 * await assertRefused(await bot.fetch(app, '/prs'), 'policy_denied');
 */
export async function assertRefused(response: AnyResponse | Response, code?: RefusalCode): Promise<void> {
  const { pass, message } = refusalResult(await readLater(response), code);
  if (!pass) throw new AssertionError({ message: message() });
}

/**
 * Rejects unless the guard recorded this, for any test runner. An outcome is awaited.
 *
 * @example
 * await assertRecorded(t.audit, { actor: 'bot', subject: 'alice', outcome: 'finished' });
 */
export async function assertRecorded(audit: TestAudit, expected: ExpectedRecord): Promise<void> {
  const records = recordsOf(audit);
  const found = (): boolean => hasRecorded(records, expected);
  if (expected.outcome === undefined ? found() : await records.eventually(found)) return;
  throw new AssertionError({ message: recordMessage(records, expected, false) });
}

function refusalResult({ status, code: found }: Answer, code: RefusalCode | undefined): Result {
  const pass = code === undefined ? found !== undefined : found === code;
  const wanted = code === undefined ? 'be refused by the guard' : `be refused with ${code}`;
  const seen = found === undefined ? `status ${status} and no refusal` : `${status} ${found}`;
  return { pass, message: () => `expected the response ${pass ? 'not to' : 'to'} ${wanted}; it was ${seen}` };
}

function recordMessage(audit: TestAudit, expected: ExpectedRecord, pass: boolean): string {
  const last = audit.last();
  const seen = last === undefined ? 'nothing was recorded' : `the last was ${JSON.stringify(flat(last))}`;
  return `expected ${pass ? 'no' : 'a'} record with ${JSON.stringify(expected)}; ${seen}`;
}
