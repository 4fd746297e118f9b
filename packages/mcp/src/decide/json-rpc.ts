/** A JSON-RPC request: a message with a method and an id. */
export interface JsonRpcRequest {
  readonly method: string;
  readonly params?: unknown;
}

export interface JsonRpcError {
  readonly code: number;
  readonly message: string;
  readonly data?: Readonly<Record<string, unknown>>;
}

export type JsonObject = Readonly<Record<string, unknown>>;

export const errorCodes = {
  parseError: -32700,
  invalidRequest: -32600,
  methodNotFound: -32601,
  invalidParams: -32602,
  internal: -32603,
  /** Until MCP 2026-07-28, which has -32602. */
  resourceNotFound: -32002,
  /** By the guard: nobody, or no longer somebody. */
  unauthorized: -32001,
  /** By the guard: free in both revisions of the specification. */
  forbidden: -32003,
  /** As the official SDK answers for a session that it does not know. */
  noSession: -32001,
  /** The user has to open a page first (MCP 2025-11-25). */
  urlElicitationRequired: -32042,
  /** A field of HTTP and the body disagree (MCP 2026-07-28). */
  headerMismatch: -32020,
} as const;

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** An own member; an inherited one, like `constructor`, was not sent. */
export function memberOf(value: unknown, name: string): unknown {
  return isJsonObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;
}
