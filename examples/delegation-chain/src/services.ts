import {
  type AuditSink,
  cedarFromDirectory,
  createGuard,
  type Guard,
  type GuardOptions,
  type RevocationSource,
} from '@countersign/core';
import { agentAuth as onExpress, permit as expressPermit } from '@countersign/express';
import { agentAuth as onFastify, permit as fastifyPermit, getCaller } from '@countersign/fastify';
import { type Loopback, listen } from '@countersign/example-stage';
import express, { type Express } from 'express';
import Fastify from 'fastify';

/** The configuration that the services share: agents, policies and revocations. */
export interface Shared {
  /** The audience of tokens and links at all three services. */
  readonly audience: string;
  readonly trusted: Pick<GuardOptions, 'agents' | 'issuers'>;
  readonly policiesFolder: string;
  readonly audit: AuditSink;
  readonly revocations: RevocationSource;
}

export interface Service {
  readonly origin: string;
  close(): Promise<void>;
}

/** Invoices, on Fastify. */
export async function startLedger(shared: Shared): Promise<Service> {
  const place = await listen();
  const guard = await guardAt(place.origin, shared);
  const app = Fastify();
  await app.register(onFastify, { guard });
  app.get<{ Params: { account: string } }>(
    '/accounts/:account/invoices',
    fastifyPermit('invoice.read', ({ params }) => ({ type: 'Account', id: params['account'] }), {
      requires: 'invoice:read',
    }),
    async (request) => ({ invoices: [{ number: 'INV-1043', billed: 91_300, metered: 9130 }], ...answerTo(request) }),
  );
  await app.ready();
  place.server.on('request', (request, response) => app.routing(request, response));
  return serviceOf(place, guard, () => app.close());
}

function answerTo(request: Parameters<typeof getCaller>[0]): { readonly chain: readonly string[] } {
  return { chain: getCaller(request)?.chain.map(({ id }) => id) ?? [] };
}

/** Tickets, on Express. */
export function startTickets(shared: Shared): Promise<Service> {
  return startOnExpress(shared, (app) => {
    app.post(
      '/queues/:queue/tickets',
      expressPermit('ticket.create', ({ params }) => ({ type: 'Queue', id: params['queue'] }), {
        requires: 'ticket:create',
      }),
      (req, res) => void res.status(201).json({ title: req.body?.title, chain: req.caller?.chain.map(({ id }) => id) }),
    );
  });
}

/** The archive of reports, on Express. */
export function startArchive(shared: Shared): Promise<Service> {
  return startOnExpress(shared, (app) => {
    app.post(
      '/archives/:archive/reports',
      expressPermit('report.file', ({ params }) => ({ type: 'Archive', id: params['archive'] }), {
        requires: 'report:file',
      }),
      (req, res) => void res.status(201).json({ chain: req.caller?.chain.map(({ id }) => id) }),
    );
  });
}

async function startOnExpress(shared: Shared, addRoutes: (app: Express) => void): Promise<Service> {
  const place = await listen();
  const guard = await guardAt(place.origin, shared);
  const app = express();
  app.use(onExpress(guard)); // before any body parser
  app.use(express.json());
  addRoutes(app);
  place.server.on('request', app);
  return serviceOf(place, guard, async () => undefined);
}

async function guardAt(origin: string, shared: Shared): Promise<Guard> {
  const { audience, trusted, policiesFolder, audit, revocations } = shared;
  return createGuard({
    origin,
    audience,
    ...trusted,
    policy: await cedarFromDirectory(policiesFolder),
    audit,
    revocations,
  });
}

function serviceOf(place: Loopback, guard: Guard, closeApp: () => Promise<void>): Service {
  return {
    origin: place.origin,
    async close() {
      await place.close();
      await closeApp();
      await guard.close();
    },
  };
}
