import type { Agent, ApprovalQuestion, Signer } from '@countersign/agent';
import type { Caller } from '@countersign/core';
import { printAuditTable, Telling, type Terminal } from '@countersign/example-stage';
import type { PullRequest } from './pull-requests.js';
import type { World } from './world.js';

const pullsPath = '/repos/acme/api/pulls';
const mergePath = '/repos/acme/api/merge';
const foreignMergePath = '/repos/acme/www/merge';
const titles = { honest: 'Fix the flaky test', forged: 'Add a secret admin' };

/**
 * Plays the story and tells it. Everything told comes from an HTTP exchange or from the audit log.
 *
 * @throws UnexpectedTurn when a response is not the expected one.
 */
export async function tellStory(world: World, terminal: Terminal): Promise<void> {
  const telling = new Telling(terminal);
  introduce(world, terminal);

  const token = await delegate(world, telling, 'pr:write:draft');
  const forUser = world.reviewer.withToken(token);
  const recorded = await openDraft(world, telling, forUser);
  await tryToMerge(world, telling, forUser);
  await replay(world, telling, recorded);
  await changeBodyOnTheWay(world, telling, forUser);
  await useStolenToken(world, telling, token);
  await exceedDelegation(world, telling);
  await useSharedKey(world, telling);
  await mergeWithConsent(world, telling, forUser);
  await readWhatIsThere(world, telling);

  await readAuditLog(world, telling, terminal);
}

function introduce(
  { wire, authority, user, reviewer, otherAgent, capabilities }: World,
  { line, bold, dim }: Terminal,
): void {
  const about = ({ keyId }: Agent) => `key ${keyId.slice(0, 8)}, may ever: ${capabilities.join(', ')}`;
  line(bold('Countersign: which agent is this, for whom does it act, and may it?'));
  line(dim('Real servers on this machine: every answer below crossed a socket.'));
  line();
  line(`   API        ${wire.origin}   pull requests, guarded by @countersign/express`);
  line(`   authority  ${authority.issuer}   where ${user} says what an agent may do`);
  line(`   agents     ${reviewer.id}   ${about(reviewer)}`);
  line(`              ${otherAgent.id}     ${about(otherAgent)}`);
}

/** The user reads on the page of the authority what the agent asks for, and allows it. Resolves to the token. */
async function delegate(world: World, telling: Telling, scope: string): Promise<string> {
  const { reviewer, user } = world;
  telling.scene(`${user} lets ${reviewer.id} act with ${scope}, on the page of the authority`);
  const token = await letAct(world, telling, scope);
  const { sub, act, scope: granted, aud, iat, exp } = claimsOf(token);
  telling.note('the token', `${act.sub} acts for ${sub}, scope ${granted}`);
  telling.note('counts at', `${aud}, for ${exp - iat} seconds, until ${clock(exp)}`);
  return token;
}

async function letAct({ authority, user, reviewer }: World, telling: Telling, scope: string): Promise<string> {
  const statuses: Readonly<Record<string, number>> = { 'POST /consent': 303 };
  return await authority.letAct({
    user,
    agent: reviewer,
    scope,
    seen: (request, response) => telling.answer(request, response, { status: statuses[request] ?? 200 }),
  });
}

/** The agent does its task. Resolves to the bytes that crossed the network. */
async function openDraft({ wire, reviewer, user }: World, telling: Telling, forUser: Signer): Promise<Buffer> {
  telling.scene(`The agent opens a draft pull request for ${user}`);
  wire.heard();
  const response = await forUser.fetch(wire.origin + pullsPath, jsonPost({ title: titles.honest }));
  const request = wire.heard();
  const { pull, chain } = await telling.answer<{ pull: PullRequest; chain: Caller['chain'] }>(
    `POST ${pullsPath}`,
    response,
    { status: 201 },
  );
  const [subject, actor] = chain;
  telling.note('opened', `#${pull.number} "${pull.title}", ${pull.state}`);
  telling.note('signed over', components(signatureInput(request)));
  telling.note('chain', chain.map(({ id }) => id).join(telling.arrow));
  telling.note('', `${subject.id} is vouched for by ${subject.issuer}, until ${clock(subject.expiresAt)}`);
  telling.note('', `${actor?.id} proved its key ${actor?.keyId?.slice(0, 8)} by the signature`);
  telling.insist(subject.id === user && actor?.id === reviewer.id, 'the chain from the user to the agent');
  return request;
}

