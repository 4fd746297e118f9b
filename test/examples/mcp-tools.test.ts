import { beforeAll, describe, expect, it } from 'vitest';
import { faultless, faultsOf, type Played, play, recordsOf } from './play.js';

describe('the story of guarded tools', () => {
  let story: Played;
  beforeAll(async () => {
    story = await play('mcp-tools');
  });

  it('exits with 0 and no warning', () => {
    expect(faultsOf(story)).toEqual(faultless);
  });

  it('the audit log has each call with its decision and its end', () => {
    const review = 'agent-reviewer|alice';
    const release = 'agent-releaser|itself';
    expect(recordsOf(story)).toEqual([
      `decision|${review}|tool.list|allow`,
      `outcome|${review}|finished`,
      `decision|${review}|pull.open|open_pull|allow`,
      `outcome|${review}|finished`,
      `decision|${review}|dataset.query|query|allow`,
      `outcome|${review}|finished`,
      `decision|${review}|pull.open|open_pull|policy_denied`,
      `decision|${review}|dataset.query|query|policy_denied`,
      `decision|${review}|tool.call|create_ticket|insufficient_scope`,
      `decision|${review}|deployment.start|deploy|policy_denied`,
      `decision|${review}|policy_denied`,
      `decision|${release}|tool.list|allow`,
      `outcome|${release}|finished`,
      `decision|${release}|deployment.start|deploy|allow`,
      `outcome|${release}|finished`,
      `decision|${release}|deployment.start|deploy|policy_denied`,
    ]);
  });
});
