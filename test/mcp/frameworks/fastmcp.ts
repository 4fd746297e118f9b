import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { RequestListener, Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { guardTools, mcpBridge } from '@countersign/mcp';
import { FastMCP, FastMCPSession } from 'fastmcp';
import { freePort } from '../../support/free-port.js';
import { argumentsOf, behindTheGuard, type Framework, rules, toolNames } from './framework.js';

export const fastMcp: Framework = {
  name: 'FastMCP',
  by: 'guardTools',
  isHere: true,
  revisions: ['2025-11-25'],
  decidesStreams: false,
  async start(guardFor, tools) {
    const port = await freePort();
    const guard = await guardFor(`http://127.0.0.1:${port}`);
    const server = new FastMCP<Record<string, never>>({ name: 'test', version: '1.0.0' });
    for (const name of toolNames) {
      server.addTool({ name, parameters: argumentsOf[name], execute: async () => tools.run(name, undefined) });
    }
    const stopGuarding = guardEverySession((session) => guardTools(session, guard, rules));
    const stopAdmitting = beforeListenersOf(port, (listener) => (request, response) => {
      mcpBridge(request);
      behindTheGuard(guard, listener)(request, response);
    });
    await server.start({ transportType: 'httpStream', httpStream: { port, host: '127.0.0.1', endpoint: '/mcp' } });
    return {
      url: `http://127.0.0.1:${port}/mcp`,
      async stop() {
        stopAdmitting();
        stopGuarding();
        await server.stop();
      },
    };
  },
};

/** FastMCP creates a server for each session. It has no place for a line of ours but the prototype. */
function guardEverySession(guard: (server: object) => void): () => void {
  const { prototype } = FastMCPSession;
  const { connect } = prototype;
  prototype.connect = async function connectGuarded(...given) {
    guard(this.server);
    await connect.apply(this, given);
  };
  return () => {
    prototype.connect = connect;
  };
}

/** FastMCP creates its HTTP server by itself, and reads the body first: Node tells us of its first request. */
function beforeListenersOf(port: number, wrap: (listener: RequestListener) => RequestListener): () => void {
  const wrapped = new WeakSet<Server>();
  function onRequest(message: unknown): void {
    const { server } = message as { readonly server: Server };
    if (wrapped.has(server) || (server.address() as AddressInfo | null)?.port !== port) return;
    wrapped.add(server);
    const listeners = server.listeners('request') as RequestListener[];
    server.removeAllListeners('request');
    for (const listener of listeners) server.on('request', wrap(listener));
  }
  subscribe('http.server.request.start', onRequest);
  return () => void unsubscribe('http.server.request.start', onRequest);
}