async function tryToMerge(world: World, telling: Telling, forUser: Signer): Promise<void> {
  telling.scene('It tries to merge into the website, which only people may');
  const response = await forUser.fetch(world.wire.origin + foreignMergePath, jsonPost({ number: 1 }));
  await telling.answer(`POST ${foreignMergePath}`, response, { status: 403, code: 'policy_denied' });
  // Only the audit log names the policy: the response must not reveal policies to a client.
  const [policy] = (await world.audit()).findLast(({ action }) => action === 'pr.merge')?.policies ?? [];
  telling.insist(policy === 'pull-requests.cedar#people-merge-the-site', 'the policy that forbids to merge');
  telling.note('decided by', `${policy} (from the audit log)`);
}

/** The merge waits for a person, who reads on the page of the authority what exactly would run. */
async function mergeWithConsent(world: World, telling: Telling, forUser: Signer): Promise<void> {
  const { wire, authority, reviewer, approver } = world;
  telling.scene('It asks to merge its draft, and a person approves exactly that');
  const body = { number: 1 };
  const merge = async (headers = {}) => await forUser.fetch(wire.origin + mergePath, jsonPost(body, headers));
  const { approval: question } = await telling.answer<{ approval: ApprovalQuestion }>(
    `POST ${mergePath}`,
    await merge(),
    { status: 403, code: 'approval_required' },
  );
  const [quorum] = question.request.requirement.quorums;
  telling.note('it needs', `${quorum?.count} of ${quorum?.groups.join(' or ')}`);

  const reason = 'Read the diff';
  const shown = { text: JSON.stringify(body), why: 'All checks are green' };
  const approval = await reviewer.requestApproval(
    { ...question, shown },
    {
      onAsked: async ({ url }) => {
        await world.readyForApprovals();
        await authority.approve({
          by: approver,
          url,
          reason,
          seen: (what, response) => telling.answer(what, response, { status: what.startsWith('GET') ? 200 : 303 }),
        });
      },
    },
  );
  telling.note('approved by', `${approver}: "${reason}"`);

  const headers = { 'agent-approval': approval };
  await telling.answer(`POST ${mergePath}`, await merge(headers), { status: 200 });
  await telling.answer(`POST ${mergePath}`, await merge(headers), { status: 403, code: 'approval_used' });
  const record = (await world.audit()).findLast(
    ({ approval: used, decision }) => used !== undefined && decision === 'allow',
  );
  telling.insist(record?.approval?.approvers?.[0]?.id === approver, 'the approver in the audit log');
  telling.note('in the log', `approval ${String(record?.approval?.id).slice(0, 8)} by ${approver}`);
}

async function replay({ wire }: World, telling: Telling, recorded: Buffer): Promise<void> {
  telling.scene('Somebody on the network recorded scene 2 and sends it again, byte for byte');
  const response = await wire.send(recorded);
  await telling.answer(`POST ${pullsPath}`, response, { status: 401, code: 'signature_replayed' });
  telling.note('sent again', `${recorded.length} bytes; each signature counts once`);
}

async function changeBodyOnTheWay({ wire }: World, telling: Telling, forUser: Signer): Promise<void> {
  telling.scene('Somebody on the network changes the body of a new request');
  const { honest, forged } = titles;
  const response = await wire.altering(honest, forged, () =>
    forUser.fetch(wire.origin + pullsPath, jsonPost({ title: honest })),
  );
  await telling.answer(`POST ${pullsPath}`, response, { status: 401, code: 'digest_mismatch' });
  telling.insist(wire.heard().includes(forged), 'the changed body on the wire');
  telling.note('on the way', `"${honest}" became "${forged}"`);
}

