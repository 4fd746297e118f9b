import { createRequire } from 'node:module';
import { join } from 'node:path';
import { type DynamicModule, Injectable, type Provider, Scope, type Type } from '@nestjs/common';
import { describe, expect, it } from 'vitest';
import { permit } from '@countersign/express';
import { Permit } from '../src/index.js';
import { Api, type AppOptions, codeOf, json, type Platform } from './support.js';

/** The real `@nestjs/graphql` with its drivers, which only `pnpm test:nestjs` fetches. */
const folder = process.env['COUNTERSIGN_NESTJS'];
// oxlint-disable-next-line typescript/no-explicit-any -- its types are not installed here
type Untyped = any;

async function load(name: string): Promise<Untyped> {
  return await import(createRequire(join(folder ?? '', 'package.json')).resolve(name));
}

const none = {} as Untyped;
const graphql = folder === undefined ? none : await load('@nestjs/graphql');
const apollo = folder === undefined ? none : await load('@nestjs/apollo');
const mercurius = folder === undefined ? none : await load('@nestjs/mercurius');
const { GraphQLModule, Resolver, Query, Mutation, Subscription, ResolveField, ResolveReference, ObjectType, Field } =
  graphql;
const { ApolloDriver, ApolloFederationDriver } = apollo;

/** Applies decorators of which only their names are known, the last one first. */
function decorated(type: Type, member: string, ...decorators: Untyped[]): void {
  const prototype = type.prototype as object;
  const descriptor = Object.getOwnPropertyDescriptor(prototype, member) as PropertyDescriptor;
  Object.defineProperty(
    prototype,
    member,
    Reflect.decorate(decorators as MethodDecorator[], prototype, member, descriptor),
  );
}

const thing = { type: 'Thing', id: '1' };
const typeDefs = 'type Query { user: User } type User { id: ID salary: String }';
const federated = `extend schema @link(url: "https://specs.apollo.dev/federation/v2.3", import: ["@key"])
  type Query { posts: String } type User @key(fields: "id") { id: ID! drafts: String }`;

/** A query with a permit, and a field; `permits`: the field has one, too. */
function users(permits = true): Type {
  class Users {
    user(): object {
      return { id: '1' };
    }

    salary(): string {
      return 'secret';
    }
  }
  decorated(Users, 'user', Query('user'), Permit('user.read', thing));
  decorated(Users, 'salary', ResolveField('salary'), ...(permits ? [Permit('forbidden', thing)] : []));
  Resolver('User')(Users);
  return Users;
}

/** Adds a field to a type of another subgraph, and no resolver of the entity. */
function drafts(...reference: Untyped[]): Type {
  class Drafts {
    drafts({ id }: { id: string }): string {
      return `secret drafts of ${id}`;
    }

    find(entity: object): object {
      return entity;
    }
  }
  decorated(Drafts, 'drafts', ResolveField('drafts'));
  if (reference.length > 0) decorated(Drafts, 'find', ...reference);
  Resolver('User')(Drafts);
  return Drafts;
}

function closed(name = 'posts'): Type {
  class Closed {
    run(): string {
      return 'secret';
    }
  }
  decorated(Closed, 'run', Query(name));
  Resolver()(Closed);
  return Closed;
}

function forRoot(options: object): DynamicModule {
  return GraphQLModule.forRoot({ driver: ApolloDriver, csrfPrevention: false, ...options });
}

function forRootAsync(options: object, driver: unknown = ApolloFederationDriver): DynamicModule {
  return GraphQLModule.forRootAsync({ driver, useFactory: () => ({ csrfPrevention: false, ...options }) });
}

function start(imports: DynamicModule[], providers: Provider[], options: AppOptions & { on?: Platform } = {}) {
  return Api.start(options.on ?? 'express', [], { imports, providers, ...options });
}

async function ask(api: Api, query: string) {
  return await api.call({ method: 'POST', target: '/graphql', body: JSON.stringify({ query }) });
}

async function error(imports: DynamicModule[], providers: Provider[], options: AppOptions & { on?: Platform } = {}) {
  const started = start(imports, providers, options).then(async (api) => await api[Symbol.asyncDispose]());
  return await started.then(
    () => 'started',
    ({ message }: Error) => message,
  );
}

const guards = { fieldResolverEnhancers: ['guards'] };

