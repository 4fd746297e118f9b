import { isJsonObject, type JsonObject } from '../decide/json-rpc.js';

/** What MCP defines in `_meta`, besides the names with its prefix. */
const known: ReadonlySet<string> = new Set(['progressToken', 'traceparent', 'tracestate', 'baggage']);
const prefix = 'io.modelcontextprotocol/';

/** Runs what the caller did not ask for if it is dropped: FastMCP takes the version of a tool from there. */
const selector = /^_?fastmcp(?:\/|$)/i;

/** Why parameters are refused for their `_meta`. */
export function metaProblem({ _meta: meta = {} }: JsonObject): string | undefined {
  if (!isJsonObject(meta)) return '_meta must be an object';
  return Object.keys(meta).some((name) => selector.test(name)) ? 'the version of a tool cannot be chosen' : undefined;
}

/**
 * The parameters without what MCP does not define in `_meta`: policy does not see it, and a server may let it choose what
 * runs. It is dropped and not refused, because hosts add notes of their own to every call.
 */
export function withPlainMeta(params: JsonObject): JsonObject {
  const { _meta: meta } = params;
  if (!isJsonObject(meta)) return params;
  const plain = Object.entries(meta).filter(([name]) => known.has(name) || name.startsWith(prefix));
  return { ...params, _meta: Object.fromEntries(plain) };
}
