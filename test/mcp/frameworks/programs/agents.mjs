// The package and the SDK that it uses, from where they were fetched.
export { createMcpHandler } from 'agents/mcp/server';
export { McpServer } from '@modelcontextprotocol/server';
