// An MCP server of SDK 2 on node:http, bare or guarded, as a process of its own: serve.mjs MODE TOOLS FOLDER REGISTRATION
import { once } from 'node:events';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { agentsFromObjects, auditFile, cedarFromText, createGuard } from '@countersign/core';
import { guardHandler, guardMcpHttp, guardTools, mcpBridge, mcpSchema } from '@countersign/mcp';
import { agentAuth, permit } from '@countersign/node-http';
import { toNodeHandler } from '@modelcontextprotocol/node';
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server';
import { z } from 'zod';

/** Half of the tools only read, and policy shows those alone. */
const policies = `@id("reading") permit (principal, action, resource in ToolGroup::"read");
${Array.from({ length: 9 }, (_, n) => `@id("p${n}") permit (principal == Agent::"a${n}", action, resource);`).join('\n')}`;
const given = z.object({ dataset: z.string() });
const annotations = [{ readOnlyHint: true }, { readOnlyHint: false }];
const named = (n) => [`tool_${n}`, { annotations: annotations[n % 2] }];

const [mode, tools, folder, registration] = process.argv.slice(2);
const server = createServer();
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const origin = `http://127.0.0.1:${server.address().port}`;
server.on('request', await listener());
process.on('message', () => {
  const { user, system } = process.cpuUsage();
  process.send(user + system);
});
process.on('disconnect', () => process.exit());
process.send(origin);

function serverWithTools() {
  const mcp = new McpServer({ name: 'bench', version: '1.0.0' });
  for (let n = 0; n < Number(tools); n += 1) {
    const config = { description: `Tool ${n}`, inputSchema: given, annotations: annotations[n % 2] };
    mcp.registerTool(`tool_${n}`, config, async ({ dataset }) => ({ content: [{ type: 'text', text: dataset }] }));
  }
  return mcp;
}

async function listener() {
  const bare = createMcpHandler(serverWithTools);
  if (mode === 'bare') return toNodeHandler(bare);
  const guard = await createGuard({
    origin,
    agents: agentsFromObjects([JSON.parse(registration)]),
    policy: await cedarFromText({ policies, schema: mcpSchema }),
    audit: auditFile(join(folder, `${mode}-${tools}`)),
  });
  const [auth, anyAgent] = [agentAuth(guard), permit(false)];
  const handle = {
    verified: () => toNodeHandler(bare),
    guardTools: () =>
      toNodeHandler(
        guardHandler(
          createMcpHandler(() => guardTools(serverWithTools(), guard)),
          guard,
        ),
      ),
    // As `countersign mcp init` writes them: a tool that was never listed counts as destructive.
    guardMcpHttp: () =>
      guardMcpHttp((request) => bare.fetch(request), {
        tools: Object.fromEntries(Array.from({ length: Number(tools) }, (_, n) => named(n))),
      }),
  }[mode]();
  return async (request, response) => {
    if (!(await auth(request, response))) return;
    if (mode !== 'guardMcpHttp' && !(await anyAgent(request, response))) return;
    mcpBridge(request);
    await handle(request, response);
  };
}
