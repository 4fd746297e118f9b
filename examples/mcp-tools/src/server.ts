import type { RequestListener } from 'node:http';
import type { Guard } from '@countersign/core';
import { guardHandler, guardTools, mcpBridge } from '@countersign/mcp';
import { agentAuth, permit } from '@countersign/node-http';
import { toNodeHandler } from '@modelcontextprotocol/node';
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server';
import { registerTools, rules } from './tools.js';

/** The MCP server: one line guards its tools, the others are those of any server. */
export function createListener(guard: Guard): RequestListener {
  const createServer = () => {
    const server = guardTools(new McpServer({ name: 'acme-tools', version: '1.0.0' }), guard, rules);
    registerTools(server);
    return server;
  };
  const handle = toNodeHandler(guardHandler(createMcpHandler(createServer), guard, rules));
  const [auth, anyAgent] = [agentAuth(guard), permit(false)];

  return (request, response) => {
    void (async () => {
      if (!(await auth(request, response)) || !(await anyAgent(request, response))) return;
      mcpBridge(request);
      await handle(request as Parameters<typeof handle>[0], response);
    })();
  };
}
