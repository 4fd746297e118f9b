import type { WasmPolicy } from './wasm-module.js';

/**
 * An abort leaves a frame on the stack of the module, which is full after some 500 of them. A fresh instance parses all of
 * its data, so that a client whose requests make a rule throw must not cause one each time.
 */
const mostFailures = 200;
/** From then on a fresh instance is made as soon as no request waits. */
const renewAfter = 100;

/** The instance of a module that evaluates, replaced before failures wear it out. */
export class Instances {
  #instance: WasmPolicy;
  readonly #create: () => WasmPolicy;
  #failures = 0;
  #isRenewing = false;

  constructor(first: WasmPolicy, create: () => WasmPolicy) {
    this.#instance = first;
    this.#create = create;
  }

  current(): WasmPolicy {
    return this.#instance;
  }

  /** An evaluation threw. */
  failed(error: unknown): void {
    this.#failures++;
    // A trap or an overflow of the stack may have ended anything halfway.
    if (isFault(error) || this.#failures >= mostFailures) this.#renew();
    else if (this.#failures >= renewAfter && !this.#isRenewing) {
      this.#isRenewing = true;
      setImmediate(() => {
        this.#isRenewing = false;
        if (this.#failures >= renewAfter) this.#renew();
      }).unref();
    }
  }

  #renew(): void {
    this.#instance = this.#create();
    this.#failures = 0;
  }
}

/** Built-in functions throw other errors, and the module itself text. */
function isFault(error: unknown): boolean {
  return error instanceof Error && (error.name === 'RuntimeError' || error instanceof RangeError);
}
