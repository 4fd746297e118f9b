// Loaded before an MCP server that knows nothing of us (node --import): guards each server of the SDK that it connects,
// and verifies what reaches its HTTP server. Only for scripts/mcp-conformance.mjs: a server of your own needs no tricks.
import { subscribe } from 'node:diagnostics_channel';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { admitter, callerOf } from '../packages/core/dist/adapter/index.js';
import { agentsFromObjects, auditFile, cedarFromText, createGuard } from '../packages/core/dist/index.js';
import { guardTools, mcpBridge, mcpSchema, withCaller } from '../packages/mcp/dist/index.js';

const { origin, agents, audit } = JSON.parse(process.env.COUNTERSIGN_HOOK);
const guard = await createGuard({
  origin,
  agents: agentsFromObjects(agents),
  policy: await cedarFromText({ policies: 'permit (principal, action, resource);', schema: mcpSchema }),
  audit: auditFile(audit, { durability: 'buffered' }),
});

const guarded = new WeakSet();
for (const Server of await serversOfSdks()) {
  const { connect } = Server.prototype;
  Server.prototype.connect = async function connectGuarded(...given) {
    if (guarded.has(this)) return await connect.apply(this, given);
    guarded.add(this);
    return await guardTools(this, guard).connect(...given);
  };
}

const wrapped = new WeakSet();
const admit = admitter(guard);
subscribe('http.server.request.start', ({ server }) => {
  if (wrapped.has(server)) return;
  wrapped.add(server);
  const listeners = server.listeners('request');
  server.removeAllListeners('request');
  server.on('request', async (request, response) => {
    if (!(await admit({ request, response, target: request.url }))) return;
    mcpBridge(request);
    // The reference server answers 2026-07-28 through a client of its own, which hands no identity on.
    withCaller(callerOf(request), () => listeners.forEach((listener) => listener(request, response)));
  });
});

/** The low-level servers of both SDKs, as far as the program has them. */
async function serversOfSdks() {
  const { resolve } = createRequire(join(process.cwd(), 'package.json'));
  const found = [];
  for (const name of ['@modelcontextprotocol/sdk/server/index.js', '@modelcontextprotocol/server']) {
    try {
      // The SDKs publish both kinds of modules. The program imports.
      const file = resolve(name)
        .replace('/dist/cjs/', '/dist/esm/')
        .replace(/\.cjs$/, '.mjs');
      found.push((await import(pathToFileURL(file).href)).Server);
    } catch (error) {
      if (error.code !== 'MODULE_NOT_FOUND') throw error;
    }
  }
  if (found.length === 0) throw new Error('the program has no SDK of MCP');
  return found;
}
