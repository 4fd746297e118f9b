import { AgentError } from '@countersign/agent';
import { printAuditTable, Telling, type Terminal } from '@countersign/example-stage';
import type { World } from './world.js';

const invoices = '/accounts/acme/invoices';
const tickets = '/queues/finance/tickets';

/**
 * Plays the story and tells it. Every answer shown crossed a socket.
 *
 * @throws UnexpectedTurn when a response is not the expected one.
 */
export async function tellStory(world: World, terminal: Terminal): Promise<void> {
  const { api, planner, worker, stranger, audit } = world;
  const telling = new Telling(terminal);
  terminal.line(terminal.bold('Countersign: workloads of SPIRE as agents, without a registered key'));

  telling.scene('The planner acts for alice: its JWT-SVID and a key of its own got it a token');
  const forAlice = await planner.actFor(await world.userToken());
  await tellChain(telling, `GET ${invoices}`, await forAlice.fetch(api + invoices), 200);

  telling.scene('It asks the worker for help, which exchanges the token that it was called with');
  const { headers } = await forAlice.signRequest({ method: 'POST', url: `${api}/help` });
  const token = String(headers['authorization']).replace(/^Bearer /, '');
  const asWorker = await worker.actFor(token);
  await tellChain(telling, `POST ${tickets}`, await asWorker.fetch(api + tickets, post), 201);

  telling.scene('The worker tries what it was not given');
  await telling.answer(`GET ${invoices}`, await asWorker.fetch(api + invoices), { status: 403, code: 'policy_denied' });

  telling.scene('Another workload of the same trust domain is named by no rule of the authority');
  const refused = await stranger.fetch(api + invoices).catch((error: unknown) => error);
  telling.insist(refused instanceof AgentError && refused.code === 'token_refused', 'no token');
  telling.note(stranger.id, 'token_refused: nothing was sent to the API');

  telling.scene('The agent of SPIRE crashes: tokens that are held go on');
  world.killSpireAgent();
  await tellChain(telling, `POST ${tickets}`, await asWorker.fetch(api + tickets, post), 201);

  telling.scene('The planner is suspended at the authority: it and what it handed on end');
  await world.suspend(planner.id);
  const own = await forAlice.fetch(api + invoices);
  await telling.answer(`GET ${invoices}`, own, { status: 401, code: 'token_not_bound_to_agent' });
  const below = await asWorker.fetch(api + tickets, post);
  await telling.answer(`POST ${tickets}`, below, { status: 401, code: 'delegation_revoked' });

  telling.heading('What the audit log says');
  terminal.line();
  printAuditTable(audit.records, terminal);
  const recorded = audit.records.flatMap(({ code }) => code ?? []);
  telling.insist(String(recorded) === String(telling.refusals), 'every refusal in the log, and no other');
}

const post: RequestInit = {
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ title: 'INV-1043 does not agree' }),
};

async function tellChain(telling: Telling, request: string, response: Response, status: number): Promise<void> {
  const { chain } = await telling.answer<{ readonly chain: readonly string[] }>(request, response, { status });
  telling.note('chain', chain.join(telling.arrow));
}
