import type * as CedarLibrary from '@cedar-policy/cedar-wasm/nodejs';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { compileFunction } from 'node:vm';

/** The Cedar library's exports, on a WebAssembly instance of their own. */
export type Cedar = typeof CedarLibrary;

/** What of WebAssembly the library uses; the platform's types for it come with the DOM only. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (code: object, imports: object) => { readonly exports: Readonly<Record<string, unknown>> };
};

type CedarModule = (
  exports: object,
  require: NodeJS.Require,
  module: object,
  filename: string,
  dirname: string,
  webAssembly: object,
) => void;

const require = createRequire(import.meta.url);

/** Compiled once: what is fresh in a fresh instance is its memory, not its code. */
let code: object | undefined;

/**
 * A Cedar of one's own: no memory, no preparsed set shared with any other, and thrown away once a call has thrown.
 *
 * The library's CommonJS file is evaluated as `require` would, but with a `WebAssembly` whose exports are behind
 * proxies. V8 does not inline through a proxy, and on Node 20 and 22 an optimised function with a WebAssembly call
 * inlined takes the whole process down if it is deoptimised during that call (docs/decisions/0002-cedar-hazards.md).
 */
export function freshCedar(): Cedar {
  const filename = require.resolve('@cedar-policy/cedar-wasm/nodejs');
  const parameters = ['exports', 'require', 'module', '__filename', '__dirname', 'WebAssembly'];
  const run = compileFunction(readFileSync(filename, 'utf8'), parameters, { filename }) as CedarModule;
  const module = { exports: {} };
  run(module.exports, require, module, filename, dirname(filename), {
    Module: compiledOnce,
    Instance: proxiedInstance,
  });
  return module.exports as Cedar;
}

function compiledOnce(bytes: Uint8Array): object {
  code ??= new WebAssembly.Module(bytes);
  return code;
}

function proxiedInstance(code: object, imports: object): object {
  const proxied = Object.entries(new WebAssembly.Instance(code, imports).exports).map(([name, value]) => [
    name,
    typeof value === 'function' ? new Proxy(value, {}) : value,
  ]);
  return { exports: Object.fromEntries(proxied) as object };
}
