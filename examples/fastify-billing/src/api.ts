import { type AuditSink, cedarFromDirectory, createGuard, type GuardOptions } from '@countersign/core';
import { agentAuth, permit } from '@countersign/fastify';
import Fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify';
import { invoicesOf, sumBy } from './books.js';
import { Tickets } from './tickets.js';

export interface ApiOptions {
  /** Where clients reach the API. */
  readonly origin: string;
  /** The agents, and the issuers of tokens. */
  readonly trusted: Pick<GuardOptions, 'agents' | 'issuers'>;
  readonly policiesFolder: string;
  readonly audit: AuditSink;
  readonly logger: NonNullable<FastifyServerOptions['logger']>;
}

export interface Api {
  readonly app: FastifyInstance;
  readonly tickets: Tickets;
  close(): Promise<void>;
}

/** Invoices, warehouse and tickets of one company, for agents. */
export async function createApi({ origin, trusted, policiesFolder, audit, logger }: ApiOptions): Promise<Api> {
  const guard = await createGuard({
    origin,
    ...trusted,
    policy: await cedarFromDirectory(policiesFolder),
    audit,
  });

  const app = Fastify({ logger });
  await app.register(agentAuth, { guard }); // first: it guards the routes that come after

  // A permission as options of the route …
  app.get<{ Params: { account: string } }>(
    '/accounts/:account/invoices',
    permit('invoice.read', ({ params }) => ({ type: 'Account', id: params['account'] }), {
      requires: 'billing:read',
    }),
    async ({ params }) => invoicesOf(params.account),
  );

  // … or in its config, beside its schema …
  app.post<{ Params: { dataset: string }; Body: { sum: string; by: string } }>(
    '/warehouse/:dataset/query',
    {
      schema: { body: object({ sum: text, by: text }) },
      config: {
        permit: {
          action: 'warehouse.query',
          resource: ({ params }) => ({ type: 'Dataset', id: params['dataset'] }),
        },
      },
    },
    async ({ params, body }) => sumBy(params.dataset, body.by, body.sum),
  );

  // … or on the method of a controller.
  const tickets = new Tickets();
  app.post('/queues/:queue/tickets', { schema: { body: object({ title: text }) } }, tickets.create.bind(tickets));

  // A route without a permit: it is closed to agents, and the API logs it at its start.
  app.get('/accounts/:account/export', async () => 'every invoice ever');

  await app.ready();
  return {
    app,
    tickets,
    async close() {
      await app.close();
      await guard.close();
    },
  };
}

const text = { type: 'string', minLength: 1, maxLength: 200 } as const;

/** The JSON schema of an object that has all of these properties and no other. */
function object(properties: Readonly<Record<string, object>>): object {
  return { type: 'object', properties, required: Object.keys(properties), additionalProperties: false };
}
