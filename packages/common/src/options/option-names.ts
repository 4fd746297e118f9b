import { spellingHint, undefinedHint } from '@countersign/delegation';
import { ConfigError } from '../errors/config-error.js';

/**
 * Options of which every value restricts or protects more than none does. Undefined, they are a misspelt constant like
 * `SCOPES.wirte` more often than a choice. Not listed are options that a value only opens, like `issuers` and `dpop`, and
 * those whose default is a limit.
 */
const restrictive: ReadonlySet<string> = new Set([
  // What a permit demands, and of which tools.
  'requires',
  'agentsOnly',
  'everyRequest',
  'tools',
  // What the guard asks, remembers and hides.
  'revocations',
  'replay',
  'uses',
  'entities',
  'schema',
  'subjectMustAlsoBePermitted',
  'scopeMatch',
  'nonce',
  'redact',
  'userIds',
  'resourceIds',
  'remoteAddresses',
  'keepPathSegments',
  // Whose tokens and approvals count, for what.
  'audience',
  'subjectNamespace',
  'namespace',
  'groups',
  'fields',
  'scope',
  'scopes',
  'authorizationDetails',
  'subject',
  'requiredClaims',
  'tenantClaim',
  'from',
  // Who an agent is, and until when.
  'status',
  'overlapSeconds',
  // What a signature binds.
  'cover',
  // What makes a log hard to forge.
  'checkpointKey',
  'witnesses',
]);

/**
 * Refuses options that are not an object, option names that do not exist, with a hint for a misspelt one, and restrictive
 * options that are undefined: a misspelt security option must not pass silently.
 *
 * @throws ConfigError
 */
export function checkOptionNames(owner: string, options: object, known: readonly string[]): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options))
    throw new ConfigError(`${owner}: the options must be an object.`);
  for (const name of Object.keys(options)) {
    if (!known.includes(name))
      throw new ConfigError(`${owner}: unknown option '${name}'. ${spellingHint(name, known, 'options')}`);
    if (restrictive.has(name) && (options as Record<string, unknown>)[name] === undefined)
      throw new ConfigError(`${owner}: ${undefinedHint(name)}`);
  }
}
