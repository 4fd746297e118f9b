import { beforeAll, describe, expect, it } from 'vitest';
import { exchangesOf, faultless, faultsOf, type Played, play, recordsOf } from './play.js';

describe('the story of people and agents on one ticket API', () => {
  let story: Played;
  beforeAll(async () => {
    story = await play('koa-tickets');
  });

  it('exits with 0 and no warning', () => {
    expect(faultsOf(story)).toEqual(faultless);
  });

  it('people and agents cannot impersonate each other: these requests, these answers, in this order', () => {
    expect(exchangesOf(story)).toEqual([
      'POST /session 204',
      'POST /tickets 201',
      'POST /tickets 201',
      'POST /tickets/2/attachments 201',
      'GET /tickets 401 signature_required',
      'GET /tickets 401 signature_invalid',
      'POST /tickets/1/close 403 policy_denied',
      'POST /tickets/2/triage 401 signature_required',
      'POST /tickets/2/triage 200',
      'GET /tickets 401',
      'POST /tickets/1/close 200',
      'GET /tickets 200',
    ]);
  });

  it('the tickets show who opened them: a person, or an agent for her', () => {
    expect(story.lines.join('\n').match(/#\d .*/g)).toEqual([
      '#1 closed   "The printer is on fire" by ines, in person',
      '#2 urgent   "Still on fire" by agent-helper-01 for ines',
    ]);
  });

  it('the audit log has the requests of agents and impersonators, and none of people', () => {
    const helper = 'agent-helper-01|ines';
    expect(recordsOf(story)).toEqual([
      `decision|${helper}|ticket.create|support|allow`,
      `outcome|${helper}|201 finished`,
      `decision|${helper}|ticket.attach|support|allow`,
      `outcome|${helper}|201 finished`,
      expect.stringMatching(/^authentication, claimed: .*\|signature_required$/),
      expect.stringMatching(/^authentication, claimed: .*\|key_unknown$/),
      `decision|${helper}|ticket.close|support|policy_denied`,
      'authentication, claimed: nothing|signature_required',
      'decision|agent-triage-01|itself|ticket.triage|support|allow',
      'outcome|agent-triage-01|itself|200 finished',
    ]);
  });
});
