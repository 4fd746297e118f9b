import type * as CedarLibrary from '@cedar-policy/cedar-wasm/nodejs';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { compileFunction } from 'node:vm';

/** The exports of the Cedar library, bound to a WebAssembly instance of their own. */
export type Cedar = typeof CedarLibrary;

/** The part of WebAssembly that the library uses. Only the DOM library of TypeScript declares it. */
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

/** The library's CommonJS file as a function, and its WebAssembly code. Instances share both, but no memory. */
let library: { readonly run: CedarModule; readonly filename: string } | undefined;
let compiled: object | undefined;

/**
 * Creates a Cedar instance that shares no memory and no preparsed set. Discard it after a call has thrown.
 *
 * The library's CommonJS file is evaluated as `require` would, but with a `WebAssembly` whose exports are proxies, as V8
 * does not inline through a proxy. On Node 20 and 22 an optimised function with an inlined WebAssembly call aborts the
 * process if it is deoptimised during that call (docs/decisions/0002-cedar-hazards.md).
 */
export function freshCedar(): Cedar {
  library ??= readLibrary();
  const { run, filename } = library;
  const module = { exports: {} };
  run(module.exports, requireOnce, module, filename, dirname(filename), {
    Module: compiledOnce,
    Instance: proxiedInstance,
  });
  return module.exports as Cedar;
}

function readLibrary(): NonNullable<typeof library> {
  const filename = require.resolve('@cedar-policy/cedar-wasm/nodejs');
  const parameters = ['exports', 'require', 'module', '__filename', '__dirname', 'WebAssembly'];
  const run = compileFunction(readFileSync(filename, 'utf8'), parameters, { filename }) as CedarModule;
  return { run, filename };
}

/** Once the code is compiled, the library need not read its 4 MB again. */
const requireOnce = Object.assign(
  (id: string): unknown =>
    id === 'fs' && compiled !== undefined ? { readFileSync: () => new Uint8Array() } : (require(id) as unknown),
  require,
);

function compiledOnce(bytes: Uint8Array): object {
  compiled ??= new WebAssembly.Module(bytes);
  return compiled;
}

function proxiedInstance(code: object, imports: object): object {
  const proxied = Object.entries(new WebAssembly.Instance(code, imports).exports).map(([name, value]) => [
    name,
    typeof value === 'function' ? new Proxy(value, {}) : value,
  ]);
  return { exports: Object.fromEntries(proxied) as object };
}
