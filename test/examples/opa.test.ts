import { beforeAll, describe, expect, it } from 'vitest';
import { exchangesOf, faultless, faultsOf, type Played, play } from './play.js';

describe('the story of one rule in Rego and in Cedar', () => {
  let story: Played;
  beforeAll(async () => {
    story = await play('opa');
  });

  it('exits with 0 and no warning', () => {
    expect(faultsOf(story)).toEqual(faultless);
  });

  it('both engines give the same answers, allow and deny', () => {
    const answers = story.lines.flatMap((line) => /OPA (allow|deny) +Cedar (allow|deny)$/.exec(line)?.slice(1) ?? []);
    expect(answers).toHaveLength(28);
    for (let at = 0; at < answers.length; at += 2) expect(answers[at]).toBe(answers[at + 1]);
    expect(new Set(answers)).toEqual(new Set(['allow', 'deny']));
  });

  it('OPA decides for the API', () => {
    expect(exchangesOf(story)).toEqual([
      'POST /repos/acme/api/pulls 201',
      'POST /repos/acme/web/pulls 403 policy_denied',
      'POST /repos/acme/api/pulls 403 policy_denied',
      'POST /repos/acme/api/pulls 403 policy_denied',
    ]);
  });
});
