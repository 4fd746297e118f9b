import { beforeAll, describe, expect, it } from 'vitest';
import { exchangesOf, faultless, faultsOf, type Played, play, recordsOf } from './play.js';

const invoices = 'GET /accounts/acme/invoices';
const newTicket = 'POST /queues/finance/tickets';
const newReport = 'POST /archives/audits/reports';

describe('the story of a chain over three services', () => {
  let story: Played;
  beforeAll(async () => {
    story = await play('delegation-chain');
  });

  it('exits with 0 and no warning', () => {
    expect(faultsOf(story)).toEqual(faultless);
  });

  it('each agent uses only its delegated rights, until one in the middle is revoked', () => {
    expect(exchangesOf(story)).toEqual([
      `${invoices} 200`,
      `${invoices} 200`,
      `${newTicket} 201`,
      `${invoices} 403 insufficient_scope`,
      `${newReport} 403 insufficient_scope`,
      `${invoices} 401 delegation_invalid`,
      `${invoices} 401 agent_suspended`,
      `${newTicket} 401 delegation_revoked`,
      `${invoices} 200`,
    ]);
  });

  it('the services see the whole chain, from the user to the sender', () => {
    expect(story.lines.filter((line) => /^ {5}chain /.test(line)).map((line) => line.trim())).toEqual([
      'chain       user_123 -> agent-orchestrator',
      'chain       user_123 -> agent-orchestrator -> agent-billing',
      'chain       user_123 -> agent-orchestrator -> agent-billing -> agent-tickets',
      'chain       user_123 -> agent-orchestrator',
    ]);
  });

  it('the audit log names the last agent as actor and the user as subject', () => {
    const decisions = recordsOf(story).filter((record) => record.startsWith('decision'));
    expect(decisions).toEqual([
      'decision|agent-orchestrator|user_123|invoice.read|acme|allow',
      'decision|agent-billing|user_123|invoice.read|acme|allow',
      'decision|agent-tickets|user_123|ticket.create|finance|allow',
      'decision|agent-tickets|user_123|invoice.read|acme|insufficient_scope',
      'decision|agent-tickets|user_123|report.file|audits|insufficient_scope',
      'decision|agent-orchestrator|user_123|invoice.read|acme|allow',
    ]);
  });
});