async function useStolenToken({ wire, otherAgent }: World, telling: Telling, token: string): Promise<void> {
  telling.scene(`Another agent, ${otherAgent.id}, got hold of the token of scene 1`);
  const response = await otherAgent.withToken(token).fetch(wire.origin + pullsPath, jsonPost({ title: titles.forged }));
  await telling.answer(`POST ${pullsPath}`, response, { status: 401, code: 'token_not_bound_to_agent' });
  telling.note('because', `the signature is ${otherAgent.id}'s, the token is for ${claimsOf(token).act.sub}`);
}

async function exceedDelegation(world: World, telling: Telling): Promise<void> {
  const { wire, reviewer } = world;
  telling.scene('The user delegates repo:read only; the agent itself could do more, and tries');
  const token = await letAct(world, telling, 'repo:read');
  const response = await reviewer.withToken(token).fetch(wire.origin + pullsPath, jsonPost({ title: titles.honest }));
  await telling.answer(`POST ${pullsPath}`, response, { status: 403, code: 'insufficient_scope' });
  const challenge = response.headers.get('www-authenticate') ?? '';
  telling.insist(challenge.includes('scope="pr:write:draft"'), 'a challenge that names the scope');
  telling.note('needed', challenge);
}

async function useSharedKey({ wire }: World, telling: Telling): Promise<void> {
  telling.scene('A script from before calls with the API key that everybody shared');
  const response = await fetch(
    wire.origin + pullsPath,
    jsonPost({ title: titles.honest }, { 'x-api-key': 'API_KEY_7' }),
  );
  await telling.answer(`POST ${pullsPath}`, response, { status: 401, code: 'signature_required' });
  telling.note('it sent', 'X-API-Key: API_KEY_7');
  telling.note('must sign', components(response.headers.get('accept-signature') ?? ''));
}

async function readWhatIsThere({ wire, reviewer }: World, telling: Telling): Promise<void> {
  telling.scene('What came of it all? The agent looks, this time for itself');
  const response = await reviewer.fetch(wire.origin + pullsPath);
  const pulls = await telling.answer<PullRequest[]>(`GET ${pullsPath}`, response, { status: 200 });
  for (const { number, title, state, openedBy, openedFor } of pulls) {
    telling.note(`#${number} ${state}`, `"${title}" by ${openedBy} for ${openedFor}`);
  }
  const [only] = pulls;
  telling.insist(
    pulls.length === 1 && only?.title === titles.honest && only.state === 'merged',
    'one pull request, merged',
  );
}

async function readAuditLog(world: World, telling: Telling, terminal: Terminal): Promise<void> {
  await world.stop();
  telling.heading('The API has stopped. What its audit log says:');
  terminal.line();
  const records = await world.audit();
  printAuditTable(records, terminal);
  const recorded = records.flatMap(({ code }) => code ?? []);
  telling.insist(String(recorded) === String(telling.refusals), 'every refusal in the log, and no other');
  const { ok, size, sealed } = await world.verify();
  telling.insist(ok, 'a log that is as it was written');
  terminal.line();
  const own = size - records.length;
  telling.note('verified', `${size} records, ${own} of them the log's own: none changed or missing, ${sealed} sealed`);
}

function jsonPost(body: object, headers: Record<string, string> = {}): RequestInit {
  return { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) };
}

interface Claims {
  readonly sub: string;
  readonly act: { readonly sub: string };
  readonly scope: string;
  readonly aud: string;
  readonly iat: number;
  readonly exp: number;
}

/** Decodes a token to show it, without verification: the API verifies it. */
function claimsOf(token: string): Claims {
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as Claims;
}

function signatureInput(request: Buffer): string {
  return /^signature-input: (.*)$/im.exec(request.toString('latin1'))?.[1] ?? '';
}

/** The list in `sig=("@method" "@authority" ...);created=...`. */
function components(field: string): string {
  return (/\(([^)]*)\)/.exec(field)?.[1] ?? '').replaceAll('"', '');
}

function clock(unixSeconds = 0): string {
  return `${new Date(unixSeconds * 1000).toISOString().slice(11, 19)} UTC`;
}
