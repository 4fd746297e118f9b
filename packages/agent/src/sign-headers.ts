import { randomBytes } from 'node:crypto';
import { computeContentDigest, signMessage } from '@countersign/signature';
import {
  bodyFields,
  credentialFields,
  mcpFields,
  mcpParameterPrefix,
  methodOverrideFields,
  profileTag,
  targetComponents,
} from '@countersign/common';
import { AgentError } from './agent-error.js';
import { refuseInsecureCredential } from './credentials.js';
import type { Settings } from './options.js';

/** A request as it will be sent. `headers` is completed in place. */
export interface OutgoingRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: Headers;
  readonly body: Uint8Array | undefined;
}

/** Always covered: method and target. */
const derivedComponents = ['@method', ...targetComponents];

/** Covered when present: what the body is, every credential, the fields of MCP, and those that override the method. */
const coveredFields = [...bodyFields, ...credentialFields, ...mcpFields, ...methodOverrideFields];

/**
 * Adds Content-Digest (RFC 9530), Signature-Input and Signature (RFC 9421) by the `countersign` profile: label `sig`,
 * a fresh 128-bit nonce, `created` now, `expires` after `lifetimeSeconds`, `keyid` the key's thumbprint.
 */
export async function signHeaders(request: OutgoingRequest, settings: Settings): Promise<void> {
  const { method, url, headers, body } = request;
  checkHeaders(url, headers);
  if (!settings.dangerouslyAllowHttp) refuseInsecureCredential(url, headers);
  // A guard expects a digest only with a body. A digest that the caller set could be of other bytes.
  headers.delete('content-digest');
  if (body !== undefined && body.byteLength > 0) headers.set('content-digest', computeContentDigest(body));

  const created = Math.floor(settings.clock() / 1000);
  const { signatureInput, signature } = await signMessage(
    {
      method,
      scheme: url.protocol === 'https:' ? 'https' : 'http',
      authority: url.host,
      target: url.pathname + url.search,
      rawFields: [...headers].flat(),
    },
    {
      key: settings.key,
      label: 'sig',
      components: [...derivedComponents, ...presentFields(headers, settings.cover)],
      parameters: {
        created,
        expires: created + settings.lifetimeSeconds,
        nonce: randomBytes(16).toString('base64url'),
        keyid: settings.key.keyId,
        tag: profileTag,
      },
    },
  );
  headers.set('signature-input', signatureInput);
  headers.set('signature', signature);
}

function presentFields(headers: Headers, cover: readonly string[]): string[] {
  const mcpParameters = [...headers.keys()].filter((name) => name.startsWith(mcpParameterPrefix));
  return [...new Set([...coveredFields, ...cover, ...mcpParameters])].filter((name) => headers.has(name));
}

function checkHeaders(url: URL, headers: Headers): void {
  const host = headers.get('host');
  if (host !== null && host.toLowerCase() !== url.host) {
    throw new AgentError(
      'host_mismatch',
      `The Host header names ${host}, but the URL names ${url.host}. Drop the header.`,
    );
  }
  if (headers.has('signature') || headers.has('signature-input')) {
    throw new AgentError(
      'already_signed',
      'The headers already carry a signature. Sign a request once, unsigned as yet.',
    );
  }
}
