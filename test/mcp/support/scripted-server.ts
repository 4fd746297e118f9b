import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { type Served, serve } from '../../support/guarded.js';

/** A request that reached the server behind the guard. */
export interface Reached {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface ScriptedServer extends Served {
  /** In order. What was refused is not among them, nor what the guard asks in its own name. */
  readonly reached: readonly Reached[];
}

export type Script = (response: ServerResponse, reached: Reached, request: IncomingMessage) => unknown;

/** A server behind the guard that answers as the test says, in any form, and keeps what reached it. */
export async function scriptedServer(script: Script): Promise<ScriptedServer> {
  const reached: Reached[] = [];
  const served = await serve((request, response) => {
    void (async () => {
      const chunks: Buffer[] = [];
      for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
      const { method, url, headers } = request;
      const one = { method, url, headers, body: Buffer.concat(chunks).toString() };
      if (!one.body.includes('"id":"countersign-')) reached.push(one);
      await script(response, one, request);
    })();
  });
  return { ...served, reached };
}

/** Answers every request with this result. */
export function answersWith(result: unknown, headers: Record<string, string> = {}): Script {
  return (response, { body }) => {
    response.writeHead(200, { 'content-type': 'application/json', ...headers });
    response.end(JSON.stringify({ jsonrpc: '2.0', id: (JSON.parse(body) as { id?: unknown }).id, result }));
  };
}

/** Writes one event. */
export function event(response: ServerResponse, message: unknown): void {
  response.write(`data: ${JSON.stringify(message)}\n\n`);
}
