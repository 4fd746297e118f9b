import { ConfigError } from '@countersign/core';
import { MetadataScanner, type ModulesContainer } from '@nestjs/core';

/** What `@ResolveReference` of `@nestjs/graphql` leaves on a method, and the token of the options of its module. */
const mark = 'graphql:resolve_reference';
const optionsToken = 'GqlModuleOptions';

/** The options of `GraphQLModule`, as far as they matter here. */
interface GraphqlOptions {
  readonly driver?: { readonly name?: unknown };
  readonly autoSchemaFile?: unknown;
  readonly fieldResolverEnhancers?: unknown;
}

/**
 * A federated schema serves entities, and their fields, by resolvers that Nest runs without its guards unless the options
 * of GraphQL say otherwise.
 *
 * @throws ConfigError if such resolvers would be open to agents.
 */
export function checkFederatedSchemas(modules: ModulesContainer): void {
  const providers = [...modules.values()].flatMap((module) => [...module.providers.values()]);
  const options = providers
    .filter(({ token }) => token === optionsToken)
    .map(({ instance }) => (instance ?? {}) as GraphqlOptions);
  const isFederated =
    options.some(servesFederation) || providers.some(({ metatype }) => hasReferenceResolver(metatype));
  if (!isFederated || options.every(runsGuards)) return;
  throw new ConfigError(
    'CountersignModule: Nest resolves the entities of a federated GraphQL schema without guards, so every agent could ' +
      "read them. Write fieldResolverEnhancers: ['guards'] in GraphQLModule.forRoot.",
  );
}

function servesFederation({ driver, autoSchemaFile }: GraphqlOptions): boolean {
  if (typeof driver?.name === 'string' && driver.name.includes('Federation')) return true;
  return typeof autoSchemaFile === 'object' && autoSchemaFile !== null && 'federation' in autoSchemaFile;
}

function hasReferenceResolver(metatype: unknown): boolean {
  const prototype: unknown = typeof metatype === 'function' ? metatype.prototype : undefined;
  if (typeof prototype !== 'object' || prototype === null) return false;
  const methods = prototype as Record<string, object>;
  return new MetadataScanner()
    .getAllMethodNames(prototype)
    .some((name) => Reflect.getMetadata(mark, methods[name] as object) !== undefined);
}

function runsGuards({ fieldResolverEnhancers: enhancers }: GraphqlOptions): boolean {
  return Array.isArray(enhancers) && enhancers.includes('guards');
}
