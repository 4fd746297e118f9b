import { AgentError, type DelegationBundle, type Signer } from '@countersign/agent';
import { printAuditTable, Telling, type Terminal } from '@countersign/example-stage';
import type { World } from './world.js';

const invoices = '/accounts/acme/invoices';
const newTicket = '/queues/finance/tickets';
const newReport = '/archives/audits/reports';

/**
 * Plays the story and tells it. Every answer shown crossed a socket.
 *
 * @throws UnexpectedTurn when a response is not the expected one.
 */
export async function tellStory(world: World, terminal: Terminal): Promise<void> {
  const { ledger, tickets, archive, audit } = world;
  const { line, bold } = terminal;
  const telling = new Telling(terminal);
  line(bold('Countersign: a chain of three agents, each of which can do less than the one before'));
  line();
  line(`   ledger   ${ledger.origin}   invoices; @countersign/fastify`);
  line(`   tickets  ${tickets.origin}   tickets; @countersign/express`);
  line(`   archive  ${archive.origin}   reports; @countersign/express`);
  line('   agents   orchestrator, billing, tickets: each with a key, each could do everything of its own');

  const forUser = await delegateToOrchestrator(world, telling);
  const forBilling = await delegateToBilling(world, telling, forUser);
  const forWorker = await delegateToWorker(world, telling, forBilling);
  await doMore(world, telling, forWorker);
  await stealBundle(world, telling, forBilling);
  await revokeTheMiddle(world, telling, { forUser, forBilling, forWorker });

  telling.heading('What the audit logs of the three services say');
  line();
  printAuditTable(audit.records, terminal);
  const recorded = audit.records.flatMap(({ code }) => code ?? []);
  telling.insist(String(recorded) === String(telling.refusals), 'every refusal in the log, and no other');
}

async function delegateToOrchestrator(world: World, telling: Telling): Promise<Signer> {
  const { authority, orchestrator, ledger } = world;
  const scope = 'invoice:read ticket report:file';
  telling.scene(`user_123 delegates "${scope}" to ${orchestrator.id}`);
  const token = await authority.letAct({ user: 'user_123', agent: orchestrator, scope, withHelpers: true });
  const forUser = orchestrator.withToken(token);
  await tellChain(telling, `GET ${invoices}`, await forUser.fetch(ledger.origin + invoices), 200);
  return forUser;
}

/** Delegates, and serialises the bundle as it is sent to the other agent. */
async function delegateToBilling(world: World, telling: Telling, forUser: Signer): Promise<Signer> {
  const { billing, ledger } = world;
  telling.scene(`It delegates less to ${billing.id}, offline: no authority is asked`);
  const bundle = await forUser.delegate(billing.id, { scope: 'invoice:read ticket', ttlSeconds: 120 });
  tellBundle(telling, bundle, 'invoice:read ticket, for 2 minutes');
  const forBilling = billing.accept(JSON.parse(JSON.stringify(bundle)) as DelegationBundle);
  await tellChain(telling, `GET ${invoices}`, await forBilling.fetch(ledger.origin + invoices), 200);
  return forBilling;
}

async function delegateToWorker(world: World, telling: Telling, forBilling: Signer): Promise<Signer> {
  const { worker, tickets } = world;
  telling.scene(`The billing agent delegates still less to ${worker.id}, which may not delegate at all`);
  const options = { scope: 'ticket:create', ttlSeconds: 60, maxHops: 0, keyId: worker.keyId };
  const bundle = await forBilling.delegate(worker.id, options);
  tellBundle(telling, bundle, 'ticket:create, for 1 minute, to one key');
  const forWorker = worker.accept(bundle);
  const opened = await forWorker.fetch(tickets.origin + newTicket, post({ title: 'INV-1043 does not agree' }));
  await tellChain(telling, `POST ${newTicket}`, opened, 201);
  return forWorker;
}

async function doMore({ ledger, archive }: World, telling: Telling, forWorker: Signer): Promise<void> {
  telling.scene('The worker tries what it may do for itself, but was not delegated');
  const read = await forWorker.fetch(ledger.origin + invoices);
  await telling.answer(`GET ${invoices}`, read, { status: 403, code: 'insufficient_scope' });
  const filed = await forWorker.fetch(archive.origin + newReport, post({}));
  await telling.answer(`POST ${newReport}`, filed, { status: 403, code: 'insufficient_scope' });
  const refused = await forWorker.delegate('agent-friend', { scope: 'ticket:create' }).catch((error: unknown) => error);
  telling.insist(refused instanceof AgentError && refused.code === 'delegation_impossible', 'no further link');
  telling.note('delegate', 'its own agent refuses before it signs: max_hops is 0');
}

/** A bundle is useless without the key of its delegate. */
async function stealBundle(world: World, telling: Telling, forBilling: Signer): Promise<void> {
  const { orchestrator, ledger } = world;
  telling.scene('Somebody copies the fields of the billing agent, and signs with another key');
  const { headers } = await forBilling.signRequest({ method: 'GET', url: ledger.origin + invoices });
  const stolen = {
    authorization: headers['authorization'] ?? '',
    'agent-delegation': headers['agent-delegation'] ?? '',
  };
  const response = await orchestrator.fetch(ledger.origin + invoices, { headers: stolen });
  await telling.answer(`GET ${invoices}`, response, { status: 401, code: 'delegation_invalid' });
}

interface Signers {
  readonly forUser: Signer;
  readonly forBilling: Signer;
  readonly forWorker: Signer;
}

async function revokeTheMiddle(world: World, telling: Telling, signers: Signers): Promise<void> {
  const { billing, revocations, ledger, tickets } = world;
  const { forUser, forBilling, forWorker } = signers;
  telling.scene(`${billing.id} is revoked: its requests and its delegations end at once`);
  revocations.revoke({ agent: billing.id });
  const own = await forBilling.fetch(ledger.origin + invoices);
  await telling.answer(`GET ${invoices}`, own, { status: 401, code: 'agent_suspended' });
  const below = await forWorker.fetch(tickets.origin + newTicket, post({ title: 'Once more' }));
  await telling.answer(`POST ${newTicket}`, below, { status: 401, code: 'delegation_revoked' });
  telling.note('above it', 'delegations that do not rest on it remain:');
  await tellChain(telling, `GET ${invoices}`, await forUser.fetch(ledger.origin + invoices), 200);
}

function tellBundle(telling: Telling, bundle: DelegationBundle, given: string): void {
  telling.note('delegated', given);
  telling.note('as', `one token and ${bundle.links.length} link(s), ${JSON.stringify(bundle).length} bytes of JSON`);
}

async function tellChain(telling: Telling, request: string, response: Response, status: number): Promise<void> {
  const { chain } = await telling.answer<{ readonly chain: readonly string[] }>(request, response, { status });
  telling.note('chain', chain.join(telling.arrow));
}

function post(body: object): RequestInit {
  return { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
}