describe.runIf(folder)('an application with the real GraphQLModule', () => {
  it.each<[string, () => [DynamicModule, ...Provider[]]]>([
    ['forRoot', () => [forRoot({ driver: ApolloFederationDriver, typeDefs: federated }), closed(), drafts()]],
    ['forRootAsync', () => [forRootAsync({ typeDefs: federated }), closed(), drafts()]],
    [
      'a reference resolver of a factory',
      () => {
        const type = drafts(ResolveReference());
        return [forRootAsync({ typeDefs: federated }), closed(), { provide: 'drafts', useFactory: () => new type() }];
      },
    ],
    [
      'a driver of its own',
      () => {
        class Driver extends ApolloFederationDriver {}
        Injectable()(Driver);
        Reflect.defineMetadata(
          'design:paramtypes',
          Reflect.getMetadata('design:paramtypes', ApolloFederationDriver),
          Driver,
        );
        return [forRootAsync({ typeDefs: federated }, Driver), closed(), drafts()];
      },
    ],
  ])('does not start with entities that no guard sees, by %s [D8]', async (_how, parts) => {
    const [module, ...providers] = parts();
    expect(await error([module], providers)).toContain('resolves the entities of a federated GraphQL schema');
  });

  it('does not start with entities of resolvers that are none of Nest [D8]', async () => {
    const resolvers = { User: { __resolveReference: (entity: object) => entity, drafts: () => 'secret' } };
    const module = forRootAsync({ typeDefs: federated, resolvers, ...guards });
    expect(await error([module], [closed()])).toContain('the entities and fields of User are not resolved by a method');
  });

  it('closes entities to agents when guards run for fields [D8]', async () => {
    await using api = await start([forRootAsync({ typeDefs: federated, ...guards })], [closed(), drafts()]);
    const entities = '{ _entities(representations: [{ __typename: "User", id: "17" }]) { ... on User { id drafts } } }';
    expect(codeOf(await ask(api, entities))).toBe('route_unmapped');
    expect(json(await ask(api, '{ _service { sdl } }'))).toMatchObject({ data: { _service: {} } });
  });

  const query = { Query: { q: () => 'secret' } };
  const plain = 'type Query { q: String }';
  /** Replaces what resolves the field by a function that calls it. */
  const wrapping = (schema: Untyped) => {
    const field = schema.getQueryType().getFields().q;
    const { resolve } = field;
    field.resolve = (...args: unknown[]) => resolve(...args);
    return schema;
  };

  it.each<[string, string, () => [object, ...Provider[]]]>([
    ['the option resolvers', 'Query.q', () => [{ typeDefs: plain, resolvers: query }]],
    ['resolvers in place of a method', 'Query.q', () => [{ typeDefs: plain, resolvers: query }, closed('q')]],
    ['rootValue', 'Query.q', () => [{ typeDefs: plain, rootValue: { q: 'secret' } }]],
    ['a transformation that wraps it', 'Query.q', () => [{ typeDefs: plain, transformSchema: wrapping }, closed('q')]],
    [
      'a root type of another name',
      'RootQuery.q',
      () => {
        class Root {
          q(): string {
            return 'secret';
          }
        }
        decorated(Root, 'q', ResolveField('q'));
        Resolver('RootQuery')(Root);
        return [{ typeDefs: 'schema { query: RootQuery } type RootQuery { q: String }' }, Root];
      },
    ],
    [
      'a mutation',
      'Mutation.m',
      () => [
        { typeDefs: `${plain} type Mutation { m: String }`, resolvers: { Mutation: { m: () => 'x' } } },
        closed('q'),
      ],
    ],
    [
      'a subscription',
      'Subscription.s',
      () => [
        {
          typeDefs: `${plain} type Subscription { s: String }`,
          resolvers: { Subscription: { s: { subscribe: () => {} } } },
        },
        closed('q'),
      ],
    ],
  ])('does not start with a root field of %s [D8]', async (_what, field, parts) => {
    const [options, ...providers] = parts();
    expect(await error([forRoot(options)], providers)).toContain(`${field} is not resolved by a method`);
    expect(await error([forRootAsync(options, ApolloDriver)], providers)).toContain(
      `${field} is not resolved by a method`,
    );
  });

  it.each<[string, () => Provider]>([
    ['class', () => users()],
    ['useClass', () => ({ provide: 'users', useClass: users() })],
    ['useFactory', () => withInstance((type) => ({ provide: 'users', useFactory: () => new type() }))],
    [
      'an asynchronous useFactory',
      () => withInstance((type) => ({ provide: 'users', useFactory: async () => new type() })),
    ],
    ['useValue', () => withInstance((type) => ({ provide: 'users', useValue: new type() }))],
    [
      'a class for each request',
      () => withInstance((type) => ({ provide: type, useClass: type, scope: Scope.REQUEST })),
    ],
    [
      'a mixin',
      () =>
        withInstance((type) => {
          class Mixed extends type {}
          return Mixed;
        }),
    ],
  ])('does not start with a permit on a field of %s [D8]', async (_how, provider) => {
    expect(await error([forRoot({ typeDefs })], [provider()])).toContain('the @Permit of salary would not be asked');
  });

  it('does not start with a field or a query that has lost its permit, also if every request is decided [D8]', async () => {
    const countersign = { everyRequest: true };
    expect(await error([forRoot({ typeDefs, ...guards })], [replaced('salary')], { countersign })).toContain(
      'Users.salary has lost its @Permit',
    );
    expect(await error([forRoot({ typeDefs })], [replaced('user')], { countersign })).toContain(
      'Users.user has lost its @Permit',
    );
  });

  function withInstance(provide: (type: Type) => Provider): Provider {
    return provide(users());
  }

  /** One of its members has a decorator above the permit. */
  function replaced(member: 'user' | 'salary'): Provider {
    class Users {
      user(): object {
        return { id: '1' };
      }

      salary(): string {
        return 'secret';
      }
    }
    const wrap = (_target: object, _key: string, { value, ...descriptor }: PropertyDescriptor): PropertyDescriptor => ({
      ...descriptor,
      value(this: unknown) {
        return (value as () => string).call(this);
      },
    });
    const lost = (name: string) => (name === member ? [wrap, Permit('forbidden', thing)] : []);
    decorated(Users, 'user', Query('user'), ...lost('user'));
    decorated(Users, 'salary', ResolveField('salary'), ...lost('salary'));
    Resolver('User')(Users);
    return Users;
  }

  it.each<[string, () => DynamicModule]>([
    ['forRoot', () => forRoot({ typeDefs, ...guards })],
    ['forRootAsync', () => forRootAsync({ typeDefs, ...guards }, ApolloDriver)],
  ])('asks a permit on a field when guards run for fields, by %s [D8]', async (_how, module) => {
    await using api = await start([module()], [users()]);
    expect(json(await ask(api, '{ user { id } }'))).toStrictEqual({ data: { user: { id: '1' } } });
    expect(codeOf(await ask(api, '{ user { id salary } }'))).toBe('policy_denied');
  });

  function codeFirst(): Provider {
    class Thing {
      declare id: string;
    }
    Reflect.decorate([Field(() => String) as PropertyDecorator], Thing.prototype, 'id');
    ObjectType('Thing')(Thing);
    class Things {
      thing(): object {
        return { id: '1' };
      }

      change(): string {
        return 'changed';
      }

      changes(): void {}
    }
    decorated(
      Things,
      'thing',
      Query(() => Thing, { name: 'thing' }),
      Permit('thing.read', thing),
    );
    decorated(
      Things,
      'change',
      Mutation(() => String, { name: 'change' }),
    );
    decorated(
      Things,
      'changes',
      Subscription(() => String, { name: 'changes', filter: () => true }),
    );
    Resolver(() => Thing)(Things);
    return Things;
  }

  const apolloOptions = { driver: ApolloDriver, csrfPrevention: false };

  it.each<[string, Platform, () => object]>([
    ['by decorators', 'express', () => ({ ...apolloOptions, autoSchemaFile: true })],
    ['sorted', 'express', () => ({ ...apolloOptions, autoSchemaFile: true, sortSchema: true })],
    [
      'of a subgraph',
      'express',
      () => ({ ...apolloOptions, driver: ApolloFederationDriver, autoSchemaFile: { federation: 2 } }),
    ],
    ['of mercurius on fastify', 'fastify', () => ({ driver: mercurius.MercuriusDriver, autoSchemaFile: true })],
    [
      'of a subgraph of mercurius on fastify',
      'fastify',
      () => ({ driver: mercurius.MercuriusFederationDriver, autoSchemaFile: { federation: 2 } }),
    ],
  ])('starts with a schema %s, closes it and asks its permits', async (_what, on, options) => {
    const thingsOf = codeFirst();
    await using api = await start([GraphQLModule.forRoot(options())], [thingsOf], {
      on,
      countersign: { unmapped: on === 'fastify' ? 'authenticated' : 'refuse' },
    });
    expect(json(await ask(api, '{ thing { id } }'))).toStrictEqual({ data: { thing: { id: '1' } } });
    if (on === 'express') expect(codeOf(await ask(api, 'mutation { change }'))).toBe('route_unmapped');
  });

  it.each<[string, AppOptions]>([
    ['everyRequest', { countersign: { everyRequest: true } }],
    ['a permit before the driver', { main: (app) => app.use('/graphql', permit('graphql.use', thing)) }],
    ['a permit before everything', { main: (app) => app.use(permit('graphql.use', thing)) }],
  ])('closes resolvers without a permit of a path that %s opens [D8]', async (_what, options) => {
    const module = GraphQLModule.forRoot({ driver: ApolloDriver, autoSchemaFile: true });
    await using api = await start([module], [codeFirst()], options);
    expect(json(await ask(api, '{ thing { id } }'))).toStrictEqual({ data: { thing: { id: '1' } } });
    expect(codeOf(await ask(api, 'mutation { change }'))).toBe('route_unmapped');
  });

  it.each<[string, () => object]>([
    ['resolvers', () => ({ resolvers: query })],
    ['loaders', () => ({ loaders: { Query: { q: () => ['secret'] } } })],
    ['a transformed schema', () => ({ schemaTransforms: [transformed] })],
  ])('does not start with %s of mercurius on fastify [D8]', async (_what, options) => {
    const module = GraphQLModule.forRoot({ driver: mercurius.MercuriusDriver, typeDefs: plain, ...options() });
    expect(await error([module], [closed('q')], { on: 'fastify' })).toContain('Query.q is not resolved by a method');
  });

  /** A schema of its own that calls the methods of the one it was made of. */
  function transformed(schema: Untyped): Untyped {
    const config = schema.toConfig();
    const root = config.query.toConfig();
    const { resolve } = root.fields.q;
    root.fields.q = { ...root.fields.q, resolve: (...args: unknown[]) => resolve(...args) };
    const made = new config.query.constructor(root);
    const types = config.types.map((type: unknown) => (type === config.query ? made : type));
    return new schema.constructor({ ...config, query: made, types });
  }

  function gateway(schema: object | null): DynamicModule {
    class Gateway extends ApolloDriver {
      generateSchema(): unknown {
        return schema;
      }

      async start(): Promise<void> {}
    }
    Injectable()(Gateway);
    Reflect.defineMetadata('design:paramtypes', Reflect.getMetadata('design:paramtypes', ApolloDriver), Gateway);
    return forRoot({ driver: Gateway });
  }

  it.each([
    ['no schema', null],
    ['an empty schema', { getQueryType: () => undefined }],
  ])(
    'does not start with a gateway that has %s, unless policy is asked for every request [D8]',
    async (_what, schema) => {
      expect(await error([gateway(schema)], [])).toContain('cannot read the schema of GraphQLModule');
      expect(await error([gateway(schema)], [], { countersign: { everyRequest: true } })).toBe('started');
    },
  );

  it.each<[string, MethodDecorator[], string]>([
    ['denied by its permit', [Permit('forbidden', thing)], 'policy_denied'],
    ['closed, as it has none', [], 'route_unmapped'],
  ])('records one refusal of a field that a document names many times: %s', async (_what, permits, code) => {
    class Denied {
      run(): string {
        return 'secret';
      }
    }
    decorated(Denied, 'run', Query('q'), ...permits);
    Resolver()(Denied);
    await using api = await start([forRoot({ typeDefs: plain })], [Denied]);
    const aliases = Array.from({ length: 500 }, (_, index) => `a${index}: q`).join(' ');
    expect(codeOf(await ask(api, `{ ${aliases} }`))).toBe(code);
    expect(api.guarded.audit.records.filter(({ phase }) => phase === 'decision')).toHaveLength(1);
  });
});
