import { expect, it } from 'vitest';
import { cedarFromText } from '../../src/cedar/from-source.js';
import type { Resource } from '../../src/engine.js';
import { reviewerQuery } from '../query.js';

const POLICIES = `permit(principal, action, resource == Repo::"acme/7");
permit(principal, action, resource is Doc) when { resource.open };`;
const { resource: _, ...query } = reviewerQuery();

it('decideMany returns the results of decide() in order', async () => {
  const engine = await cedarFromText({ policies: POLICIES });
  const resources: Resource[] = Array.from({ length: 250 }, (_each, n) => ({ type: 'Repo', id: `acme/${n}` }));
  resources[3] = { type: 'Doc', id: 'd', attributes: { open: true } };
  resources[4] = { type: 'Doc', id: 'd', attributes: {} };
  resources[5] = { type: 'no type', id: 'd' };
  const decisions = await engine.decideMany(query, resources);
  expect(decisions).toEqual(resources.map((resource) => engine.decide({ ...query, resource })));
  expect(decisions.flatMap(({ decision }, place) => (decision === 'allow' ? [place] : []))).toEqual([3, 7]);
  expect(decisions.flatMap(({ cause }, place) => (cause === 'error' ? [place] : []))).toEqual([4, 5]);
  expect(await engine.decideMany(query, [])).toEqual([]);
});

it('decideMany uses one policy set when replace() runs meanwhile [D13]', async () => {
  const engine = await cedarFromText({ policies: POLICIES });
  const before = engine.policySet;
  const deciding = engine.decideMany(
    query,
    Array.from({ length: 250 }, () => ({ type: 'Repo', id: 'acme/7' })),
  );
  expect((await engine.replace({ policies: 'forbid(principal, action, resource);' })).ok).toBe(true);
  const decisions = await deciding;
  expect(new Set(decisions.map(({ decision, policySet }) => `${decision} ${policySet}`))).toEqual(
    new Set([`allow ${before}`]),
  );
});

it('decideMany decides the list that it was given when its caller changes it meanwhile [J6]', async () => {
  const engine = await cedarFromText({ policies: POLICIES });
  const resources = Array.from({ length: 9 }, (_each, n) => ({ type: 'Repo', id: `acme/${n}` }));
  const deciding = engine.decideMany(query, resources);
  resources.reverse();
  resources.length = 5;
  const allowed = (await deciding).map(({ decision }) => decision === 'allow');
  expect([allowed.length, allowed.indexOf(true)]).toEqual([9, 7]);
});

it('decideMany yields to the event loop during a long list', async () => {
  const engine = await cedarFromText({
    policies: 'permit(principal, action, resource) when { resource.n.contains("x") };',
  });
  const n = Array.from({ length: 1_000 }, (_each, place) => `n${place}`);
  let turns = 0;
  let next = setImmediate(function turn() {
    turns++;
    next = setImmediate(turn);
  });
  const resources = Array.from({ length: 16 }, (_each, id) => ({ type: 'Doc', id: `${id}`, attributes: { n } }));
  const decisions = await engine.decideMany(query, resources);
  clearImmediate(next);
  expect(decisions).toHaveLength(16);
  expect(turns).toBeGreaterThan(1);
});
