import { createHash } from 'node:crypto';
import { checkOptionNames, ConfigError } from '@countersign/common';
import type { PolicyDecision, PolicyEngine, PolicyQuery } from '@countersign/policy';
import { readScopeVocabulary, undecided, wellFormedJson } from '@countersign/pdp';
import { readDecision } from './decision-document.js';
import { inputDocument } from './input-document.js';
import { Instances } from './instances.js';
import { compile, instantiate, type WasmModule, type WasmPolicy } from './wasm-module.js';

export interface OpaWasmOptions {
  /** The compiled policies: `policy.wasm` of what `opa build -t wasm -e agent/authz/allow` writes. */
  readonly wasm: Uint8Array;
  /** The deciding rule, like `agent/authz/allow`. Default: the only entry point of the module. */
  readonly entrypoint?: string;
  /** The `data` of the policies. Default: empty. */
  readonly data?: Readonly<Record<string, unknown>>;
  /** The scopes that the policies mention; see `opaServer`. Default: none. */
  readonly scopeVocabulary?: readonly string[];
}

/**
 * Evaluates Rego in process, compiled to WebAssembly. The rule gives a boolean, or
 * `{ "allow": boolean, "policies": [names] }`; any other result denies, and so does an exception of the module. The policy
 * set of a decision is a hash over module and data.
 *
 * Evaluation blocks the event loop and has no time limit: bound the loops of policies. Built-in functions are JavaScript
 * here, and one that fails without throwing is undefined: see the README.
 *
 * @throws ConfigError which says what to do.
 *
 * @example
 * const policy = opaWasm({ wasm: readFileSync('policy.wasm'), entrypoint: 'agent/authz/allow' });
 */
export function opaWasm(options: OpaWasmOptions): PolicyEngine {
  checkOptionNames('opaWasm', options, ['wasm', 'entrypoint', 'data', 'scopeVocabulary']);
  const { data = {} } = options;
  const scopeVocabulary = readScopeVocabulary('opaWasm', options);
  const written = wellFormedJson(data, Infinity);
  if (!written.ok) throw new ConfigError(`opaWasm: 'data' cannot be used: ${written.problem}.`);
  const module = readModule(options.wasm);
  // A copy, so that later changes by the application do not differ from the hash.
  const kept = JSON.parse(written.text) as object;
  const policies = new Instances(firstInstance(module, kept), () => instantiate(module, kept));
  const entrypoint = findEntrypoint(policies.current(), options.entrypoint);
  const policySet = createHash('sha256').update(options.wasm).update(written.text).digest('hex');

  function decide(query: PolicyQuery): PolicyDecision {
    const input = wellFormedJson(inputDocument(query));
    if (!input.ok) return undecided(input.problem, policySet);
    try {
      return readDecision(resultOf(policies.current().evaluate(JSON.parse(input.text), entrypoint)), policySet);
    } catch (error) {
      policies.failed(error);
      return undecided(`the policy could not be evaluated: ${reasonOf(error)}`, policySet);
    }
  }
  return { scopeVocabulary, knowsUsers: true, decide };
}

function readModule(wasm: Uint8Array): WasmModule {
  if (!(wasm instanceof Uint8Array)) throw new ConfigError("opaWasm: 'wasm' must be the bytes of a policy.wasm.");
  try {
    return compile(wasm);
  } catch (error) {
    throw new ConfigError(`opaWasm: 'wasm' cannot be used: ${reasonOf(error)}. Is it the policy.wasm of a bundle?`);
  }
}

function firstInstance(module: WasmModule, data: object): WasmPolicy {
  try {
    return instantiate(module, data);
  } catch (error) {
    throw new ConfigError(`opaWasm: 'wasm' cannot be used: ${reasonOf(error)}.`);
  }
}

function findEntrypoint({ entrypoints }: WasmPolicy, name: string | undefined): number {
  const names = Object.keys(entrypoints);
  const wanted = name ?? (names.length === 1 ? names[0] : undefined);
  const found = wanted !== undefined && Object.hasOwn(entrypoints, wanted) ? entrypoints[wanted] : undefined;
  if (found === undefined) {
    throw new ConfigError(`opaWasm: 'entrypoint' must be one of those built in: ${names.join(', ')}.`);
  }
  return found;
}

/** A result set: one result, or none where the rule is undefined. */
function resultOf(results: unknown): unknown {
  return Array.isArray(results) && results.length === 1 ? (results[0] as { result?: unknown }).result : undefined;
}

/** The library also throws strings and plain objects. */
function reasonOf(error: unknown): string {
  if (error instanceof Error) return error.message;
  const { message } = (error ?? {}) as { readonly message?: unknown };
  return typeof message === 'string' ? message : String(error);
}
