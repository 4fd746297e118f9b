import { beforeAll, describe, expect, it } from 'vitest';
import { findSpire } from '../support/spire.js';
import { exchangesOf, faultless, faultsOf, type Played, play } from './play.js';

const programs = findSpire();

describe.skipIf(programs === undefined)('the story of workloads of SPIRE', () => {
  let story: Played;
  beforeAll(async () => {
    story = await play('spiffe', [programs ?? '']);
  }, 180_000);

  it('exits with 0 and no warning', () => {
    expect(faultsOf(story)).toEqual(faultless);
  });

  it('workloads act without a registered key, until one is suspended', () => {
    expect(exchangesOf(story)).toEqual([
      'GET /accounts/acme/invoices 200',
      'POST /queues/finance/tickets 201',
      'GET /accounts/acme/invoices 403 policy_denied',
      'POST /queues/finance/tickets 201',
      'GET /accounts/acme/invoices 401 token_not_bound_to_agent',
      'POST /queues/finance/tickets 401 delegation_revoked',
    ]);
  });

  it('the API sees the chain from the user to the last workload', () => {
    expect(story.lines.filter((line) => /^ {5}chain /.test(line)).map((line) => line.trim())).toEqual([
      'chain       u:alice -> spiffe://acme/planner',
      'chain       u:alice -> spiffe://acme/planner -> spiffe://acme/worker',
      'chain       u:alice -> spiffe://acme/planner -> spiffe://acme/worker',
    ]);
  });
});
