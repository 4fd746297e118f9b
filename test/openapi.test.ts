import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError, openApiForAgents, refusal, refusalCodes } from '@countersign/core';
import { agentAuth, Permit, permit } from '@countersign/fastify';
import swagger, { type FastifyDynamicSwaggerOptions } from '@fastify/swagger';
import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv } from 'ajv';
import { fastify, type FastifyInstance } from 'fastify';
import { describe, expect, it } from 'vitest';
import { guarded, send, signed, unsigned } from './support/guarded.js';
import { root } from './support/workspace.js';

const info = { title: 'Orders', version: '1.0.0' };

interface Operation {
  readonly security?: readonly object[];
  readonly responses: Readonly<Record<string, object>>;
  readonly 'x-countersign'?: object;
}

interface Described {
  readonly components: {
    readonly securitySchemes: Readonly<Record<string, object>>;
    readonly schemas: Readonly<Record<string, { readonly properties: { readonly code: { readonly enum: string[] } } }>>;
    readonly responses: Readonly<Record<string, object>>;
  };
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

/** Expects a document that the validator accepts. */
async function expectValid(document: object): Promise<void> {
  const result = await new Validator().validate(structuredClone(document) as Record<string, unknown>);
  expect(result.errors ?? [], JSON.stringify(result.errors)).toEqual([]);
  expect(result.valid).toBe(true);
}

class Orders {
  @Permit('order.read', ({ params }) => ({ type: 'Order', id: params['id'] }))
  async read(): Promise<object> {
    return {};
  }
}

/** An application with a document, as its users write it. */
async function documented(openapi: FastifyDynamicSwaggerOptions['openapi']): Promise<FastifyInstance> {
  const app = fastify();
  await app.register(swagger, {
    openapi: { info, ...openapi },
    transformObject: (made) => openApiForAgents('openapiObject' in made ? made.openapiObject : made.swaggerObject),
  });
  await app.register(agentAuth, { guard: (await guarded()).guard });
  const order = { type: 'Order', id: '7' };
  app.post('/orders', permit('order.create', order, { requires: 'order:write' }), async () => ({ made: true }));
  app.get(
    '/orders',
    {
      ...permit('order.list', order, { agentsOnly: true }),
      schema: { response: { 403: { type: 'object', properties: { mine: { type: 'string' } } } } },
    },
    async () => [],
  );
  app.get(
    '/mine',
    {
      ...permit(false),
      schema: { response: { 403: { type: 'object', properties: { mine: { type: 'string' } } } } },
    },
    async (_request, reply) => reply.code(403).send({ mine: 'x', other: 'y' }),
  );
  app.get('/orders/:id', new Orders().read);
  app.get('/whoami', permit(false), async () => ({}));
  app.get('/closed', async () => ({}));
  app.delete('/closed', { config: { permit: 'refuse' } }, async () => ({}));
  await app.ready();
  return app;
}

const agents = { countersign: [] };
const people = { session: [] };

describe.each(['3.0.3', '3.1.0'])('a document of OpenAPI %s', (openapi) => {
  it('of @fastify/swagger has the scheme and the refusals on routes with a permit, and is valid', async () => {
    const app = await documented({ openapi });
    const document = app.swagger() as unknown as Described;
    await expectValid(document);
    const { paths, components } = document;
    expect(components.securitySchemes['countersign']).toMatchObject({
      type: 'apiKey',
      in: 'header',
      name: 'Signature',
    });
    expect(paths['/orders']?.['post']).toMatchObject({
      security: [agents],
      'x-countersign': { action: 'order.create', requires: 'order:write' },
      responses: {
        200: { description: 'Default Response' },
        401: { $ref: '#/components/responses/CountersignRefusal401' },
      },
    });
    for (const open of [paths['/orders/{id}']?.['get'], paths['/whoami']?.['get']]) {
      expect(open).toMatchObject({ security: [agents], 'x-countersign': {} });
    }
    for (const closed of [paths['/closed']?.['get'], paths['/closed']?.['delete']]) {
      expect(closed).not.toHaveProperty('security');
      expect(closed).not.toHaveProperty('x-countersign');
    }
    await app.close();
  });

  it('keeps the schemes of people, unless a permit is for agents only, and responses of the route', async () => {
    const session = { type: 'apiKey', in: 'cookie', name: 'session' } as const;
    const app = await documented({ openapi, security: [people], components: { securitySchemes: { session } } });
    const document = app.swagger() as unknown as Described;
    await expectValid(document);
    expect(document.paths['/orders']).toMatchObject({
      post: { security: [people, agents] },
      get: { security: [agents], responses: { 403: { description: 'Default Response' } } },
    });
    expect(document.components.securitySchemes).toMatchObject({ session });
    await app.close();
  });

  it('without a framework is marked by hand', async () => {
    const response = { 200: { description: 'The order.' } };
    const operation = { responses: response, 'x-countersign': { action: 'order.read' } };
    const paths = { '/orders': { get: operation, post: { responses: response } } };
    const plain = Object.freeze({ openapi, info, paths });
    const document = openApiForAgents(plain);
    await expectValid(document);
    expect(document.paths['/orders'].get).toMatchObject({ security: [agents], responses: response });
    expect(document.paths['/orders'].post).toEqual({ responses: response });
    expect(plain.paths['/orders'].get).not.toHaveProperty('security');
    expect(openApiForAgents(document)).toEqual(document);
  });

  it('keeps components of the same names', async () => {
    const own = { description: 'Mine.' };
    const document = { openapi, info, paths: {}, components: { responses: { CountersignRefusal401: own } } };
    expect(openApiForAgents(document).components.responses.CountersignRefusal401).toBe(own);
  });
});

describe('the refusals in a document', () => {
  const { components } = openApiForAgents({ openapi: '3.1.0', info, paths: {} }) as unknown as Described;
  const ajv = new Ajv({ strict: false, formats: { uri: true } });
  ajv.addSchema({ $id: 'document', components });
  const isRefusal = (status: number) =>
    ajv.compile({
      $ref: `document#/components/responses/CountersignRefusal${status}/content/application~1problem+json/schema`,
    });

  it('are those of the catalogue, without the two that no client gets', () => {
    const reference = readFileSync(join(root, 'docs/reference/refusals.md'), 'utf8');
    const recorded = [...reference.matchAll(/\*\*`(\w+)`\*\* appears in the audit log only/g)].map(([, code]) => code);
    expect(recorded).toHaveLength(2);
    const codes = refusalCodes.filter((code) => !recorded.includes(code));
    expect(components.schemas['CountersignRefusal']?.properties.code.enum).toEqual(codes);
    const statuses = new Set(codes.map((code) => refusal(code).status));
    expect(Object.keys(components.responses)).toEqual(
      [...statuses].toSorted((one, other) => one - other).map((status) => `CountersignRefusal${status}`),
    );
  });

  it('have the form of the answers', async () => {
    const { guard } = await guarded();
    for (const code of components.schemas['CountersignRefusal']?.properties.code.enum ?? []) {
      const { status, body } = guard.respond(refusal(code as (typeof refusalCodes)[number]));
      const validate = isRefusal(status);
      expect(validate(JSON.parse(body)), JSON.stringify(validate.errors)).toBe(true);
      expect(validate({ ...JSON.parse(body), code: 'other' })).toBe(false);
    }
  });

  it('change no answer of the application: its own 403 is serialized as before', async () => {
    const app = await documented({ openapi: '3.1.0' });
    const url = await app.listen({ port: 0, host: '127.0.0.1' });
    expect(await send(url, unsigned({ target: '/orders' }))).toMatchObject({ status: 401 });
    expect(await send(url, signed({ target: '/mine' }))).toMatchObject({ status: 403, body: '{"mine":"x"}' });
    await app.close();
  });
});

it.each([undefined, 'text', {}, { swagger: '2.0' }, { openapi: 3 }])('openApiForAgents refuses %s', (document) => {
  expect(() => openApiForAgents(document as object)).toThrow(ConfigError);
});
