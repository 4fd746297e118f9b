import { McpServer } from '@modelcontextprotocol/server';
import { serveStdio } from '@modelcontextprotocol/server/stdio';
import { run, tools } from './tools.mjs';

serveStdio(() => {
  const server = new McpServer({ name: 'test', version: '1.0.0' });
  for (const [name, inputSchema] of Object.entries(tools)) {
    server.registerTool(name, { inputSchema }, async () => ({ content: [{ type: 'text', text: run(name) }] }));
  }
  return server;
});
