import { FastMCP } from 'fastmcp';
import { port, run, tools } from './tools.mjs';

const server = new FastMCP({ name: 'test', version: '1.0.0' });
for (const [name, parameters] of Object.entries(tools)) {
  server.addTool({ name, parameters, execute: async () => run(name) });
}
await server.start({ transportType: 'httpStream', httpStream: { port, host: '127.0.0.1', endpoint: '/mcp' } });
