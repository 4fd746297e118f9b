import { createServer } from 'node:http';
import { createTool } from '@mastra/core/tools';
import { MCPServer } from '@mastra/mcp';
import { port, run, tools } from './tools.mjs';

const made = Object.entries(tools).map(([name, inputSchema]) => [
  name,
  createTool({ id: name, description: name, inputSchema, execute: async () => run(name) }),
]);
const server = new MCPServer({ name: 'test', version: '1.0.0', tools: Object.fromEntries(made) });
createServer((req, res) => {
  const url = new URL(req.url, 'http://127.0.0.1');
  void server.startHTTP({ url, httpPath: '/mcp', req, res, options: { serverless: true } });
}).listen(port, '127.0.0.1');
