import {
  checkOptionNames,
  ConfigError,
  flagOption,
  functionOption,
  guardDefaults,
  integerOption,
  type JsonObject,
  secureUrl,
} from '@countersign/common';
import { isIdentifier } from '@countersign/delegation';
import type { SigningKey } from '@countersign/signature';
import type { ApprovalHandler } from './approval-question.js';
import { discoverEarly } from './authority/metadata.js';
import { openWorkload, type SpiffeIdentityOptions, type Workload } from './authority/workload.js';

const owner = 'createAgent';

/** An agent with a key that is registered. */
interface RegisteredIdentity {
  /** The id under which the API knows this agent. */
  readonly id: string;
  /** From `loadAgentKey` or `generateAgentKey`; or any signer whose `keyId` is the key's JWK thumbprint (a KMS). */
  readonly key: SigningKey;
  readonly spiffe?: undefined;
}

/** An agent that is a workload with a SPIFFE identity. It makes a key for itself, and needs an `authority`. */
interface WorkloadIdentity {
  readonly spiffe: SpiffeIdentityOptions;
  readonly id?: undefined;
  readonly key?: undefined;
}

export type AgentOptions = (RegisteredIdentity | WorkloadIdentity) & AgentSettings;

interface AgentSettings {
  /** Seconds until a signature expires, 1 to 300. Default 60, the oldest that a guard accepts by default. */
  readonly lifetimeSeconds?: number;
  /** Fields to cover when present, besides those the profile requires, as `idempotency-key`. Default none. */
  readonly cover?: readonly string[];
  /** Largest body in bytes. A body is held in memory, since its digest is sent before it. Default 16 MiB. */
  readonly maxBodyBytes?: number;
  /** Milliseconds since the epoch. Default `Date.now`. */
  readonly clock?: () => number;
  /**
   * The origins of the APIs that it calls, like `https://api.acme.dev`. Nothing is signed for, and no token is sent to, any
   * other (`AgentError` `origin_not_allowed`): name them if a model or an answer chooses URLs. Default: all origins.
   */
  readonly origins?: readonly string[];
  /** What sends the signed requests. Default: the global `fetch`. */
  readonly fetch?: typeof fetch;
  /** The name of the authority that gives this agent its tokens: an https URL. Default: none. */
  readonly authority?: string;
  /**
   * What `fetch` does if an API needs the approval of people (403 `approval_required`). `wait`: ask the authority, wait
   * until people decide, and send the request again with their approval. A function: the same, with the approval that it
   * returns; undefined returns the refusal. Default: the refusal is returned.
   */
  readonly onApprovalRequired?: 'wait' | ApprovalHandler;
  /** Send tokens over plain http to hosts other than loopback. Anyone on the way can then read them. Default false. */
  readonly dangerouslyAllowHttp?: boolean;
}

/** The options, checked, with every default filled in. */
export type Settings = Required<Omit<AgentSettings, 'authority' | 'onApprovalRequired' | 'origins'>> & {
  readonly id: string;
  readonly key: SigningKey;
  /** Undefined: the agent proves itself with its key alone. */
  readonly workload: Workload | undefined;
  readonly authority: string | undefined;
  /** Of the authority, if it was asked for early. It never rejects. */
  readonly metadata?: Promise<JsonObject | undefined>;
  readonly onApprovalRequired: 'wait' | ApprovalHandler | undefined;
  /** Undefined: all. */
  readonly origins: ReadonlySet<string> | undefined;
};

const optionNames: readonly string[] = [
  'id',
  'key',
  'spiffe',
  'lifetimeSeconds',
  'cover',
  'maxBodyBytes',
  'clock',
  'origins',
  'fetch',
  'authority',
  'onApprovalRequired',
  'dangerouslyAllowHttp',
] satisfies readonly (keyof AgentOptions)[];

