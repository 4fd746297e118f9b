import {
  ConfigError,
  defined,
  discoveryPath,
  isJsonObject,
  member,
  profileTag,
  refusalPages,
} from '@countersign/common';
import { catalogue, type RefusalCode, refusalCodes } from './refusal.js';

/** The extension of an operation of OpenAPI that agents may use: what its `permit` asks for. */
const extensionName = 'x-countersign';
/** The name of the security scheme. */
const scheme = 'countersign';

/** Recorded only: the client gets another code. */
const neverSent: readonly RefusalCode[] = ['key_unknown', 'authorization_details_exceeded'];
const sent = refusalCodes.filter((code) => !neverSent.includes(code));
const statuses = [...new Set(sent.map((code) => catalogue[code].status))].toSorted((one, other) => one - other);
/** What any operation may answer. The others are components that a document can refer to. */
const usualStatuses: readonly number[] = [400, 401, 403, 503];

const methods = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace', 'query'];

/**
 * Describes to readers of an OpenAPI document (3.0 or newer) how agents call the API. Each operation with the extension
 * `x-countersign` gets the security scheme `countersign`, beside the schemes that it has for people, and the refusals as
 * responses. `{ agentsOnly: true }` in the extension leaves the schemes of people out. What the document defines itself is
 * kept. On Fastify, `agentAuth` sets the extension on each route with a `permit`.
 *
 * @returns a new document.
 * @throws ConfigError if it is no document of OpenAPI 3.
 *
 * @example
 * ```ts
 * await app.register(swagger, {
 *   openapi: { openapi: '3.1.0', info: { title: 'Orders', version: '1' } },
 *   transformObject: (made) => openApiForAgents('openapiObject' in made ? made.openapiObject : made.swaggerObject),
 * });
 * ```
 */
export function openApiForAgents<Document extends object>(document: Document): Document {
  const version = isJsonObject(document) ? member(document, 'openapi') : undefined;
  if (typeof version !== 'string' || !version.startsWith('3.')) {
    throw new ConfigError("openApiForAgents: pass a document of OpenAPI 3, with a member 'openapi' like '3.1.0'.");
  }
  const { components, paths, security } = document as OpenApi;
  return {
    ...document,
    components: {
      ...components,
      securitySchemes: { [scheme]: securityScheme, ...components?.securitySchemes },
      schemas: { [schemaName]: refusalSchema, ...components?.schemas },
      responses: { ...refusalResponses, ...components?.responses },
    },
    ...(paths && { paths: mapValues(paths, (path) => describedPath(path, security ?? [])) }),
  };
}

/**
 * The schema of a route with a permit and the extension, by what the route is configured with; without it if the route
 * refuses agents. A schema that inherits stays as it is: a copy could lose members by which requests are validated.
 */
export function markedSchema<Schema extends object>(schema: Schema | undefined, permit: unknown): Schema {
  const given = schema ?? ({} as Schema);
  if (permit === 'refuse' || Object.getPrototypeOf(given) !== Object.prototype) return given;
  return Object.assign(
    Object.defineProperties({} as Schema, Object.getOwnPropertyDescriptors(given)),
    openApiMark(permit),
  );
}

function openApiMark(permit: unknown): object {
  const { action, requires, agentsOnly } = (permit || {}) as Partial<
    Record<'action' | 'requires' | 'agentsOnly', unknown>
  >;
  return { [extensionName]: defined({ action, requires, agentsOnly }) };
}

type Security = readonly Readonly<Record<string, readonly string[]>>[];

/** The members of a document that are read. */
interface OpenApi {
  readonly components?: Readonly<Record<'securitySchemes' | 'schemas' | 'responses', object | undefined>>;
  readonly paths?: Readonly<Record<string, object>>;
  readonly security?: Security;
}

interface Operation {
  readonly security?: Security;
  readonly responses?: Readonly<Record<string, object>>;
  readonly [extensionName]?: { readonly agentsOnly?: boolean };
}

function describedPath(path: object, ofAll: Security): object {
  return mapValues(path as Readonly<Record<string, object>>, (operation, name) =>
    methods.includes(name) && extensionName in operation
      ? describedOperation(operation as Operation, ofAll)
      : operation,
  );
}

function describedOperation(operation: Operation, ofAll: Security): object {
  const { security = ofAll, responses } = operation;
  const people = operation[extensionName]?.agentsOnly === true ? [] : security.filter((one) => !(scheme in one));
  const refusals = usualStatuses.map((status) => [status, { $ref: `#/components/responses/${responseName(status)}` }]);
  return {
    ...operation,
    security: [...people, { [scheme]: [] }],
    responses: { ...Object.fromEntries(refusals), ...responses },
  };
}

function mapValues<Value, Mapped>(
  values: Readonly<Record<string, Value>>,
  map: (value: Value, name: string) => Mapped,
): Readonly<Record<string, Mapped>> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, map(value, name)]));
}

/** An API key by type: the type `http` is for schemes of Authorization, where a signature is not (RFC 9421 §4). */
const securityScheme = {
  type: 'apiKey',
  in: 'header',
  name: 'Signature',
  description:
    `A message signature (RFC 9421) with the tag \`${profileTag}\`, in Signature and Signature-Input, with Content-Digest ` +
    'if there is a body. An agent that acts for a user also sends an access token in Authorization, which the signature ' +
    `covers. GET ${discoveryPath} has the audience, the limits and other accepted proofs.`,
};

const schemaName = 'CountersignRefusal';
const refusalSchema = {
  type: 'object',
  description: 'Why the guard refused a request (RFC 9457).',
  required: ['type', 'title', 'status', 'code'],
  properties: {
    type: {
      type: 'string',
      format: 'uri',
      description: 'The page of the code.',
      example: `${refusalPages}policy_denied`,
    },
    title: { type: 'string' },
    status: { type: 'integer', enum: statuses },
    code: { type: 'string', enum: sent, description: 'Stable. Compare this.' },
    explanation: { type: 'string', description: 'In development only: why policy refused.' },
    approval: { type: 'object', description: 'Of `approval_required`: what people may be asked.' },
  },
};

const fieldsOf: Readonly<Record<string, readonly string[]>> = {
  400: ['Accept-Signature'],
  401: ['Accept-Signature', 'WWW-Authenticate'],
  403: ['WWW-Authenticate'],
  503: ['Retry-After'],
};

const refusalResponses = Object.fromEntries(
  statuses.map((status) => {
    const codes = sent.filter((code) => catalogue[code].status === status);
    const fields = (fieldsOf[status] ?? []).map((name) => [name, { schema: { type: 'string' } }]);
    const schema = {
      allOf: [
        { $ref: `#/components/schemas/${schemaName}` },
        { type: 'object', properties: { status: { enum: [status] }, code: { enum: codes } } },
      ],
    };
    const response = {
      description: codes.map((code) => `\`${code}\`: ${catalogue[code].title}`).join('\n\n'),
      ...(fields.length > 0 && { headers: Object.fromEntries(fields) as object }),
      content: { 'application/problem+json': { schema } },
    };
    return [responseName(status), response];
  }),
);

function responseName(status: number): string {
  return `${schemaName}${status}`;
}
