import { deepFreeze } from '@countersign/common';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createCedarEngine, type CedarEngine } from '../../../src/cedar/engine.js';
import { Repeats } from '../../../src/cedar/evaluate/repeats.js';
import type { PolicyQuery } from '../../../src/engine.js';
import { reviewerQuery } from '../../query.js';

const policies = `
@id("path") permit(principal, action, resource) when { context.request.path like "/repos/*" && context.depth < 2 };
@id("role") permit(principal in Role::"admin", action, resource);
@id("user") forbid(principal, action, resource) when { context has onBehalfOf && context.onBehalfOf == User::"bad" };
@id("scope") forbid(principal, action == Action::"merge", resource) unless { context.scope.contains("merge") };
`;

async function engineOf(text = policies): Promise<CedarEngine> {
  const created = await createCedarEngine({ policies: text });
  if (!created.ok) throw new Error(created.problem);
  return created.engine;
}

const oneOf = <Value>(...values: readonly Value[]) => fc.constantFrom(...values);
const callers = fc
  .record({
    principal: fc.record({
      id: oneOf('a', 'b'),
      roles: oneOf<readonly string[]>([], ['admin']),
      capabilities: oneOf<readonly string[]>([], ['merge']),
    }),
    scope: oneOf<readonly string[]>([], ['merge']),
    depth: oneOf(0, 1, 2, 0.5),
    user: oneOf(undefined, 'good', 'bad'),
  })
  .map(({ principal, scope, depth, user }) =>
    deepFreeze({
      principal,
      context: {
        scope: [...scope],
        ...(user === undefined ? {} : { onBehalfOf: user }),
        depth,
        via: [],
        proof: 'issuer' as const,
        possession: 'signature' as const,
      },
    }),
  );
const asks = fc.record({
  caller: fc.nat(3),
  action: oneOf('read', 'merge', '\ud800'),
  resource: fc.record({ type: oneOf('Repo', 'Agent', 'not a type'), id: oneOf('a', 'x', '","') }),
  attributes: oneOf(undefined, undefined, {}, { a: 1 }),
  method: oneOf('GET', 'POST'),
  path: oneOf('/repos/x', '/other', '","'),
});

/** A query whose caller's part is frozen, as the guard asks. */
const frozen = (change: object = {}): PolicyQuery => {
  const { principal, context, ...rest } = reviewerQuery();
  const { request, ...part } = context;
  return { ...rest, principal: deepFreeze({ ...principal, ...change }), context: { ...deepFreeze(part), request } };
};

describe('repeated queries', () => {
  it('are decided like queries that nothing is remembered of, also after a replacement', async () => {
    const [frozen, plain] = await Promise.all([engineOf(), engineOf()]);
    await fc.assert(
      fc.asyncProperty(
        fc.array(callers, { minLength: 4, maxLength: 4 }),
        fc.array(asks, { minLength: 5, maxLength: 30 }),
        oneOf(policies, policies.replace('permit(principal in', 'forbid(principal in')),
        async (known, queries, next) => {
          for (const [at, { caller, attributes, method, path, ...rest }] of queries.entries()) {
            if (at === 10) await Promise.all([frozen.replace({ policies: next }), plain.replace({ policies: next })]);
            const { principal, context } = known[caller]!;
            const resource = { ...rest.resource, ...(attributes && { attributes }) };
            const query: PolicyQuery = {
              ...rest,
              principal,
              resource,
              context: { ...context, request: { method, path } },
            };
            const [one, other] = [frozen.decide(query), plain.decide(structuredClone(query))];
            expect({ ...one }).toEqual({ ...other });
            expect(one.explain()).toEqual(other.explain());
          }
        },
      ),
      { numRuns: 40 },
    );
  });

  it('have equal keys only for the same frozen caller and equal texts', () => {
    const repeats = new Repeats();
    const query = frozen();
    const key = repeats.repeatable(query)?.key;
    expect(key).toBeDefined();
    expect(repeats.repeatable({ ...query, context: { ...query.context } })?.key).toBe(key);
    for (const other of [
      frozen(),
      { ...query, action: 'pr.merge' },
      { ...query, context: { ...query.context, onBehalfOf: 'user_456' } },
      { ...query, context: { ...query.context, possession: 'dpop' as const } },
      { ...query, context: { ...query.context, scope: Object.freeze([]) } },
    ]) {
      expect(repeats.repeatable(other)?.key).not.toBe(key);
    }
  });

  it('are not remembered if something in them can change or is no text', () => {
    const repeats = new Repeats();
    const query = frozen();
    const getter = Object.freeze({
      ...query.principal,
      get id() {
        return 'x';
      },
    });
    const inherited = Object.freeze(
      Object.create({ id: 'x', roles: [], capabilities: [] }),
    ) as PolicyQuery['principal'];
    for (const strange of [
      reviewerQuery(),
      { ...query, principal: getter },
      { ...query, principal: inherited },
      { ...query, principal: Object.freeze({ ...query.principal, roles: [] }) },
      { ...query, context: { ...query.context, scope: ['x'] } },
      { ...query, resource: { ...query.resource, attributes: {} } },
      { ...query, resource: { ...query.resource, parents: [] } },
      { ...query, resource: { type: 'Repo', id: new String('x') as string } },
      { ...query, context: { ...query.context, authorizationDetails: { types: [] } } },
    ]) {
      expect(repeats.repeatable(strange)).toBeUndefined();
    }
  });
});
