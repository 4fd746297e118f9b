import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

/** For a server on 127.0.0.1, which production settings refuse twice. */
export const local = { dangerouslyAllowHttp: true, dangerouslyAllowPrivateAddresses: true } as const;

export interface TestServer {
  /** Ends in a slash. */
  readonly url: string;
  readonly port: number;
  /** Requests so far. */
  readonly requests: number;
  /** What to answer from now on: a JSON value, or a handler for anything else. */
  answer: { readonly json: unknown } | ((request: IncomingMessage, response: ServerResponse) => void);
}

/** A real server on a free port, closed when the test has finished. */
export async function startServer(answer: TestServer['answer']): Promise<TestServer> {
  const state = { answer, requests: 0 };
  const server = createServer((request, response) => {
    state.requests += 1;
    if (typeof state.answer === 'function') return state.answer(request, response);
    response.setHeader('content-type', 'application/jwk-set+json');
    response.end(JSON.stringify(state.answer.json));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return Object.defineProperties(state as unknown as TestServer, {
    url: { value: `http://127.0.0.1:${port}/` },
    port: { value: port },
  });
}
