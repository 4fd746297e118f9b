import { ConfigError } from '@countersign/core';
import type { ModulesContainer, NestContainer } from '@nestjs/core';
import { declaresPermit, hasPermit } from './declared-permit.js';
import { instancesOf, methodNamesOf } from './lost-permits.js';

/** The token of the options of `GraphQLModule`, and what `@ResolveField` leaves on a method. */
const optionsToken = 'GqlModuleOptions';
const fieldMark = 'graphql:resolve_property';

/** The types whose methods Nest always runs with guards. It knows them by these names, whatever the schema calls its roots. */
const guardedTypes: readonly unknown[] = ['Query', 'Mutation', 'Subscription'];

type Module = ModulesContainer extends Map<string, infer M> ? M : never;

/** The options of `GraphQLModule`, as far as they matter here. */
interface GraphqlOptions {
  readonly fieldResolverEnhancers?: unknown;
  readonly resolvers?: unknown;
  readonly loaders?: unknown;
  readonly schema?: unknown;
}

interface Field {
  readonly type: unknown;
  readonly resolve?: object;
  readonly subscribe?: object;
}

interface ObjectType {
  readonly name: string;
  getFields(): Readonly<Record<string, Field>>;
}

interface Schema {
  getQueryType(): ObjectType | null | undefined;
  getMutationType(): ObjectType | null | undefined;
  getSubscriptionType(): ObjectType | null | undefined;
  getType(name: string): object | undefined;
}

/** What Nest calls for its resolvers, with the type that each belongs to. */
const explored = new WeakMap<object, string>();
const watched = new WeakSet<object>();

/**
 * Notes what Nest makes of the methods of resolvers. Call it before the modules are initialized: the schema is built then, and
 * `checkResolvers` recognizes these functions in it.
 */
export function watchResolvers(container: NestContainer): void {
  for (const { providers } of graphqlModules(container)) {
    for (const { metatype } of providers.values()) {
      const { prototype } = (metatype ?? {}) as { readonly prototype?: object };
      // By its methods, since a bundler may have changed the name of the class.
      if (prototype !== undefined && 'explore' in prototype && 'getAllCtors' in prototype) watchExplorer(prototype);
    }
  }
}

function watchExplorer(prototype: object): void {
  if (watched.has(prototype)) return;
  watched.add(prototype);
  const explorer = prototype as { explore: (this: unknown) => Record<string, Record<string, object>> };
  const { explore } = explorer;
  explorer.explore = function exploreWatched() {
    const types = explore.call(this);
    for (const [type, members] of Object.entries(types)) {
      for (const callback of Object.values(members)) {
        note(callback, type);
        const { subscribe } = callback as Field;
        if (subscribe !== undefined) note(subscribe, type);
      }
    }
    return types;
  };
}

/** Notes a function and its bound copies: what builds the schema binds each to its type. */
function note<Callback extends object>(callback: Callback, type: string): Callback {
  if (typeof callback !== 'function' || explored.has(callback)) return callback;
  explored.set(callback, type);
  return Object.defineProperty(callback, 'bind', {
    configurable: true,
    value: (...args: Parameters<typeof Function.prototype.bind>) =>
      note(Function.prototype.bind.apply(callback, args) as Function, type),
  });
}

/**
 * Looks at each schema that is served. Nest runs no guards for fields, nor for the entities of a federated schema, unless the
 * options of GraphQL say so, and none for what methods of resolvers do not resolve. `closesUnmapped`: routes without a permit
 * are closed, so a gateway has to be.
 *
 * @throws ConfigError if agents could read what no guard sees, or if a permit on a field would not be asked.
 */
export function checkResolvers(container: NestContainer, closesUnmapped: boolean): void {
  const modules = graphqlModules(container);
  for (const module of modules) {
    const schemas = schemasOf(module);
    if (schemas.length === 0 && closesUnmapped) throw unreadable();
    for (const schema of schemas) checkSchema(schema, optionsOf(module));
  }
  if (modules.length > 0 && modules.every((module) => runsGuards(optionsOf(module)))) return;
  const instances = [...container.getModules().values()].flatMap(({ providers }) => instancesOf(providers));
  const field = instances.flatMap(permittedFields)[0];
  if (field === undefined) return;
  throw withoutGuards(`Nest resolves fields of GraphQL without guards, so the @Permit of ${field} would not be asked`);
}

