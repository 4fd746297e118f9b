import type { Signer } from '@countersign/agent';
import { printAuditTable, Telling, type Terminal } from '@countersign/example-stage';
import { type Call, type Report, reportAnomalies } from './billing-agent.js';
import type { World } from './world.js';

/**
 * Plays the story and tells it. Every answer shown crossed a socket.
 *
 * @throws UnexpectedTurn when a response is not the expected one.
 */
export async function tellStory(world: World, terminal: Terminal): Promise<void> {
  const { origin, agent, capabilities, audit } = world;
  const { line, bold } = terminal;
  const telling = new Telling(terminal);
  line(bold('Countersign on Fastify: an agent is asked to summarize billing anomalies'));
  line();
  line(`   API      ${origin}   invoices, warehouse, tickets, guarded by @countersign/fastify`);
  line(`   agent    ${agent.id}   may ever: ${capabilities.join(', ')}`);

  const forUser = await delegate(world, telling);
  const { invoices } = await doTheJob(world, telling, forUser);
  await obeyANote(world, telling, forUser, invoices);
  await useForgottenRoute(world, telling, forUser);
  await workForNobody(world, telling);

  telling.heading('What the audit log says');
  line();
  printAuditTable(audit.records, terminal);
  const recorded = audit.records.flatMap(({ code }) => code ?? []);
  telling.insist(String(recorded) === String(telling.refusals), 'every refusal in the log, and no other');
}

async function delegate({ authority, agent }: World, telling: Telling): Promise<Signer> {
  const scope = 'billing:read warehouse:query:billing ticket:create';
  telling.scene('user_123 delegates to it what the job needs, for 5 minutes');
  telling.note('scope', scope);
  telling.note('withheld', 'every other dataset of the warehouse, which the agent itself could query');
  return agent.withToken(await authority.letAct({ user: 'user_123', agent, scope }));
}

async function doTheJob(world: World, telling: Telling, forUser: Signer): Promise<Report> {
  telling.scene('The agent reads the invoices, asks the warehouse what was metered, and opens a ticket');
  const call: Call = async (method, path, body) =>
    telling.answer(`${method} ${path}`, await send(world, forUser, method, path, body), {
      status: path.endsWith('/tickets') ? 201 : 200,
    });
  const report = await reportAnomalies(call);
  for (const { ticket } of report.anomalies) {
    telling.note('ticket', ticket.title);
    telling.note('', `opened by ${ticket.openedBy} for ${ticket.openedFor}`);
  }
  const [only, ...more] = report.anomalies;
  telling.insist(more.length === 0 && only?.anomaly.invoice.number === 'INV-1043', 'one anomaly, of INV-1043');
  telling.insist(world.tickets().length === 1, 'one ticket');
  return report;
}

async function obeyANote(world: World, telling: Telling, forUser: Signer, invoices: Report['invoices']): Promise<void> {
  const { number, note } = invoices.find((invoice) => invoice.note !== undefined) ?? {};
  telling.scene(`A customer wrote on ${number}: "${note}", and it obeys`);
  const path = '/warehouse/payroll/query';
  const response = await send(world, forUser, 'POST', path, { sum: 'cents', by: 'employee' });
  await telling.answer(`POST ${path}`, response, { status: 403, code: 'policy_denied' });
  telling.note('because', 'user_123 delegated warehouse:query:billing, and no more');
}

async function useForgottenRoute(world: World, telling: Telling, forUser: Signer): Promise<void> {
  telling.scene('It finds a route without a permission');
  const path = '/accounts/acme/export';
  await telling.answer(`GET ${path}`, await send(world, forUser, 'GET', path), { status: 403, code: 'route_unmapped' });
  const listed = world.warnings.flatMap(({ routes = [] }) => routes);
  telling.insist(listed.includes('GET /accounts/:account/export'), 'the route in the warning at the start');
  telling.note('at start', `the API logged ${listed.join(', ')}`);
}

async function workForNobody(world: World, telling: Telling): Promise<void> {
  telling.scene('At night it tries to read for itself, without a user');
  const path = '/accounts/acme/invoices';
  const response = await send(world, world.agent, 'GET', path);
  await telling.answer(`GET ${path}`, response, { status: 403, code: 'policy_denied' });
  telling.note('because', 'every policy asks for a person: context has onBehalfOf');
}

function send({ origin }: World, signer: Signer, method: string, path: string, body?: object): Promise<Response> {
  if (body === undefined) return signer.fetch(origin + path, { method });
  const headers = { 'content-type': 'application/json' };
  return signer.fetch(origin + path, { method, headers, body: JSON.stringify(body) });
}
