import { approvalBinding, type ApprovalDisclosure, maxDisclosure, readApprovalRequest } from '@countersign/approval';
import { isJsonObject, member, parseStrictJson } from '@countersign/common';
import { computeContentDigest } from '@countersign/signature';
import type { ApprovalQuestion } from './approval-question.js';
import { peek } from './peek.js';

/** What was sent, to be compared with what an API wants people to approve. */
export interface SentRequest {
  readonly agent: string;
  readonly method: string;
  readonly url: URL;
  readonly headers: Headers;
  readonly body: Uint8Array | undefined;
}

/** The problem details hold the request, with a target of up to 32 KiB. */
const limits = { maxBytes: 131_072, seconds: 5 };

/**
 * What people have to approve before an API does what was sent. Undefined: it refused for another reason, or wants
 * approval for something that was not sent; nobody is asked about that.
 */
export async function readApprovalRequired(
  received: Response,
  sent: SentRequest,
): Promise<{ readonly response: Response; readonly question: ApprovalQuestion | undefined }> {
  const type = received.headers.get('content-type');
  if (received.status !== 403 || type?.startsWith('application/problem+json') !== true) {
    return { response: received, question: undefined };
  }
  const { text = '', response } = await peek(received, limits);
  return { response, question: questionIn(text, sent) };
}

function questionIn(text: string, sent: SentRequest): ApprovalQuestion | undefined {
  const problem = parseStrictJson(text);
  if (!problem.ok || !isJsonObject(problem.value) || member(problem.value, 'code') !== 'approval_required')
    return undefined;
  const asked = member(problem.value, 'approval');
  if (!isJsonObject(asked)) return undefined;
  const request = readApprovalRequest(member(asked, 'request'));
  const issuers = member(asked, 'issuers');
  const url = member(asked, 'url');
  const isPage = typeof url === 'string' && /^https?:/i.test(url) && URL.canParse(url);
  if (!request.ok || !Array.isArray(issuers) || !issuers.every((issuer) => typeof issuer === 'string'))
    return undefined;
  const { actor, http } = request.value;
  const isSent =
    approvalBinding(request.value) === member(asked, 'binding') &&
    actor.id === sent.agent &&
    http?.method === sent.method &&
    http.authority === sent.url.host &&
    http.path + (http.query ?? '') === sent.url.pathname + sent.url.search &&
    // Not all of them are signed: people must not be asked about what somebody between here and there has written.
    Object.entries(http.fields ?? {}).every(([name, value]) => value === sent.headers.get(name)) &&
    http.contentDigest === digestOf(sent.body);
  const shown = disclosureOf(sent.body);
  if (!isSent) return undefined;
  return { request: request.value, issuers, ...(isPage && { url: new URL(url).href }), ...(shown && { shown }) };
}

function digestOf(body: Uint8Array | undefined): string | undefined {
  return body === undefined || body.byteLength === 0 ? undefined : computeContentDigest(body);
}

/** The body, as people can read it; undefined if there is none, or too much of it. */
function disclosureOf(body: Uint8Array | undefined): ApprovalDisclosure | undefined {
  if (body === undefined || body.byteLength === 0 || body.byteLength > maxDisclosure / 2) return undefined;
  try {
    return { text: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body) };
  } catch {
    return { base64: Buffer.from(body).toString('base64') };
  }
}
