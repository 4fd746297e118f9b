import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exchangesOf, faultless, faultsOf, type Played, play, recordsOf } from './play.js';

const name = 'express-pull-requests';
const policies = fileURLToPath(new URL(`../../examples/${name}/policies`, import.meta.url));

describe('the story of the code-review agent', () => {
  let story: Played;
  beforeAll(async () => {
    story = await play(name);
  });

  it('exits with 0 and no warning, and resets the terminal', () => {
    expect(faultsOf(story)).toEqual(faultless);
  });

  it('sends these requests over HTTP and gets these answers, in this order', () => {
    expect(exchangesOf(story)).toEqual([
      'GET /authorize 200',
      'POST /consent 303',
      'POST /token 200',
      'POST /repos/acme/api/pulls 201',
      'POST /repos/acme/www/merge 403 policy_denied',
      'POST /repos/acme/api/pulls 401 signature_replayed',
      'POST /repos/acme/api/pulls 401 digest_mismatch',
      'POST /repos/acme/api/pulls 401 token_not_bound_to_agent',
      'GET /authorize 200',
      'POST /consent 303',
      'POST /token 200',
      'POST /repos/acme/api/pulls 403 insufficient_scope',
      'POST /repos/acme/api/pulls 401 signature_required',
      'POST /repos/acme/api/merge 403 approval_required',
      'GET /approvals/ID 200',
      'POST /approvals/ID 303',
      'POST /repos/acme/api/merge 200',
      'POST /repos/acme/api/merge 403 approval_used',
      'GET /repos/acme/api/pulls 200',
    ]);
  });

  it('shows the chain, the deciding policy, the missing scope, the approver, and one merged pull request as a result', () => {
    const text = story.lines.join('\n');
    expect(text).toContain('chain       user_123 -> agent-code-reviewer-01\n');
    expect(text).toContain('decided by  pull-requests.cedar#people-merge-the-site');
    expect(text).toContain('approved by user_rita: "Read the diff"');
    expect(text).toContain('Bearer error="insufficient_scope", scope="pr:write:draft"');
    expect(text.match(/#\d+ (?:draft|merged) .*/g)).toEqual([
      '#1 merged   "Fix the flaky test" by agent-code-reviewer-01 for user_123',
    ]);
  });

  it('prints the audit log: a decision and an outcome for each action, one record for each refusal', () => {
    const agent = 'agent-code-reviewer-01';
    expect(recordsOf(story)).toEqual([
      `decision|${agent}|user_123|pr.create|acme/api|allow`,
      `outcome|${agent}|user_123|201 finished`,
      `decision|${agent}|user_123|pr.merge|acme/www|policy_denied`,
      `authentication, claimed: ${agent}|signature_replayed`,
      `authentication, claimed: ${agent}|digest_mismatch`,
      'authentication, claimed: agent-test-runner-02|token_not_bound_to_agent',
      `decision|${agent}|user_123|pr.create|acme/api|insufficient_scope`,
      'authentication, claimed: nothing|signature_required',
      `decision|${agent}|user_123|pr.merge|acme/api|approval_required`,
      `decision|${agent}|user_123|pr.merge|acme/api|allow`,
      `outcome|${agent}|user_123|200 finished`,
      `decision|${agent}|user_123|pr.merge|acme/api|approval_used`,
      `decision|${agent}|itself|repo.read|acme/api|allow`,
      `outcome|${agent}|itself|200 finished`,
    ]);
  });

  it('verifies the log, which is sealed except for the record of the last checkpoint', () => {
    expect(story.lines).toContain(
      "     verified    16 records, 2 of them the log's own: none changed or missing, 15 sealed",
    );
  });

  it('uses symbols when the terminal can show them', async () => {
    const { exitCode, lines } = await play(name, [], { LANG: 'C.UTF-8' });
    expect(exitCode).toBe(0);
    expect(lines).toContain('     chain       user_123 → agent-code-reviewer-01');
    expect(lines.at(-2)).toMatch(/^✓ /);
  });
});

describe('the story under other policies', () => {
  let folder: string;
  let text: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'countersign-policies-'));
    await cp(policies, folder, { recursive: true });
    text = await readFile(join(folder, 'pull-requests.cedar'), 'utf8');
  });
  afterAll(() => rm(folder, { recursive: true }));

  async function playWith(text: string): Promise<Played> {
    await writeFile(join(folder, 'pull-requests.cedar'), text);
    return play(name, ['--policies', folder]);
  }

  it('stops with exit code 1 when an answer is unexpected', async () => {
    const merging = text.replace('forbid (principal is Agent', 'permit (principal is Agent');
    expect(merging).not.toBe(text);
    const { exitCode, lines } = await playWith(merging);
    expect(exitCode).toBe(1);
    expect(lines).toContainEqual(expect.stringMatching(/^ {3}NO POST \/repos\/acme\/www\/merge +404 Not Found$/));
    expect(lines.join('\n')).toContain('expected 403 Forbidden     policy_denied, got 404 Not Found');
  });

  it('does not start when a policy does not match the schema [G5]', async () => {
    const { exitCode, lines, errors } = await playWith(text.replace('onBehalfOf ==', 'onBehalf0f =='));
    expect(exitCode).toBe(1);
    expect(lines.join('')).toBe('');
    expect(errors).toContain('ConfigError');
  });
});
