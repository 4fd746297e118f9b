import { type AuditSink, cedarFromDirectory, createGuard, type GuardOptions } from '@countersign/core';
import { agentAuth, permit } from '@countersign/koa';
import { bodyParser } from '@koa/bodyparser';
import multer from '@koa/multer';
import { Router } from '@koa/router';
import Koa from 'koa';
import { Sessions } from './sessions.js';
import { desk, Tickets } from './tickets.js';
import { known, sessionCookie, type TicketState } from './who.js';

export interface ApiOptions {
  /** Where clients reach the API. */
  readonly origin: string;
  /** The agents, and the issuers of tokens. */
  readonly trusted: Pick<GuardOptions, 'agents' | 'issuers'>;
  readonly policiesFolder: string;
  readonly audit: AuditSink;
  /** The passwords of the people, by name. */
  readonly passwords: Readonly<Record<string, string>>;
}

export interface Api {
  readonly app: Koa<TicketState>;
  close(): Promise<void>;
}

/** A ticket API for people with a session and agents with a signature. */
export async function createApi({ origin, trusted, policiesFolder, audit, passwords }: ApiOptions): Promise<Api> {
  const guard = await createGuard({
    origin,
    ...trusted,
    policy: await cedarFromDirectory(policiesFolder),
    audit,
    traffic: 'mixed', // what carries no mark of an agent goes on, as nobody yet
  });
  const sessions = new Sessions(passwords);

  const app = new Koa<TicketState>();
  app.use(agentAuth(guard)); // before any body parser
  app.use(bodyParser());

  const entrance = new Router<TicketState>();
  entrance.post('/session', (ctx) => {
    const { name, password } = (ctx.request.body ?? {}) as Record<string, unknown>;
    const secret = sessions.signIn(String(name), String(password));
    if (secret === undefined) ctx.throw(401, 'wrong name or password');
    ctx.cookies.set(sessionCookie, secret, { httpOnly: true, sameSite: 'strict' });
    ctx.status = 204;
  });
  app.use(entrance.routes());

  const tickets = new Tickets();
  const upload = multer({ limits: { fileSize: 1024 * 1024, files: 1 } });
  const router = new Router<TicketState>();
  router.use(known(sessions));
  // Bound methods, not arrow functions: agentAuth sees what they ask for.
  router.get('/tickets', tickets.list.bind(tickets));
  router.post('/tickets', tickets.create.bind(tickets));
  router.post('/tickets/:number/attachments', permit('ticket.attach', desk), upload.single('file'), (ctx) =>
    tickets.attach(ctx),
  );
  router.post('/tickets/:number/close', tickets.close.bind(tickets));
  router.post('/tickets/:number/triage', tickets.triage.bind(tickets));
  app.use(router.routes());

  return { app, close: () => guard.close() };
}
