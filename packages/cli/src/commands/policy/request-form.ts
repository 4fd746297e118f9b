import type { PolicyQuery, Resource } from '@countersign/core';
import { closeScope, scopeCovers } from '@countersign/delegation';
import { CliError, exitCodes } from '../../cli-error.js';

/** A query in the form of test cases and request files. */
export type RequestForm = Readonly<Record<string, unknown>>;

export const requestMembers = [
  'actor',
  'onBehalfOf',
  'onBehalfOfAgent',
  'scope',
  'action',
  'resource',
  'depth',
  'via',
  'proof',
  'possession',
  'authorizationDetails',
  'method',
  'path',
] as const;

/**
 * Builds the query that a guard would send to the policy engine. `vocabulary`: scopes that the policies mention.
 *
 * @throws CliError that begins with `where` if a member is unknown, missing or invalid.
 */
export function readRequest(form: RequestForm, where: string, vocabulary: readonly string[]): PolicyQuery {
  const reader = new Reader(form, where);
  reader.refuseUnknown(requestMembers);
  const { scope = [] } = form;
  const scopes = typeof scope === 'string' ? scope.split(/[\s,]+/).filter((one) => one !== '') : reader.texts('scope');
  const principal = readPrincipal(form, where, scopes);
  const { capabilities } = principal;
  const via = reader.texts('via');
  const delegated = reader.has('onBehalfOf') || reader.has('onBehalfOfAgent');
  // As in the guard: an agent that acts for itself has what it is capable of, and nobody has more.
  const held = delegated || reader.has('scope') ? scopes : capabilities;
  const wider = held.find((one) => !scopeCovers(capabilities, one, 'hierarchical'));
  if (wider !== undefined) throw reader.error(`'scope' holds ${wider}, which no capability of the actor covers`);
  return {
    principal,
    action: reader.text('action'),
    resource: readResource(reader),
    context: {
      scope: closeScope(held, [...vocabulary, ...capabilities], 'hierarchical'),
      ...reader.optionalText('onBehalfOf'),
      ...reader.optionalText('onBehalfOfAgent'),
      depth: reader.has('depth') ? reader.count('depth') : via.length + (delegated ? 1 : 0),
      via,
      proof: reader.oneOf('proof', ['issuer', 'signature', 'local'], delegated ? 'issuer' : 'signature'),
      possession: reader.oneOf(
        'possession',
        ['signature', 'dpop', 'web-bot-auth', 'mtls', 'bearer', 'local'],
        'signature',
      ),
      ...readDetails(reader),
      request: { method: reader.text('method', 'GET'), path: reader.text('path', '/') },
    },
  };
}

/**
 * Reads the actor; without capabilities it has `scopes`.
 *
 * @throws CliError that begins with `where` if a member is unknown, missing or invalid.
 */
export function readPrincipal(
  { actor }: RequestForm,
  where: string,
  scopes: readonly string[],
): PolicyQuery['principal'] {
  const principal = new Reader({ actor }, where).object('actor', typeof actor === 'string' ? { id: actor } : actor);
  principal.refuseUnknown(['type', 'id', 'roles', 'capabilities', 'owner']);
  return {
    type: principal.oneOf('type', ['Agent', 'User'], 'Agent'),
    id: principal.text('id'),
    roles: principal.texts('roles'),
    capabilities: principal.has('capabilities') ? principal.texts('capabilities') : scopes,
    ...principal.optionalText('owner'),
  };
}

/** What a log does not have of a request. */
export interface Unlogged {
  readonly resource: Resource;
  readonly authorizationDetails?: NonNullable<PolicyQuery['context']['authorizationDetails']>;
}

/**
 * Reads attributes and parents of the resource of a record, and authorization details.
 *
 * @throws CliError that begins with `where` if a member is invalid, or says what the record says.
 */
export function readUnlogged(form: RequestForm, where: string, { type, id }: Resource): Unlogged {
  const reader = new Reader(form, where);
  reader.refuseUnknown(['resource', 'authorizationDetails']);
  const { resource: given = {} } = form;
  const isObject = typeof given === 'object' && given !== null && !Array.isArray(given);
  const resource = readResource(new Reader({ resource: isObject ? { type, id, ...given } : given }, where));
  if (resource.type === type && resource.id === id) return { resource, ...readDetails(reader) };
  throw reader.error(`the record is about ${type}::${JSON.stringify(id)}`);
}