function graphqlModules(container: NestContainer): Module[] {
  return [...container.getModules().values()].filter(({ providers }) => providers.has(optionsToken));
}

function optionsOf({ providers }: Module): GraphqlOptions {
  return providers.get(optionsToken)?.instance ?? {};
}

/** The schema of Nest, and the one that mercurius has made of it; none of a gateway. */
function schemasOf({ providers }: Module): Schema[] {
  return instancesOf(providers).flatMap((instance) => {
    const { graphql } = ((instance as { readonly instance?: unknown }).instance ?? {}) as {
      graphql?: { schema?: unknown };
    };
    return [schemaOfHost(instance), graphql?.schema].filter(isSchema);
  });
}

/** The accessor of `GraphQLSchemaHost` throws if there is no schema. */
function schemaOfHost(instance: object): unknown {
  const prototype = Object.getPrototypeOf(instance) as object | null;
  if (prototype === null || !('schema' in prototype)) return undefined;
  try {
    return (instance as { readonly schema?: unknown }).schema;
  } catch {
    return undefined;
  }
}

/** Some gateways make an empty one. */
function isSchema(schema: unknown): schema is Schema {
  const { getQueryType } = (schema ?? {}) as Partial<Schema>;
  return typeof getQueryType === 'function' && Boolean(getQueryType.call(schema));
}

function checkSchema(schema: Schema, options: GraphqlOptions): void {
  const query = schema.getQueryType();
  const subscription = schema.getSubscriptionType();
  for (const type of [query, schema.getMutationType(), subscription]) {
    for (const [name, field] of Object.entries(type?.getFields() ?? {})) {
      if (type === query && name === '_entities') checkEntities(schema, options);
      else if (String(field.type) === '_Service!') continue;
      else if (!isGuarded(type === subscription ? field.subscribe : field.resolve, options)) {
        throw unguarded(`${type?.name}.${name} is not`);
      }
    }
  }
}

/** The entities of a federated schema are read without a query of the application. */
function checkEntities(schema: Schema, options: GraphqlOptions): void {
  if (!runsGuards(options)) {
    throw withoutGuards(
      'Nest resolves the entities of a federated GraphQL schema without guards, so every agent could read them',
    );
  }
  const { resolvers, loaders } = options;
  const types = [resolvers, loaders].flat().flatMap((map) => Object.keys(map ?? {}));
  const own = types.find((name) => hasFields(schema.getType(name)));
  if (own !== undefined) throw unguarded(`the entities and fields of ${own} are not`);
  if (options.schema !== undefined) throw unguarded('the entities of its schema are not');
}

function hasFields(type: object | undefined): boolean {
  return type !== undefined && 'getFields' in type;
}

function isGuarded(callback: object | undefined, options: GraphqlOptions): boolean {
  const type = callback && explored.get(callback);
  return type !== undefined && (guardedTypes.includes(type) || runsGuards(options));
}

function runsGuards({ fieldResolverEnhancers: enhancers }: GraphqlOptions): boolean {
  return Array.isArray(enhancers) && enhancers.includes('guards');
}

/** The fields with a permit, or that override one: no guard would close these. */
function permittedFields(instance: object): string[] {
  const prototype = Object.getPrototypeOf(instance) as Readonly<Record<string, Function>>;
  return methodNamesOf(instance).filter((name) => {
    const method = prototype[name] as Function;
    return Reflect.hasMetadata(fieldMark, method) && (hasPermit(method) || declaresPermit(prototype, name));
  });
}

function withoutGuards(what: string): ConfigError {
  return new ConfigError(
    `CountersignModule: ${what}. Write fieldResolverEnhancers: ['guards'] in the options of GraphQLModule.`,
  );
}

function unreadable(): ConfigError {
  return new ConfigError(
    'CountersignModule cannot read the schema of GraphQLModule, like that of a gateway, so every agent could call all of it. ' +
      'Write everyRequest: true in CountersignModule, so that policy is asked for each request.',
  );
}

function unguarded(what: string): ConfigError {
  return new ConfigError(
    `CountersignModule: in the GraphQL schema, ${what} resolved by a method that Nest runs with guards, so every agent could ` +
      'call it. Write a method of a resolver with @Query, @Mutation or @Subscription, and no resolvers, rootValue, schema or ' +
      "wrapping transformation in the options of GraphQLModule. A root type of another name needs fieldResolverEnhancers: ['guards'].",
  );
}
