import { boundString } from '@countersign/common';
import type { Caller, Refusal } from '@countersign/core';
import type { Denial } from './denial.js';
import { argumentsIn } from './arguments.js';
import { errorCodes, isJsonObject, type JsonObject, memberOf } from './json-rpc.js';
import { type AskedRequest, capabilitiesIn, opensPages } from './request-meta.js';
import { purposesOf } from './request-state.js';
import type { Seal } from './seal.js';

/** Who asked for what, and where the server was. */
export interface ApprovalRound {
  readonly caller: Caller;
  readonly asked: AskedRequest;
  /** Undefined: no state can be given away. */
  readonly seal: Seal | undefined;
  /** The state of the server, if the request has one. */
  readonly state: string | undefined;
}

/** The denial of what needs approval, which sends the user to the page where people decide if the client can. */
export function onApprovalPage(denial: Denial, refused: Refusal, round: ApprovalRound): Denial {
  const page = refused.code === 'approval_required' ? pageOf(refused) : undefined;
  const {
    request,
    isModern,
    opensPages: opens = opensPages(capabilitiesIn(memberOf(request.params, '_meta'))),
  } = round.asked;
  if (page === undefined || !opens) return denial;
  if (!isModern) return withPage(denial, page);
  const result = approvalRound(page, round);
  return result === undefined ? denial : { ...denial, result };
}

/** The name under which the guard asks the user. */
const approvalKey = 'countersign-approval';

/** What the client shows its user, and where it sends the user then. */
interface Page {
  readonly message: string;
  readonly url: string;
}

/**
 * What asks the user to open a page (MCP 2026-07-28). The state of the server, if the request has one, is kept in the
 * state of this round, so that the server goes on where it was.
 */
function approvalRound({ message, url }: Page, { asked, state, caller, seal }: ApprovalRound): JsonObject | undefined {
  const purpose = purposesOf(asked)?.approval;
  if (seal === undefined || purpose === undefined) return undefined;
  const elicitation = { method: 'elicitation/create', params: { mode: 'url', message, url } };
  const requestState = seal.seal(JSON.stringify(state ?? null), purpose, caller);
  return { resultType: 'input_required', inputRequests: { [approvalKey]: elicitation }, requestState };
}

/** The answers of the user without the one to the guard; undefined if there is no other. */
export function withoutApprovalAnswer(responses: unknown): unknown {
  if (!isJsonObject(responses)) return responses;
  const { [approvalKey]: _ours, ...others } = responses;
  return Object.keys(others).length === 0 ? undefined : others;
}

/** Where arguments stand that have more beside them. Agents digest plain arguments as they are, so no tool may have it. */
const besideMore = 'countersign/arguments';

/**
 * What people approve of a call, and records name by its digest: its arguments. With it stands what else its sender
 * chooses and the server may act by, such as answers to what a tool asked, if there is any.
 */
export function contentOf(params: unknown, given?: JsonObject): JsonObject {
  const { name: _name, arguments: _given, task: _task, ...others } = argumentsIn(params);
  const inputResponses = withoutApprovalAnswer(memberOf(params, 'inputResponses'));
  const answers = inputResponses === undefined ? {} : { inputResponses };
  if (given === undefined) return { ...argumentsIn(params), ...answers };
  const more = { ...others, ...answers };
  // Arguments with this name would look like ones that have more beside them.
  const isAlone = Object.keys(more).length === 0 && !Object.hasOwn(given, besideMore);
  // Apart: one of its sender's choice beside them must not take the place of the arguments.
  return isAlone ? given : { [besideMore]: given, 'countersign/beside': more };
}

/** The parameters for the server, with its own state and the answers to it. */
export function openedParams(
  params: JsonObject,
  { requestState, isApproval }: { readonly requestState: string | undefined; readonly isApproval: boolean },
): JsonObject {
  if (!isApproval) return requestState === undefined ? params : { ...params, requestState };
  const { requestState: _sealed, inputResponses, ...rest } = params;
  const others = withoutApprovalAnswer(inputResponses);
  return {
    ...rest,
    ...(others !== undefined && { inputResponses: others }),
    ...(requestState !== undefined && { requestState }),
  };
}

/** What the client shows its user before it opens the page where people approve. */
function pageOf({ approval }: Refusal): Page | undefined {
  if (approval?.url === undefined) return undefined;
  const { action, resource } = approval.request;
  const what = boundString(`${action} on ${resource.type}::${JSON.stringify(resource.id)}`, 200);
  return { message: `${what} needs approval. The page shows what will run, and who decides.`, url: approval.url };
}

/** The same for clients of revision 2025-11-25, which repeat the call by themselves later. */
function withPage(denial: Denial, page: Page): Denial {
  const { data = {} } = denial.error;
  const elicitation = { mode: 'url', ...page, elicitationId: String(memberOf(data['approval'], 'binding')) };
  const error = {
    ...denial.error,
    code: errorCodes.urlElicitationRequired,
    data: { ...data, elicitations: [elicitation] },
  };
  return { error };
}
