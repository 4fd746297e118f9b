import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Agent, createAgent } from '@countersign/agent';
import { type AuthorityOptions, createAuthority, openSqlite } from '@countersign/authority';
import { agentsFromAuthority, cedarFromDirectory, createGuard, type MemoryAudit, memoryAudit } from '@countersign/core';
import { agentAuth, permit } from '@countersign/express';
import { type Loopback, listen, quietly } from '@countersign/example-stage';
import express, { type Request } from 'express';
import { exportJWK, SignJWT } from 'jose';
import { startSpire } from './spire.js';

/** The parts of the story: SPIRE, an authority and a guarded API on this machine. */
export interface World {
  readonly api: string;
  readonly planner: Agent;
  readonly worker: Agent;
  /** A workload that SPIRE knows and the authority does not. */
  readonly stranger: Agent;
  readonly audit: MemoryAudit;
  /** The access token of a user who is signed in at the identity provider. */
  userToken(): Promise<string>;
  /** Suspends a workload, and waits until the API has heard of it. */
  suspend(id: string): Promise<void>;
  killSpireAgent(): void;
  stop(): Promise<void>;
}

const provider = 'https://login.acme.dev';
const audience = 'https://api.acme.dev';
const nameOf = (path: string): string => `spiffe://acme/${path}`;

/** Undefined: SPIRE is missing. */
export async function startWorld(programs: string): Promise<World | undefined> {
  const spire = await startSpire(programs, [nameOf('planner'), nameOf('worker'), nameOf('stranger')]);
  if (spire === undefined) return undefined;
  const [ofAuthority, ofApi] = await Promise.all([listen(), listen()]);
  const issuer = ofAuthority.origin;
  const users = generateKeyPairSync('ed25519');
  const options: AuthorityOptions = {
    issuer,
    secret: randomBytes(32).toString('base64'),
    store: await openSqlite(':memory:'),
    resources: [{ audience }],
    externalIssuers: [
      {
        issuer: provider,
        audience: issuer,
        subjectNamespace: 'u:',
        jwks: { keys: [await exportJWK(users.publicKey)] },
      },
    ],
    spiffe: {
      trustDomains: { acme: { file: spire.bundleFile } },
      workloads: [
        { id: nameOf('planner'), capabilities: ['invoice:read', 'ticket:create'] },
        { id: nameOf('worker'), capabilities: ['ticket:create'] },
      ],
    },
    exchange: [
      { agents: [nameOf('planner')], issuer: provider },
      { agents: [nameOf('worker')], from: [nameOf('planner')], scope: ['ticket:create'] },
    ],
  };
  const authority = await quietly(() => createAuthority(options));
  ofAuthority.server.on('request', authority.listener);
  const { audit, agents, close } = await startApi(ofApi, issuer);
  const workload = async (path: string): Promise<Agent> =>
    await createAgent({ spiffe: { socket: spire.socket, id: nameOf(path) }, authority: issuer });

  return {
    api: ofApi.origin,
    planner: await workload('planner'),
    worker: await workload('worker'),
    stranger: await workload('stranger'),
    audit,
    userToken: async () =>
      await new SignJWT({ scope: 'invoice:read ticket:create' })
        .setProtectedHeader({ alg: 'EdDSA', typ: 'at+jwt' })
        .setIssuedAt()
        .setIssuer(provider)
        .setSubject('alice')
        .setAudience(issuer)
        .setExpirationTime('10m')
        .sign(users.privateKey),
    async suspend(id) {
      await authority.agents.setStatus(id, 'suspended');
      while ((await agents.statusOf(id)) !== 'suspended') await setTimeout(50);
    },
    killSpireAgent: () => spire.killAgent(),
    async stop() {
      await ofApi.close();
      await close();
      await ofAuthority.close();
      await authority.close();
      await spire.stop();
    },
  };
}

/** The API. It trusts the authority, and knows nothing of SPIFFE. */
async function startApi(place: Loopback, issuer: string) {
  // The authority is on this machine, without TLS.
  const local = { dangerouslyAllowHttp: true, dangerouslyAllowPrivateAddresses: true };
  const agents = await agentsFromAuthority(issuer, { ...local, maxAgeSeconds: 1 });
  const audit = memoryAudit(); // in production: auditFile('audit')
  const guard = await createGuard({
    origin: place.origin,
    audience,
    agents,
    issuers: [{ issuer, ...local }],
    policy: await cedarFromDirectory(fileURLToPath(new URL('../policies', import.meta.url))),
    audit,
  });
  const app = express();
  app.use(agentAuth(guard)); // before any body parser
  app.use(express.json());
  app.get(
    '/accounts/:account/invoices',
    permit('invoice.get', ({ params }) => ({ type: 'Account', id: params['account'] })),
    (req, res) => void res.json(chainOf(req)),
  );
  app.post(
    '/queues/:queue/tickets',
    permit('ticket.open', ({ params }) => ({ type: 'Queue', id: params['queue'] })),
    (req, res) => void res.status(201).json(chainOf(req)),
  );
  place.server.on('request', app);
  return { audit, agents, close: () => guard.close() };
}

function chainOf({ caller }: Request): object {
  return { chain: caller?.chain.map(({ id }) => id) };
}
