import { type DynamicModule, type Provider, SetMetadata, type Type } from '@nestjs/common';
import { describe, expect, it } from 'vitest';
import { Permit } from '../src/index.js';
import { Api } from './support.js';

/** What resolves a field: a method that Nest runs, by the type that it belongs to, or another function. */
type Resolves = 'Query' | 'Mutation' | 'Subscription' | 'Root' | (() => unknown) | undefined;

type Schema = Partial<Record<'query' | 'mutation' | 'subscription', Readonly<Record<string, Resolves>>>>;

type Explored = Readonly<Record<string, { readonly run: Function | { readonly subscribe: Function } }>>;

/** Made like `GraphQLModule`: its explorer makes functions of methods, which the schema binds. `graphql.test.ts` has the real one. */
function graphql(schema: Schema | undefined, options: object = {}): DynamicModule {
  class ResolversExplorerService {
    explore(): Explored {
      const method = () => ({ run: () => 'secret' });
      return {
        Query: method(),
        Mutation: method(),
        Root: method(),
        Subscription: { run: { subscribe: () => 'secret' } },
      };
    }

    getAllCtors(): void {}
  }
  class GraphQLSchemaHost {
    made: object | undefined;

    get schema(): object {
      if (this.made === undefined) throw new Error('GraphQL schema has not yet been created');
      return this.made;
    }
  }
  const typeOf = (fields: Readonly<Record<string, Resolves>> | undefined, explored: Explored) => {
    const made = Object.entries(fields ?? {}).map(([name, how]) => {
      const run = typeof how === 'string' ? explored[how]?.run : how;
      const { subscribe } = { subscribe: undefined, ...(run as { subscribe?: Function } | undefined) };
      const resolve = typeof run === 'function' ? (run.bind({}) as unknown) : undefined;
      const type = name === '_service' ? '_Service!' : 'String';
      return [name, { type, resolve, subscribe: subscribe?.bind({}) as unknown }];
    });
    return fields && { name: 'Type', getFields: () => Object.fromEntries(made) as object };
  };
  class GraphQLModule {
    readonly explorer = new ResolversExplorerService();

    static readonly host = new GraphQLSchemaHost();

    onModuleInit(): void {
      if (schema === undefined) return;
      const explored = this.explorer.explore();
      const [query, mutation, subscription] = [schema.query, schema.mutation, schema.subscription].map((fields) =>
        typeOf(fields, explored),
      );
      GraphQLModule.host.made = {
        getQueryType: () => query,
        getMutationType: () => mutation,
        getSubscriptionType: () => subscription,
        getType: (name: string) => (name === 'User' ? { getFields: () => ({}) } : {}),
      };
    }
  }
  return {
    module: GraphQLModule,
    providers: [
      ResolversExplorerService,
      { provide: GraphQLSchemaHost, useFactory: () => GraphQLModule.host },
      // Of `forRootAsync`, which has the driver elsewhere.
      { provide: 'GqlModuleOptions', useFactory: () => options },
    ],
  };
}

/** As `@ResolveField` marks its method, with a permit. */
class Customers {
  @SetMetadata('graphql:resolve_property', true)
  @Permit('customer.iban.read', { type: 'Customer', id: '1' })
  iban(): void {}
}

/** Its field is closed to agents by a guard alone. */
class Overriding extends Customers {
  @SetMetadata('graphql:resolve_property', true)
  override iban(): void {}
}

async function start(module: DynamicModule, providers: Provider[] = [], countersign = {}): Promise<void> {
  await using _api = await Api.start('express', [] as Type[], { imports: [module], providers, countersign });
}

function refusal(message: string): object {
  return { name: 'ConfigError', message: expect.stringContaining(message) as string };
}

const guards = { fieldResolverEnhancers: ['interceptors', 'guards'] };
const plain: Schema = { query: { run: 'Query' } };
const federated: Schema = { query: { run: 'Query', _service: () => 'sdl', _entities: () => 'secret' } };

describe('an application with GraphQL', () => {
  it.each<[string, Schema, string]>([
    ['a function', { query: { run: () => 'secret' } }, 'Type.run'],
    ['nothing, or rootValue', { query: { run: undefined } }, 'Type.run'],
    ['a method of a root type of another name', { query: { run: 'Root' } }, 'Type.run'],
    ['a function for a mutation', { ...plain, mutation: { change: () => 'secret' } }, 'Type.change'],
    ['a function for a subscription', { ...plain, subscription: { changes: () => 'secret' } }, 'Type.changes'],
  ])('does not start with a root field that is resolved by %s [D8]', async (_what, schema, field) => {
    await expect(start(graphql(schema))).rejects.toMatchObject(refusal(`${field} is not resolved by a method`));
  });

  it('does not start with entities that no guard sees [D8]', async () => {
    await expect(start(graphql(federated))).rejects.toMatchObject(refusal("fieldResolverEnhancers: ['guards']"));
    await expect(start(graphql(federated, { fieldResolverEnhancers: ['filters'] }))).rejects.toThrow('the entities');
  });

  it.each([
    ['resolvers', { resolvers: { User: { drafts: () => 'secret' } } }],
    ['a list of resolvers', { resolvers: [{ User: { drafts: () => 'secret' } }] }],
    ['loaders', { loaders: { User: { drafts: () => 'secret' } } }],
    ['a schema', { schema: {} }],
  ])('does not start with entities of %s of its own [D8]', async (_what, options) => {
    await expect(start(graphql(federated, { ...guards, ...options }))).rejects.toMatchObject(
      refusal('not resolved by a method'),
    );
  });

  it.each<[string, Provider]>([
    ['class', Customers],
    ['class that overrides it without one', Overriding],
    ['factory', { provide: 'customers', useFactory: () => new Customers() }],
    ['asynchronous factory', { provide: 'customers', useFactory: async () => await Promise.resolve(new Customers()) }],
    ['value', { provide: 'customers', useValue: new Customers() }],
  ])('does not start with a permit on a field of a %s [D8]', async (_how, provider) => {
    const permit = 'the @Permit of iban would not be asked';
    await expect(start(graphql(plain), [provider])).rejects.toMatchObject(refusal(permit));
    await expect(start(graphql(plain, guards), [provider])).resolves.toBeUndefined();
  });

  it('does not start without a schema, unless policy is asked for every request [D8]', async () => {
    await expect(start(graphql(undefined))).rejects.toMatchObject(refusal('everyRequest: true'));
    await expect(start(graphql({}))).rejects.toMatchObject(refusal('everyRequest: true'));
    await expect(start(graphql(undefined), [], { everyRequest: true })).resolves.toBeUndefined();
  });

  it.each<[string, Schema, object]>([
    ['methods of every root type', { ...plain, mutation: { m: 'Mutation' }, subscription: { s: 'Subscription' } }, {}],
    ['guards for a root type of another name', { query: { run: 'Root' } }, guards],
    ['guards for its entities, and a scalar', federated, { ...guards, resolvers: { JSON: {} } }],
    ['a subgraph without entities', { query: { run: 'Query', _service: () => 'sdl' } }, {}],
  ])('starts with %s', async (_what, schema, options) => {
    await expect(start(graphql(schema, options))).resolves.toBeUndefined();
  });
});