/** Checks everything at creation: nothing fails later, nothing weakens because of a misspelt name. */
export async function readOptions(options: AgentOptions): Promise<Settings> {
  checkOptionNames(owner, options, optionNames);
  const settings = readSettings(options);
  if (options.spiffe === undefined) {
    return { ...settings, id: readId(options.id), key: readKey(options.key), workload: undefined };
  }
  const { id, key } = options as { readonly id?: unknown; readonly key?: unknown };
  if (id !== undefined || key !== undefined || settings.authority === undefined) {
    throw new ConfigError(
      "createAgent: with 'spiffe' the agent gets its id from the Workload API and makes its key itself: leave out 'id' and 'key', and name the 'authority' that gives it tokens.",
    );
  }
  const failed = new AbortController();
  const metadata = discoverEarly(settings.authority, settings, failed.signal);
  try {
    const workload = await openWorkload(options.spiffe, settings.authority);
    return { ...settings, id: workload.id, key: workload.key, workload, metadata };
  } catch (error) {
    failed.abort();
    throw error;
  }
}

function readSettings(options: AgentOptions): Omit<Settings, 'id' | 'key' | 'workload'> {
  const { lifetimeSeconds = guardDefaults.maxAgeSeconds, maxBodyBytes = guardDefaults.maxBodyBytes } = options;
  const { cover = [], clock = Date.now, dangerouslyAllowHttp = false } = options;
  return {
    lifetimeSeconds: integerOption(owner, 'lifetimeSeconds', lifetimeSeconds, 1, 300),
    cover: readCover(cover),
    maxBodyBytes: integerOption(owner, 'maxBodyBytes', maxBodyBytes, 0),
    clock: functionOption(owner, 'clock', clock),
    origins: readOrigins(options.origins),
    // Looked up at each call, so that a global fetch replaced later (instrumentation, tests) is the one used.
    fetch: functionOption(owner, 'fetch', options.fetch ?? ((input, init) => globalThis.fetch(input, init))),
    authority: readAuthority(options),
    onApprovalRequired: readApprovalHandler(options),
    dangerouslyAllowHttp: flagOption(owner, 'dangerouslyAllowHttp', dangerouslyAllowHttp),
  };
}

function readAuthority({ authority, dangerouslyAllowHttp }: AgentOptions): string | undefined {
  if (authority === undefined) return undefined;
  const read = secureUrl(authority, dangerouslyAllowHttp === true ? 'anywhere' : 'loopback');
  if (read.ok && read.url.search === '' && read.url.hash === '') return authority;
  throw new ConfigError("createAgent: 'authority' must be the https URL of the authority, exactly as it names itself.");
}

function readOrigins(origins: unknown): ReadonlySet<string> | undefined {
  if (origins === undefined) return undefined;
  const read = Array.isArray(origins) ? origins.map(readOrigin) : [];
  if (read.length > 0 && !read.includes(undefined)) return new Set(read as string[]);
  throw new ConfigError(
    "createAgent: 'origins' must be a list of the APIs it calls, each with scheme and host only, like 'https://api.acme.dev'.",
  );
}

function readOrigin(text: unknown): string | undefined {
  const read = secureUrl(text, 'anywhere');
  // Its origin and one slash: neither path, query nor fragment.
  return read.ok && read.url.href === `${read.url.origin}/` ? read.url.origin : undefined;
}

function readApprovalHandler({ authority, onApprovalRequired }: AgentOptions): Settings['onApprovalRequired'] {
  if (onApprovalRequired === undefined || typeof onApprovalRequired === 'function') return onApprovalRequired;
  if (onApprovalRequired === 'wait' && authority !== undefined) return onApprovalRequired;
  throw new ConfigError(
    "createAgent: 'onApprovalRequired' must be 'wait', which needs the option 'authority', or a function.",
  );
}

function readId(id: unknown): string {
  if (isIdentifier(id)) return id;
  throw new ConfigError(
    "createAgent: 'id' must be the id under which the API knows the agent: 1 to 256 visible characters in NFC.",
  );
}

function readKey(key: SigningKey): SigningKey {
  if (typeof key !== 'object' || key === null || typeof key.sign !== 'function' || typeof key.keyId !== 'string') {
    throw new ConfigError("createAgent: 'key' must come from loadAgentKey() or generateAgentKey().");
  }
  if (key.algorithm !== 'ed25519') throw new ConfigError("createAgent: 'key' must be an Ed25519 key.");
  return key;
}

function readCover(names: readonly string[]): readonly string[] {
  if (!Array.isArray(names) || !names.every(isFieldName)) {
    throw new ConfigError("createAgent: 'cover' must be a list of header field names in lower case.");
  }
  return [...names];
}

function isFieldName(name: unknown): boolean {
  return typeof name === 'string' && /^[a-z0-9!#$%&'*+.^_`|~-]+$/.test(name);
}
