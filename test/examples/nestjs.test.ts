import { beforeAll, describe, expect, it } from 'vitest';
import { exchangesOf, faultless, faultsOf, type Played, play } from './play.js';

const onBoth = (exchange: string) => [`express ${exchange}`, `fastify ${exchange}`];

describe('one NestJS application on Express and on Fastify', () => {
  let story: Played;
  beforeAll(async () => {
    story = await play('nestjs');
  });

  it('exits with 0 and no warning, with the same bytes of every refusal on both', () => {
    expect(faultsOf(story)).toEqual(faultless);
  });

  it('answers each request on both platforms', () => {
    expect(exchangesOf(story)).toEqual([
      ...onBoth('POST /shop/releases 201'),
      ...onBoth('POST /shop/releases 401 signature_required'),
      ...onBoth('POST /shop/releases 401 digest_mismatch'),
      ...onBoth('POST /shop/releases 403 insufficient_scope'),
      ...onBoth('POST /bank/releases 403 policy_denied'),
      ...onBoth('DELETE /shop/releases 403 route_unmapped'),
      ...onBoth('GET /nowhere 401 signature_required'),
      ...onBoth('GET /shop/releases 200'),
      'express GET /shop/latest 200',
      'express GET /bank/latest 403 policy_denied',
    ]);
  });

  it('creates one release, with the signed body, by the agent for the user', () => {
    const release = { service: 'shop', version: '4.2.0', by: 'agent-release-01', for: 'user_123' };
    expect(story.lines).toContain(`     both        ${JSON.stringify([release])}`);
  });
});
