import { type Provider, SetMetadata, type Type } from '@nestjs/common';
import { describe, expect, it } from 'vitest';
import { Permit } from '../src/index.js';
import { Api } from './support.js';

/** As `@ResolveReference` of `@nestjs/graphql` marks it. */
class Users {
  @SetMetadata('graphql:resolve_reference', true)
  resolveReference(): void {}
}

/** As `@ResolveField` marks it, with a permit. */
class Customers {
  @SetMetadata('graphql:resolve_property', true)
  @Permit('customer.iban.read', { type: 'Customer', id: '1' })
  iban(): void {}
}

class ApolloDriver {}
class ApolloFederationDriver {}

function graphql(options: object): Provider {
  return { provide: 'GqlModuleOptions', useValue: options };
}

async function start(...providers: Provider[]): Promise<void> {
  await using _api = await Api.start('express', [] as Type[], { providers });
}

describe('an application with GraphQL', () => {
  const guards = { fieldResolverEnhancers: ['interceptors', 'guards'] };

  it.each<[string, Provider[]]>([
    ['a reference resolver', [Users, graphql({ driver: ApolloDriver })]],
    ['a reference resolver, and options of another kind', [Users, graphql({ fieldResolverEnhancers: ['filters'] })]],
    ['a permit on a field', [Customers, graphql({ driver: ApolloDriver, autoSchemaFile: true })]],
    ['a driver of federation', [graphql({ driver: ApolloFederationDriver })]],
    ['a federated schema', [graphql({ driver: ApolloDriver, autoSchemaFile: { federation: 2 } })]],
  ])('does not start with %s that no guard sees [D8]', async (_what, providers) => {
    await expect(start(...providers)).rejects.toMatchObject({
      name: 'ConfigError',
      message: expect.stringContaining("fieldResolverEnhancers: ['guards']") as string,
    });
  });

  it.each<[string, Provider[]]>([
    ['guards for its federated schema', [Users, graphql({ driver: ApolloFederationDriver, ...guards })]],
    ['guards for its fields', [Customers, graphql({ driver: ApolloDriver, ...guards })]],
    ['a schema of its own', [graphql({ driver: ApolloDriver, autoSchemaFile: true })]],
    ['no options that can be read', [graphql({})]],
  ])('starts with %s', async (_what, providers) => {
    await expect(start(...providers)).resolves.toBeUndefined();
  });
});
