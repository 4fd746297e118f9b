import type { PolicyQuery, Resource } from '@countersign/core';
import { closeScope } from '@countersign/delegation';
import { CliError, exitCodes } from '../../cli-error.js';

/** A question to policy as people write it. */
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
 * The question that a guard would put to policy. `vocabulary`: scopes that the policies mention.
 *
 * @throws CliError that begins with `where` if a member is unknown, missing or of another kind.
 */
export function readRequest(form: RequestForm, where: string, vocabulary: readonly string[]): PolicyQuery {
  const reader = new Reader(form, where);
  reader.refuseOthers(requestMembers);
  const { actor, scope = [] } = form;
  const principal = reader.within('actor', typeof actor === 'string' ? { id: actor } : actor);
  principal.refuseOthers(['type', 'id', 'roles', 'capabilities', 'owner']);
  const held = typeof scope === 'string' ? scope.split(/[\s,]+/).filter((one) => one !== '') : reader.texts('scope');
  const capabilities = principal.optional('capabilities') ? principal.texts('capabilities') : held;
  const via = reader.texts('via');
  const delegated = reader.optional('onBehalfOf') || reader.optional('onBehalfOfAgent');
  return {
    principal: {
      type: principal.oneOf('type', ['Agent', 'User'], 'Agent'),
      id: principal.text('id'),
      roles: principal.texts('roles'),
      capabilities,
      ...principal.textIfAny('owner'),
    },
    action: reader.text('action'),
    resource: readResource(reader),
    context: {
      scope: closeScope(held, [...vocabulary, ...capabilities], 'hierarchical'),
      ...reader.textIfAny('onBehalfOf'),
      ...reader.textIfAny('onBehalfOfAgent'),
      depth: reader.optional('depth') ? reader.count('depth') : via.length + (delegated ? 1 : 0),
      via,
      proof: reader.oneOf('proof', ['issuer', 'signature'], delegated ? 'issuer' : 'signature'),
      possession: reader.oneOf('possession', ['signature', 'dpop', 'web-bot-auth'], 'signature'),
      ...readDetails(reader),
      request: { method: reader.text('method', 'GET'), path: reader.text('path', '/') },
    },
  };
}

function readDetails(reader: Reader): Pick<PolicyQuery['context'], 'authorizationDetails'> {
  if (!reader.optional('authorizationDetails')) return {};
  const details = reader.within('authorizationDetails');
  const members = ['types', 'actions', 'identifiers', 'locations', 'datatypes', 'privileges'] as const;
  details.refuseOthers(members);
  const limits = members.filter((name) => details.optional(name)).map((name) => [name, details.texts(name)]);
  return { authorizationDetails: { types: [], ...(Object.fromEntries(limits) as Record<string, string[]>) } };
}

/** `Repo::"acme/api"`, or an object. What attributes hold, core checks. */
function readResource(reader: Reader): Resource {
  const { resource } = reader.form;
  if (typeof resource === 'string') {
    const uid = readUid(resource);
    if (uid !== undefined) return uid;
    throw reader.problem(`'resource' must be like Repo::"acme/api", or { type, id, attributes, parents }`);
  }
  const inner = reader.within('resource');
  inner.refuseOthers(['type', 'id', 'attributes', 'parents']);
  return {
    ...inner.form,
    type: inner.text('type'),
    id: inner.text('id'),
    ...(inner.optional('parents') && { parents: inner.list('parents').map((parent) => readParent(inner, parent)) }),
  };
}

function readParent(resource: Reader, value: unknown): Uid {
  const uid = typeof value === 'string' ? readUid(value) : undefined;
  if (uid !== undefined) return uid;
  if (typeof value === 'string') throw resource.problem(`a parent must be like Folder::"id", or { type, id }`);
  const parent = resource.within('parents', value);
  parent.refuseOthers(['type', 'id']);
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

  problem(what: string): CliError {
    return new CliError(`${this.#where}: ${what}`, exitCodes.usage);
  }

  optional(name: string): boolean {
    return this.form[name] !== undefined;
  }

  refuseOthers(names: readonly string[]): void {
    const other = Object.keys(this.form).find((name) => !names.includes(name));
    if (other !== undefined) throw this.problem(`'${other}' is not known. There are: ${names.join(', ')}`);
  }

  within(name: string, value: unknown = this.form[name]): Reader {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw this.problem(value === undefined ? `'${name}' is missing` : `'${name}' must be an object`);
    }
    return new Reader(value as RequestForm, `${this.#where}: ${name}`);
  }

  text(name: string, byDefault?: string): string {
    const { [name]: value = byDefault } = this.form;
    if (typeof value !== 'string') {
      throw this.problem(value === undefined ? `'${name}' is missing` : `'${name}' must be text`);
    }
    return value;
  }

  textIfAny(name: string): Readonly<Record<string, string>> {
    return this.optional(name) ? { [name]: this.text(name) } : {};
  }

  texts(name: string): readonly string[] {
    const { [name]: value = [] } = this.form;
    if (!Array.isArray(value) || !value.every((item) => typeof item === 'string')) {
      throw this.problem(`'${name}' must be a list of texts`);
    }
    return value;
  }

  list(name: string): readonly unknown[] {
    const { [name]: value } = this.form;
    if (!Array.isArray(value)) throw this.problem(`'${name}' must be a list`);
    return value;
  }

  count(name: string): number {
    const { [name]: value } = this.form;
    if (typeof value !== 'number' || !Number.isSafeInteger(value)) {
      throw this.problem(`'${name}' must be a whole number`);
    }
    return value;
  }

  oneOf<T extends string>(name: string, choices: readonly T[], byDefault: T): T {
    const { [name]: value = byDefault } = this.form;
    const found = choices.find((choice) => choice === value);
    if (found === undefined) throw this.problem(`'${name}' must be one of ${choices.join(', ')}`);
    return found;
  }
}
