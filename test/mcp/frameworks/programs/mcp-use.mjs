import { MCPServer, text } from 'mcp-use';
import { port, run, tools } from './tools.mjs';

const server = new MCPServer({ name: 'test', version: '1.0.0' });
for (const [name, schema] of Object.entries(tools)) {
  server.tool({ name, description: name, schema }, async () => text(run(name)));
}
await server.listen(port);
