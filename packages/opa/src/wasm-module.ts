import { createRequire } from 'node:module';

/** What is used of `@open-policy-agent/opa-wasm`. */
export interface WasmPolicy {
  readonly entrypoints: Readonly<Record<string, number>>;
  /** Throws where the module traps, aborts, or calls a built-in function that is not there. */
  evaluate(input: unknown, entrypoint: number): unknown;
  setData(data: object): void;
}

/** A `WebAssembly.Module`: what nothing is done with but to make instances of it. */
export interface WasmModule {
  readonly [Symbol.toStringTag]: string;
}

interface WasmLibrary {
  loadPolicySync(module: WasmModule): WasmPolicy;
}

// The types of Node leave this global to those of browsers.
declare const WebAssembly: {
  readonly Module: {
    new (bytes: Uint8Array): WasmModule;
    exports(module: WasmModule): readonly { readonly name: string }[];
  };
};

// Its type declarations for `import` do not compile, so it is loaded without them.
const require = createRequire(import.meta.url);
const library = require('@open-policy-agent/opa-wasm') as WasmLibrary;

/** Throws where the bytes are no WebAssembly module, or none that OPA has built. */
export function compile(wasm: Uint8Array): WasmModule {
  const module = new WebAssembly.Module(wasm);
  if (WebAssembly.Module.exports(module).some(({ name }) => name === 'opa_wasm_abi_version')) return module;
  throw new Error('it was not built by opa build -t wasm');
}

/** A fresh instance of a compiled module. */
export function instantiate(module: WasmModule, data: object): WasmPolicy {
  const policy = library.loadPolicySync(module);
  policy.setData(data);
  return policy;
}
