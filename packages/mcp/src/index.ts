export { outcomeOf } from './decide/call-end.js';
export {
  type Answer,
  createMcpDecisions,
  type McpDecision,
  type McpDecisions,
} from './decide/decisions.js';
export type { Denial } from './decide/denial.js';
export type { JsonRpcError, JsonRpcRequest } from './decide/json-rpc.js';
export type { McpRules, MethodRule, ToolRule } from './decide/rules.js';
export { guardMcpHttp, type McpHttpOptions } from './http/guard-mcp-http.js';
export type { FetchHandler } from './http/upstream.js';
export { mcpSchema } from './schema.js';
export { guardHandler } from './server/guard-handler.js';
export { guardTools, type GuardToolsOptions } from './server/guard-tools.js';
export { authInfoOf, callerOf, type McpAuthInfo, mcpBridge, type McpContext, withCaller } from './server/identity.js';
export { guardMcpStdio, type McpStdioStreams } from './stdio/guard-mcp-stdio.js';
