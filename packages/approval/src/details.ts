import { isUtf8 } from 'node:buffer';
import { hash } from 'node:crypto';
import { isJsonObject, type JsonObject, type Reading } from '@countersign/common';
import { canonicalJson } from './canonical.js';
import { isDigest, isText, Members, reading, unreadable } from './members.js';
import { type ApprovalRequest, approvalBinding, readApprovalRequest } from './request.js';

/** The `type` of the authorization details (RFC 9396) that ask for an approval. */
export const approvalDetailsType = 'countersign_approval';

/** What the agent shows of a request of which the guard states only digests, and why it asks. */
export interface ApprovalDisclosure {
  /** The body, if it is text. */
  readonly text?: string;
  /** Any other body. */
  readonly base64?: string;
  /** The arguments of the call. */
  readonly arguments?: JsonObject;
  /** Why the agent asks, in its own words: nothing proves them. */
  readonly why?: string;
}

/** The authorization details by which an agent asks for an approval. */
export interface ApprovalDetails {
  readonly type: typeof approvalDetailsType;
  readonly binding: string;
  readonly request: ApprovalRequest;
  readonly shown?: ApprovalDisclosure;
}

/** The longest content or arguments that are shown, in UTF-16 units. */
export const maxDisclosure = 262_144;
const maxArgumentValues = 10_000;

const isContent = isText(maxDisclosure);
const isWhy = isText(1024);

/** The authorization details for a request that a guard refused with `approval_required`. */
export function approvalDetails(request: ApprovalRequest, shown?: ApprovalDisclosure): ApprovalDetails {
  const details = { type: approvalDetailsType, binding: approvalBinding(request), request } as const;
  return shown === undefined ? details : { ...details, shown };
}

/**
 * Reads one object of `authorization_details`. The binding must be that of the request, and what is shown must have the
 * digests that the request states: nobody approves something else than what runs. A body of text is read as `text`, in
 * whichever form it was shown.
 */
export function readApprovalDetails(value: unknown): Reading<ApprovalDetails> {
  return reading(() => {
    const members = new Members(value, 'details');
    members.oneOf('type', [approvalDetailsType]);
    const binding = members.text('binding', isDigest);
    const request = readApprovalRequest(members.take('request'));
    if (!request.ok) throw unreadable(request.problem);
    if (approvalBinding(request.value) !== binding) throw unreadable('details.binding is not that of the request');
    const given = members.take('shown');
    const shown = given === undefined ? undefined : disclosureIn(given, request.value);
    members.end();
    return { type: approvalDetailsType, binding, request: request.value, ...(shown !== undefined && { shown }) };
  });
}

function disclosureIn(value: unknown, { http, call }: ApprovalRequest): ApprovalDisclosure {
  const where = 'details.shown';
  const members = new Members(value, where);
  const text = members.optionalText('text', isContent);
  const base64 = members.optionalText('base64', isContent);
  const given = members.take('arguments');
  const why = members.optionalText('why', isWhy);
  members.end();
  if (text !== undefined && base64 !== undefined) throw unreadable(`${where} has two contents`);
  const content = text ?? base64;
  const bytes = content === undefined ? undefined : Buffer.from(content, text === undefined ? 'base64' : 'utf8');
  // Node skips what is no base64, and stops at the padding: that would be words of the agent.
  const isCanonical = base64 === undefined || bytes?.toString('base64') === base64;
  if (bytes !== undefined && !(isCanonical && hasContentDigest(bytes, http?.contentDigest))) {
    throw unreadable(`${where} is not the content of the request`);
  }
  if (given !== undefined && !(isJsonObject(given) && hasArgumentsDigest(given, call?.argumentsDigest))) {
    throw unreadable(`${where}.arguments are not those of the call`);
  }
  return {
    ...(bytes !== undefined && contentIn(bytes)),
    ...(why !== undefined && { why }),
    ...(given !== undefined && { arguments: given }),
  };
}

/** Text as text, in whichever form it came: people cannot read base64. */
function contentIn(bytes: Buffer): ApprovalDisclosure {
  return isUtf8(bytes) ? { text: bytes.toString() } : { base64: bytes.toString('base64') };
}

/** Arguments without a digest are none of a request, not even of one without arguments. */
function hasArgumentsDigest(given: JsonObject, stated: string | undefined): boolean {
  return stated !== undefined && argumentsDigest(given) === stated;
}

/** base64url SHA-256 of arguments by RFC 8785. Undefined if they are nested too deep, or too many. */
export function argumentsDigest(given: JsonObject, maxValues: number = maxArgumentValues): string | undefined {
  const text = canonicalJson(given, maxValues);
  return text === undefined ? undefined : hash('sha256', text, 'base64url');
}

/** Whether every digest that a Content-Digest states is that of the content. */
function hasContentDigest(content: Uint8Array, field: string | undefined): boolean {
  const digests = field?.split(', ').map((one) => /^(sha-256|sha-512)=:([A-Za-z0-9+/]+={0,2}):$/.exec(one)) ?? [];
  return (
    digests.length > 0 &&
    digests.every((parts) => {
      const [, name = '', stated = ''] = parts ?? [];
      return name !== '' && hash(name.replace('-', ''), content, 'base64') === stated;
    })
  );
}