function readDetails(reader: Reader): Pick<PolicyQuery['context'], 'authorizationDetails'> {
  if (!reader.has('authorizationDetails')) return {};
  const details = reader.object('authorizationDetails');
  const members = ['types', 'actions', 'identifiers', 'locations', 'datatypes', 'privileges'] as const;
  details.refuseUnknown(members);
  const limits = members.filter((name) => details.has(name)).map((name) => [name, details.texts(name)]);
  return { authorizationDetails: { types: [], ...(Object.fromEntries(limits) as Record<string, string[]>) } };
}

/** Accepts `Repo::"acme/api"` or an object. The engine checks the attributes. */
function readResource(reader: Reader): Resource {
  const { resource } = reader.form;
  if (typeof resource === 'string') {
    const uid = readUid(resource);
    if (uid !== undefined) return uid;
    throw reader.error(`'resource' must be like Repo::"acme/api", or { type, id, attributes, parents }`);
  }
  const inner = reader.object('resource');
  inner.refuseUnknown(['type', 'id', 'attributes', 'parents']);
  return {
    ...inner.form,
    type: inner.text('type'),
    id: inner.text('id'),
    ...(inner.has('parents') && { parents: inner.list('parents').map((parent) => readParent(inner, parent)) }),
  };
}

function readParent(resource: Reader, value: unknown): Uid {
  const uid = typeof value === 'string' ? readUid(value) : undefined;
  if (uid !== undefined) return uid;
  if (typeof value === 'string') throw resource.error(`a parent must be like Folder::"id", or { type, id }`);
  const parent = resource.object('parents', value);
  parent.refuseUnknown(['type', 'id']);
  return { type: parent.text('type'), id: parent.text('id') };
}

interface Uid {
  readonly type: string;
  readonly id: string;
}

/** Reads `Repo::"acme/api"`. */
function readUid(text: string): Uid | undefined {
  const [, type, quoted] = /^((?:\w+::)*\w+)::("(?:[^"\\]|\\.)*")$/.exec(text) ?? [];
  const id = quoted === undefined ? undefined : unquoted(quoted);
  return type === undefined || id === undefined ? undefined : { type, id };
}

function unquoted(text: string): string | undefined {
  try {
    return JSON.parse(text) as string;
  } catch {
    return undefined;
  }
}

class Reader {
  readonly form: RequestForm;
  readonly #where: string;

  constructor(form: RequestForm, where: string) {
    this.form = form;
    this.#where = where;
  }

  error(message: string): CliError {
    return new CliError(`${this.#where}: ${message}`, exitCodes.usage);
  }

  has(name: string): boolean {
    return this.form[name] !== undefined;
  }

  refuseUnknown(names: readonly string[]): void {
    const other = Object.keys(this.form).find((name) => !names.includes(name));
    if (other !== undefined) throw this.error(`'${other}' is not known. There are: ${names.join(', ')}`);
  }

  object(name: string, value: unknown = this.form[name]): Reader {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw this.error(value === undefined ? `'${name}' is missing` : `'${name}' must be an object`);
    }
    return new Reader(value as RequestForm, `${this.#where}: ${name}`);
  }

  text(name: string, fallback?: string): string {
    const { [name]: value = fallback } = this.form;
    if (typeof value !== 'string') {
      throw this.error(value === undefined ? `'${name}' is missing` : `'${name}' must be text`);
    }
    return value;
  }

  optionalText(name: string): Readonly<Record<string, string>> {
    return this.has(name) ? { [name]: this.text(name) } : {};
  }

  texts(name: string): readonly string[] {
    const { [name]: value = [] } = this.form;
    if (!Array.isArray(value) || !value.every((item) => typeof item === 'string')) {
      throw this.error(`'${name}' must be a list of texts`);
    }
    return value;
  }

  list(name: string): readonly unknown[] {
    const { [name]: value } = this.form;
    if (!Array.isArray(value)) throw this.error(`'${name}' must be a list`);
    return value;
  }

  count(name: string): number {
    const { [name]: value } = this.form;
    if (typeof value !== 'number' || !Number.isSafeInteger(value)) {
      throw this.error(`'${name}' must be a whole number`);
    }
    return value;
  }

  oneOf<T extends string>(name: string, choices: readonly T[], fallback: T): T {
    const { [name]: value = fallback } = this.form;
    const found = choices.find((choice) => choice === value);
    if (found === undefined) throw this.error(`'${name}' must be one of ${choices.join(', ')}`);
    return found;
  }
}
