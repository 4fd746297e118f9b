import { ConfigError } from '@countersign/core';
import { MetadataScanner, type ModulesContainer } from '@nestjs/core';
import { hasPermit } from './declared-permit.js';

/** What decorators of `@nestjs/graphql` leave on a method, and the token of the options of its module. */
const marks = { reference: 'graphql:resolve_reference', field: 'graphql:resolve_property' } as const;
const optionsToken = 'GqlModuleOptions';

/** The options of `GraphQLModule`, as far as they matter here. */
interface GraphqlOptions {
  readonly driver?: { readonly name?: unknown };
  readonly autoSchemaFile?: unknown;
  readonly fieldResolverEnhancers?: unknown;
}

/**
 * Nest runs no guards for fields, nor for the entities of a federated schema, unless the options of GraphQL say so.
 *
 * @throws ConfigError if every agent could read such entities, or if a permit on a field would not be asked.
 */
export function checkResolverGuards(modules: ModulesContainer): void {
  const providers = [...modules.values()].flatMap((module) => [...module.providers.values()]);
  const options = providers
    .filter(({ token }) => token === optionsToken)
    .map(({ instance }) => (instance ?? {}) as GraphqlOptions);
  if (options.length > 0 && options.every(runsGuards)) return;
  const methods = providers.flatMap(({ metatype }) => methodsOf(metatype));
  if (options.some(servesFederation) || methods.some((method) => isMarked(method, marks.reference))) {
    throw withoutGuards(
      'resolves the entities of a federated GraphQL schema without guards, so every agent could read them',
    );
  }
  const field = methods.find((method) => hasPermit(method) && isMarked(method, marks.field));
  if (field === undefined) return;
  throw withoutGuards(`resolves fields of GraphQL without guards, so the @Permit of ${field.name} would not be asked`);
}

function withoutGuards(what: string): ConfigError {
  return new ConfigError(
    `CountersignModule: Nest ${what}. Write fieldResolverEnhancers: ['guards'] in GraphQLModule.forRoot.`,
  );
}

function servesFederation({ driver, autoSchemaFile }: GraphqlOptions): boolean {
  if (typeof driver?.name === 'string' && driver.name.includes('Federation')) return true;
  return typeof autoSchemaFile === 'object' && autoSchemaFile !== null && 'federation' in autoSchemaFile;
}

function methodsOf(metatype: unknown): readonly Function[] {
  const prototype: unknown = typeof metatype === 'function' ? metatype.prototype : undefined;
  if (typeof prototype !== 'object' || prototype === null) return [];
  const members = prototype as Record<string, Function>;
  return new MetadataScanner().getAllMethodNames(prototype).flatMap((name) => members[name] ?? []);
}

function isMarked(method: Function, mark: string): boolean {
  return Reflect.getMetadata(mark, method) !== undefined;
}

function runsGuards({ fieldResolverEnhancers: enhancers }: GraphqlOptions): boolean {
  return Array.isArray(enhancers) && enhancers.includes('guards');
}
