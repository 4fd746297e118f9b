import type { ServerResponse } from 'node:http';

export type Method = (...args: unknown[]) => unknown;

/** The methods by which a handler answers. */
export type Gated =
  | 'writeHead'
  | 'write'
  | 'end'
  | 'flushHeaders'
  | 'writeEarlyHints'
  | 'setTrailer'
  | 'createPushResponse';

export const gated: readonly Gated[] = ['writeHead', 'write', 'end', 'flushHeaders', 'writeEarlyHints'];
export const gatedOfHttp2: readonly Gated[] = [...gated, 'setTrailer', 'createPushResponse'];

export function isOfHttp2(response: ServerResponse): boolean {
  return 'setTrailer' in response;
}

/** In place of the methods of a response whose answer has been given. They would throw, or emit an error. */
const drops = {
  setHeader: chain,
  setHeaders: chain,
  appendHeader: chain,
  removeHeader: chain,
  writeHead: chain,
  write: drop('write', true),
  end(this: ServerResponse, ...args: unknown[]): ServerResponse {
    callBack('end', args);
    return this;
  },
  flushHeaders: ignore,
  writeEarlyHints: drop('writeEarlyHints', undefined),
};

const dropsOfHttp2 = { ...drops, setTrailer: ignore, createPushResponse: drop('createPushResponse', undefined) };

export function dropsOf(response: ServerResponse): Readonly<Record<string, unknown>> {
  return isOfHttp2(response) ? dropsOfHttp2 : drops;
}

/**
 * Drops what is still sent after an answer has been given. Over all that has wrapped the response, which may pass the answer
 * on a moment later, as middleware for sessions does.
 */
export function dropFurther(response: ServerResponse): void {
  Object.assign(response, dropsOf(response));
  // Of what reaches the response by a method that was taken from it before.
  response.on('error', ignore);
}

function chain(this: ServerResponse): ServerResponse {
  return this;
}

function ignore(): void {}

function drop(name: Gated, result: unknown): Method {
  return (...args) => {
    callBack(name, args);
    return result;
  };
}

/** Like a success: whoever pipes into the response reads its source to the end. But a push has no response to write to. */
function callBack(name: Gated, args: readonly unknown[]): void {
  const errors = name === 'createPushResponse' ? [new Error('nothing is pushed: the request was refused')] : [];
  for (const done of args.slice(0, 3)) if (typeof done === 'function') process.nextTick(done, ...errors);
}
