import { ConfigError } from '@countersign/common';
import type { SignFields } from './sign-fields.js';

/** What is needed of a request of supertest or superagent. All of it is there in versions 6 to 10 of superagent. */
interface SuperagentRequest {
  readonly method: string;
  readonly req: {
    readonly path: string;
    getHeaders(): Readonly<Record<string, string>>;
    setHeader(name: string, value: string): void;
  };
  _data?: unknown;
  _formData?: unknown;
  _end(): unknown;
  callback(error: unknown): void;
}

/**
 * Signs a request of supertest when it is sent. Only then are path, query and fields final; a retry is signed anew.
 * Returns the same request.
 */
export function signSupertest<T extends object>(test: T, sign: SignFields): T {
  const request = test as unknown as SuperagentRequest;
  if (typeof request._end !== 'function' || typeof request.callback !== 'function') {
    throw new ConfigError('supertest: this is no request of supertest. Write bot.supertest(request(app).get(…)).');
  }
  refuseForm(request);
  const send = request._end.bind(request);

  async function signAndSend(): Promise<void> {
    refuseForm(request);
    const { req, method } = request;
    const body = bytesOf(request._data, req.getHeaders()['content-type'] ?? '');
    const signed = await sign({ method, path: req.path, headers: sentFields(req.getHeaders()), body });
    for (const [name, value] of Object.entries(signed)) req.setHeader(name, value);
    if (body !== undefined) request._data = body;
    send();
  }

  request._end = () => {
    signAndSend().catch((error: unknown) => request.callback(error));
    return request;
  };
  return test;
}

/** Its bytes are made while they are sent. */
function refuseForm({ _formData }: SuperagentRequest): void {
  if (!_formData) return;
  throw new ConfigError(
    'supertest: a form with files cannot be signed here. Use bot.fetch, with the bytes of the form.',
  );
}

/** superagent serialises objects only after this, so it is done here. */
function bytesOf(data: unknown, contentType: string): string | Buffer | undefined {
  if (data === undefined || data === null) return undefined;
  if (typeof data === 'string' || Buffer.isBuffer(data)) return data;
  if (contentType.includes('x-www-form-urlencoded')) {
    return new URLSearchParams(data as Record<string, string>).toString();
  }
  return JSON.stringify(data);
}

function sentFields(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !/^(?:host|content-length)$/i.test(name)));
}
