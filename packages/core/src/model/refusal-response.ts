import { CodedError, refusalPages } from '@countersign/common';
import { catalogue, type Refusal } from './refusal.js';

/** A refusal as it goes over the wire: RFC 9457 problem details and the challenge, byte-identical on every host. */
export interface RefusalResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** What a guard that accepts DPoP adds to its challenges (RFC 9449 §7.1, §9). */
export interface DpopChallenge {
  readonly algorithms: readonly string[];
  /** The nonce to use, where one is asked for. */
  readonly nonce: string | undefined;
}

/**
 * Renders a refusal. `acceptSignature` is the Accept-Signature value (RFC 9421 §5.1) that tells a client what to sign;
 * it accompanies every challenge about signatures. `dpop` is for guards that accept DPoP. `metadataUrl`: where clients learn
 * how to get a token (RFC 9728 §5.1).
 */
export function refusalResponse(
  refused: Refusal,
  acceptSignature: string,
  dpop?: DpopChallenge,
  metadataUrl?: string,
): RefusalResponse {
  const { retryAfterSeconds } = catalogue[refused.code];
  const body = JSON.stringify({
    type: `${refusalPages}${refused.code}`,
    title: refused.title,
    status: refused.status,
    code: refused.code,
    ...(refused.explanation === undefined ? {} : { explanation: refused.explanation }),
    ...(refused.approval === undefined ? {} : { approval: refused.approval }),
  });
  return {
    status: refused.status,
    headers: {
      'content-type': 'application/problem+json',
      'cache-control': 'no-store',
      ...challenge(refused, acceptSignature, dpop, metadataUrl),
      ...(retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) }),
      ...(refused.code === 'dpop_nonce_required' && dpop?.nonce !== undefined ? { 'dpop-nonce': dpop.nonce } : {}),
    },
    body,
  };
}

function challenge(
  refused: Refusal,
  acceptSignature: string,
  dpop?: DpopChallenge,
  metadataUrl?: string,
): Record<string, string> {
  const { challenge: kind } = catalogue[refused.code];
  const metadata = metadataUrl === undefined ? '' : `resource_metadata="${metadataUrl}"`;
  const more = metadata === '' ? '' : `, ${metadata}`;
  const description = `error_description="${refused.title}"`;
  switch (kind) {
    case 'signature':
      return {
        ...(refused.status === 401
          ? authenticate(
              `Signature error="${refused.code}"`,
              dpopScheme(dpop),
              metadata === '' ? undefined : `Bearer ${metadata}`,
            )
          : {}),
        'accept-signature': acceptSignature,
      };
    case 'token': {
      const error = `error="invalid_token", ${description}`;
      return authenticate(`Bearer ${error}${more}`, dpopScheme(dpop, error));
    }
    case 'scope': {
      const error = `error="insufficient_scope"${scopeParameter(refused)}`;
      return authenticate(`Bearer ${error}${more}`, dpopScheme(dpop, error));
    }
    case 'dpop': {
      const error = refused.code === 'dpop_nonce_required' ? 'use_dpop_nonce' : 'invalid_dpop_proof';
      return authenticate(dpopScheme(dpop ?? noDpop, `error="${error}", ${description}`));
    }
    default:
      return {};
  }
}

const noDpop: DpopChallenge = { algorithms: [], nonce: undefined };

function authenticate(...challenges: readonly (string | undefined)[]): Record<string, string> {
  return { 'www-authenticate': challenges.filter((scheme) => scheme !== undefined).join(', ') };
}

/** Undefined where DPoP is not accepted: a client must not be sent there. */
function dpopScheme(dpop: DpopChallenge | undefined, error?: string): string | undefined {
  if (dpop === undefined) return undefined;
  const algorithms = dpop.algorithms.length === 0 ? undefined : `algs="${dpop.algorithms.join(' ')}"`;
  return `DPoP ${[error, algorithms].filter((parameter) => parameter !== undefined).join(', ')}`;
}

function scopeParameter({ requiredScope }: Refusal): string {
  return requiredScope === undefined ? '' : `, scope="${requiredScope}"`;
}

/**
 * A refusal on its way to an application's own error handler (`onRefusal: 'throw'`). `status`, `statusCode`, `expose`
 * and `headers` are what the error handlers of Express, Koa and Fastify look at.
 */
export class RefusalError extends CodedError<Refusal['code']> {
  override readonly name = 'RefusalError';
  readonly status: number;
  readonly statusCode: number;
  readonly expose = true;
  readonly headers: RefusalResponse['headers'];
  /** The problem details that would have been sent, as JSON text. */
  readonly body: string;

  constructor(refused: Refusal, response: RefusalResponse) {
    super(refused.code, refused.title);
    // Error handlers of last resort print the stack to the client; there is nothing in ours for anybody.
    this.stack = `RefusalError: ${refused.title}`;
    this.status = refused.status;
    this.statusCode = refused.status;
    this.headers = response.headers;
    this.body = response.body;
  }
}
