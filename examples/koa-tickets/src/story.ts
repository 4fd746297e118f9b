import { printAuditTable, Telling, type Terminal } from '@countersign/example-stage';
import type { Ticket } from './tickets.js';
import type { Who } from './who.js';
import type { World } from './world.js';

/**
 * Plays the story and tells it. Every answer shown crossed a socket.
 *
 * @throws UnexpectedTurn when a response is not the expected one.
 */
export async function tellStory(world: World, terminal: Terminal): Promise<void> {
  const { origin, person, helper, triage, audit } = world;
  const { line, bold } = terminal;
  const telling = new Telling(terminal);
  line(bold('Countersign on Koa: people and agents side by side, and neither passes for the other'));
  line();
  line(`   API      ${origin}   tickets; @countersign/koa beside a session cookie`);
  line(`   people   ${person.name}, with a password`);
  line(`   agents   ${helper.id}, ${triage.id}, each with a key`);

  const cookie = await workAsAPerson(world, telling);
  const token = await workThroughAnAgent(world, telling);
  await passForHerByToken(world, telling, token);
  await passForHerByCookie(world, telling, cookie);
  await signAndCarryHerCookie(world, telling, { token, cookie });
  await doWhatAgentsDo(world, telling, cookie);
  await comeAsNobody(world, telling);
  await seeWhatCameOfIt(world, telling, cookie);

  telling.heading('What the audit log says: what agents did, and who tried to pass for one');
  line();
  printAuditTable(audit.records, terminal);
  // Only the log says that the key is unknown.
  const recorded = audit.records.flatMap(({ code }) => (code === 'key_unknown' ? 'signature_invalid' : (code ?? [])));
  telling.insist(String(recorded) === String(telling.refusals), 'every refusal in the log, and no other');
}

/** Resolves to her session cookie. */
async function workAsAPerson({ origin, person }: World, telling: Telling): Promise<string> {
  telling.scene(`${person.name} signs in and opens a ticket, as before there were agents`);
  const session = await fetch(`${origin}/session`, post(person));
  await telling.answer('POST /session', session, { status: 204 });
  const cookie = session.headers.getSetCookie()[0]?.split(';')[0] ?? '';
  const response = await fetch(`${origin}/tickets`, post({ title: 'The printer is on fire' }, { cookie }));
  const { openedBy } = await telling.answer<Ticket>('POST /tickets', response, { status: 201 });
  telling.note('opened by', spell(openedBy));
  telling.insist(openedBy.kind === 'person', 'a ticket of a person');
  return cookie;
}

/** Resolves to the token with her delegation. */
async function workThroughAnAgent({ origin, person, authority, helper }: World, telling: Telling): Promise<string> {
  telling.scene(`She delegates ticket:write to ${helper.id}, which opens a ticket for her and attaches a photo`);
  const token = await authority.letAct({ user: person.name, agent: helper, scope: 'ticket:write' });
  const forHer = helper.withToken(token);
  const opened = await forHer.fetch(`${origin}/tickets`, post({ title: 'Still on fire' }));
  await telling.answer('POST /tickets', opened, { status: 201 });

  const form = new FormData();
  form.set('file', new File([new Uint8Array(200_000).fill(7)], 'fire.jpg', { type: 'image/jpeg' }));
  const attached = await forHer.fetch(`${origin}/tickets/2/attachments`, { method: 'POST', body: form });
  const { openedBy, attachments } = await telling.answer<Ticket>('POST /tickets/2/attachments', attached, {
    status: 201,
  });
  const [photo] = attachments;
  telling.note('opened by', spell(openedBy));
  telling.note('attached', `${photo?.name}, ${photo?.bytes} bytes, read by @koa/multer once they had verified`);
  telling.insist(openedBy.kind === 'agent' && openedBy.onBehalfOf === person.name, 'a ticket of an agent for her');
  telling.insist(photo?.bytes === 200_000, 'the whole photo');
  return token;
}

async function passForHerByToken({ origin, person }: World, telling: Telling, token: string): Promise<void> {
  telling.scene(`Somebody stole that token, which has ${person.name} in it, and sends it as a user's token`);
  const response = await fetch(`${origin}/tickets`, { headers: { authorization: `Bearer ${token}` } });
  await telling.answer('GET /tickets', response, { status: 401, code: 'signature_required' });
  telling.note('because', 'it names an actor, so it counts under the signature of that agent only');
}

async function passForHerByCookie({ origin, unknownAgent }: World, telling: Telling, cookie: string): Promise<void> {
  telling.scene('Somebody stole her cookie as well, and signs with a key that nobody registered');
  const response = await unknownAgent.fetch(`${origin}/tickets`, { headers: { cookie } });
  await telling.answer('GET /tickets', response, { status: 401, code: 'signature_invalid' });
  telling.note('because', 'a signature that does not count never falls back to a cookie that would');
}

interface Credentials {
  readonly token: string;
  readonly cookie: string;
}

async function signAndCarryHerCookie(
  { origin, helper }: World,
  telling: Telling,
  { token, cookie }: Credentials,
): Promise<void> {
  telling.scene(`${helper.id} sends her cookie along, to close a ticket as people may`);
  const response = await helper.withToken(token).fetch(`${origin}/tickets/1/close`, post({}, { cookie }));
  await telling.answer('POST /tickets/1/close', response, { status: 403, code: 'policy_denied' });
  telling.note('because', 'who signs is an agent, whatever else it carries; people close tickets');
}

async function doWhatAgentsDo({ origin, person, triage }: World, telling: Telling, cookie: string): Promise<void> {
  telling.scene(`Triage is for agents only: ${person.name} may not, ${triage.id} may`);
  const path = '/tickets/2/triage';
  const hers = await fetch(origin + path, post({}, { cookie }));
  await telling.answer(`POST ${path}`, hers, { status: 401, code: 'signature_required' });
  const its = await triage.fetch(origin + path, post({}));
  await telling.answer(`POST ${path}`, its, { status: 200 });
}

async function comeAsNobody({ origin }: World, telling: Telling): Promise<void> {
  telling.scene('Without cookie and signature, the application answers as it always did');
  await telling.answer('GET /tickets', await fetch(`${origin}/tickets`), { status: 401 });
}

async function seeWhatCameOfIt({ origin, person }: World, telling: Telling, cookie: string): Promise<void> {
  telling.scene(`${person.name} closes the first ticket and looks at both`);
  const closed = await fetch(`${origin}/tickets/1/close`, post({}, { cookie }));
  await telling.answer('POST /tickets/1/close', closed, { status: 200 });
  const response = await fetch(`${origin}/tickets`, { headers: { cookie } });
  const tickets = await telling.answer<Ticket[]>('GET /tickets', response, { status: 200 });
  for (const { number, state, title, openedBy } of tickets) {
    telling.note(`#${number} ${state}`, `"${title}" by ${spell(openedBy)}`);
  }
  telling.insist(tickets.map(({ state }) => state).join() === 'closed,urgent', 'one ticket closed, one urgent');
}

function spell(who: Who): string {
  return who.kind === 'person' ? `${who.id}, in person` : `${who.id} for ${who.onBehalfOf}`;
}

function post(body: object, headers: Record<string, string> = {}): RequestInit {
  return { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) };
}
