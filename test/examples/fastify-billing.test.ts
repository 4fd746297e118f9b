import { beforeAll, describe, expect, it } from 'vitest';
import { exchangesOf, faultless, faultsOf, type Played, play, recordsOf } from './play.js';

describe('the story of the billing agent', () => {
  let story: Played;
  beforeAll(async () => {
    story = await play('fastify-billing');
  });

  it('exits with 0 and no warning', () => {
    expect(faultsOf(story)).toEqual(faultless);
  });

  it('the agent sends these requests and gets these answers, in this order', () => {
    expect(exchangesOf(story)).toEqual([
      'GET /accounts/acme/invoices 200',
      'POST /warehouse/billing/query 200',
      'POST /queues/finance/tickets 201',
      'POST /warehouse/payroll/query 403 policy_denied',
      'GET /accounts/acme/export 403 route_unmapped',
      'GET /accounts/acme/invoices 403 policy_denied',
    ]);
  });

  it('finds the anomaly in the data', () => {
    const text = story.lines.join('\n');
    expect(text).toContain('INV-1043: Delta Foods was billed 91300 units, metered 9130; off by $3286.80');
    expect(text).toContain('opened by agent-billing-01 for user_123');
  });

  it('the API logs at its start the one route without a permit, and none with @Permit', () => {
    expect(story.lines.filter((line) => line.includes('at start'))).toEqual([
      expect.stringMatching(/the API logged GET \/accounts\/:account\/export$/),
    ]);
  });

  it('the audit log names actor, subject and action', () => {
    const forUser = 'decision|agent-billing-01|user_123';
    expect(recordsOf(story)).toEqual([
      `${forUser}|invoice.read|acme|allow`,
      'outcome|agent-billing-01|user_123|200 finished',
      `${forUser}|warehouse.query|billing|allow`,
      'outcome|agent-billing-01|user_123|200 finished',
      `${forUser}|ticket.create|finance|allow`,
      'outcome|agent-billing-01|user_123|201 finished',
      `${forUser}|warehouse.query|payroll|policy_denied`,
      `${forUser}|route_unmapped`,
      'decision|agent-billing-01|itself|invoice.read|acme|policy_denied',
    ]);
  });
});
