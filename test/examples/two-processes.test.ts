import { beforeAll, describe, expect, it } from 'vitest';
import { findRedis } from '../support/redis.js';
import { exchangesOf, faultless, faultsOf, type Played, play } from './play.js';

const program = findRedis();

describe.skipIf(program === undefined)('the story of an API in two processes', () => {
  let story: Played;
  beforeAll(async () => {
    story = await play('two-processes', [], { PATH: process.env['PATH'] ?? '' });
  });

  it('exits with 0 and no warning', () => {
    expect(faultsOf(story)).toEqual(faultless);
  });

  it('no process accepts what another has, and a freeze reaches both', () => {
    expect(exchangesOf(story)).toEqual([
      'POST /orders/a1 201',
      'POST /orders/a2 201',
      'POST /orders/b1 201',
      'POST /orders/b1 401 signature_replayed',
      'POST /orders/c1 401 agent_suspended',
      'POST /orders/c2 401 agent_suspended',
      'POST /orders/c3 201',
      'POST /orders/e1 201',
    ]);
  });
});
